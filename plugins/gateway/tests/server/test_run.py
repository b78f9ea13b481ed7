"""The server: it ends in order, what is under way first, and says nothing of what is inside."""

import asyncio
import logging
import signal
import socket
import sys
import threading
from contextlib import ExitStack

import pytest

import convostore
from convostore import ConfigError
from convostore_gateway import create_app, running
from convostore_gateway.server.run import listen, url_of

from ..support import gateway as gateway_kit
from ..support.bad_clients import connected, heard, request, told, until
from ..support.gateway import PATIENCE, asked, client_of, got
from ..support.processes import Waiting, served

pytestmark = pytest.mark.rim

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")


class Held:
    """An application that answers when it may."""

    def __init__(self):
        self.begun, self.may_end, self.broken_off = (threading.Event() for _ in range(3))

    async def __call__(self, scope, receive, send):
        self.begun.set()
        try:
            while not self.may_end.is_set():  # noqa: ASYNC110  # another thread's
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            self.broken_off.set()
            raise
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})


async def failing(scope, receive, send):
    raise ValueError("the password is swordfish at /etc/secret")


def accepts(url):
    try:
        with connected(url):
            return True
    except ConnectionError:
        return False


def test_a_server_in_a_thread_serves_while_its_with_does():
    store = convostore.aopen("memory://")
    with running(create_app(store, open_access=True, viewer=False), stores=[store]) as url:
        assert got(f"{url}/healthz").json() == {"status": "ok"}
    assert not accepts(url)


def test_several_servers_run_side_by_side_each_in_a_loop_of_its_own():
    with ExitStack() as stack:
        urls = []
        for _ in range(3):
            store = convostore.aopen("echo://")
            gateway = create_app(store, open_access=True, viewer=False)
            urls.append(stack.enter_context(running(gateway, stores=[store])))
        for url in urls:
            answer = asked("POST", f"{url}/v1/replies", json={"content": "hello"})
            assert answer.json()["message"]["parts"][0]["text"] == "You said: hello"


async def endless(scope, receive, send):
    """An answer of no length that was told before."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for piece in (b"one,", b"", b"two"):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(("method", "expected"), [("GET", b"one,two"), ("HEAD", b"")])
def test_a_client_of_http_1_0_gets_an_answer_of_any_length_without_chunks(method, expected):
    with running(endless) as url:
        head, _, content = told(url, f"{method} / HTTP/1.0\r\n\r\n".encode()).partition(b"\r\n\r\n")
    assert content == expected
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head


def test_a_client_of_http_1_0_gets_the_length_that_an_answer_has():
    store = convostore.aopen("memory://")
    with running(create_app(store, open_access=True, viewer=False), stores=[store]) as url:
        head, _, content = told(url, b"GET /healthz HTTP/1.0\r\n\r\n").partition(b"\r\n\r\n")
    assert content == b'{"status":"ok"}'
    assert b"content-length: 15" in head


def test_no_answer_tells_what_serves_it():
    store = convostore.aopen("memory://")
    with running(create_app(store, open_access=True, viewer=False), stores=[store]) as url:
        assert not {"server", "date", "x-powered-by"} & set(got(f"{url}/healthz").headers)


def test_what_is_being_answered_when_a_server_ends_is_answered_and_nobody_else_is_admitted():
    held, answers = Held(), []
    server = running(held)
    url = server.__enter__()
    asking = threading.Thread(target=lambda: answers.append(got(url)))
    asking.start()
    assert held.begun.wait(PATIENCE)
    ending = threading.Thread(target=server.__exit__, args=(None, None, None))
    ending.start()
    until(lambda: not accepts(url), "it goes on to admit")
    held.may_end.set()
    for thread in (asking, ending):
        thread.join()
    assert answers[0].text == "done"


def test_what_does_not_end_within_the_grace_is_broken_off():
    held = Held()
    with running(held, grace=0.05) as url, connected(url) as connection:
        connection.sendall(request("GET", "/"))
        assert held.begun.wait(PATIENCE)
    assert held.broken_off.is_set()


def test_one_who_never_reads_does_not_keep_a_server_from_ending():
    class Endless:
        async def __call__(self, scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                await send({"type": "http.response.body", "body": b"x" * 2**16, "more_body": True})

    with ExitStack() as stack:
        with running(Endless(), grace=0.05) as url:
            connection = stack.enter_context(connected(url))
            connection.sendall(request("GET", "/"))
            connection.recv(1)
        heard(connection)


def test_an_error_of_an_application_is_a_500_whose_text_is_nowhere(caplog, capsys):
    with caplog.at_level(logging.DEBUG), running(failing) as url:
        answer = got(url)
    assert answer.status_code == 500
    told = answer.text + caplog.text + "".join(capsys.readouterr())
    assert "ValueError" in told
    for inside in ("swordfish", "/etc", "Traceback", "test_serving"):
        assert inside not in told


def test_a_port_that_is_taken_is_a_config_error_that_names_it():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1 port {port}: .*--port"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "\ud800", "x" * 300])
def test_an_address_that_is_none_of_this_machine_is_a_config_error(host, monkeypatch):
    real = socket.getaddrinfo

    def look_up(name, *args, **more):
        if name == "no such host":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(name, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(ConfigError, match="--host"):
        listen(host, 0)


def test_an_address_of_ipv6_stands_in_brackets():
    try:
        listening = listen("::1", 0)
    except ConfigError:
        pytest.skip("this machine has no IPv6")
    with listening:
        assert url_of(listening) == f"http://[::1]:{listening.getsockname()[1]}"


@on_posix
@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_server_in_order(which):
    with served("memory://") as server:
        assert got(f"{server.url}/readyz").json() == {"status": "ready"}
        server.signal(which)
        assert server.ended() == 0


def ask_and_leave(url):
    """Asks for a reply, and goes away when it has begun."""
    with client_of() as client:
        json = {"content": "When is high tide?", "conversation_id": "tides", "turn_id": "turn"}
        accept = {"accept": "text/event-stream"}
        with client.stream("POST", f"{url}/v1/replies", json=json, headers=accept) as answer:
            assert answer.status_code == 200
            next(answer.iter_lines())


@on_posix
def test_a_reply_whose_client_went_away_is_stored_before_a_server_ends(tmp_path):
    target = f"sqlite:///{tmp_path / 'history.db'}"
    with (
        Waiting().running() as model,
        served(target, "--upstream", model.url, "--upstream-model", "m") as server,
    ):
        ask_and_leave(server.url)
        server.signal(signal.SIGTERM)
        until(lambda: not accepts(server.url), "it goes on to admit")
        model.end()
        assert server.ended() == 0
    with convostore.open(target) as store:
        assert [each.text for each in store.list_messages("tides").items][-1] == "At six."


@on_posix
def test_a_second_interrupt_breaks_off_what_is_left():
    with (
        Waiting().running() as model,
        served("memory://", "--upstream", model.url, "--upstream-model", "m") as server,
    ):
        ask_and_leave(server.url)
        server.signal(signal.SIGINT)
        until(lambda: not accepts(server.url), "it goes on to admit")
        server.signal(signal.SIGINT)
        assert server.ended() == 130
    assert not [line for line in server.lines if "Traceback" in line]


def test_what_a_store_offers_is_asked_before_it_is_served():
    with gateway_kit.served("memory://") as inner, gateway_kit.served(f"gateway+{inner}") as outer:
        offers = got(f"{outer}/v1").json()["offers"]
    assert "search" in offers
    assert "stream_reply" not in offers
