"""HTTP adapters: failures by triples without a network, both transports on loopback servers."""

import asyncio
import base64
import contextlib
import gc
import json
import logging
import math
import socket
import ssl
import threading
import time
from functools import partial
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from convostore import (
    DSN,
    AuthError,
    ConfigError,
    Conversation,
    ConversationStore,
    InvalidError,
    NotFoundError,
    ProtocolError,
    RateLimitError,
    StoreError,
    UnavailableError,
)
from convostore.adapters import paginate
from convostore.flow import run, together
from convostore.http import Exchange, HTTPAdapter, HTTPOptions, Request, Response, _transports, path
from convostore.http._client import install_backend
from convostore.http._deadlines import BoundedBackend, BoundedStream, ClosingBackend, Deadline
from convostore.http._redirects import follow_redirect
from convostore.models import Page
from convostore.testing.clock import AutojumpClock, current
from convostore.testing.wire_faults._guards import fail_on_hang
from convostore.testing.wire_faults.server import DELAYS, FaultServer

from ..support.naming import naming

pytestmark = pytest.mark.rim

CERTIFICATE = Path(__file__).with_name("loopback.pem")
GET, POST, DELETE = Request("GET", "/a"), Request("POST", "/a", json={}), Request("DELETE", "/a")


class Notes(HTTPAdapter):
    """A service of notes: the plainest HTTP adapter there can be."""

    name = "notes"

    def list_conversations(self, listing):
        reply = yield Request("GET", "/notes")
        return paginate(
            [Conversation(id=note_id) for note_id in reply.json()],
            listing,
            key=lambda note: note.id,
        )

    def get_conversation(self, conversation_id):
        reply = yield Request("GET", path("/notes/{}", conversation_id))
        return Conversation(id=conversation_id, title=reply.json()["title"])

    def list_messages(self, conversation_id, listing):
        yield Request("GET", path("/notes/{}", conversation_id))
        return Page(items=())

    def delete_conversation(self, conversation_id):
        yield Request("DELETE", path("/notes/{}", conversation_id))


def notes(url="http://127.0.0.1:9", **options):
    """An adapter that gives up at once, unless `options` say otherwise."""
    dsn = DSN.parse(f"notes+{url}")
    return Notes(dsn, HTTPOptions.model_validate({"retries": 0, **dict(dsn.options), **options}))


def ask(*requests):
    replies = []
    for request in requests:
        replies += [(yield request)]
    return replies


def carry_sync(adapter, make):
    transport = adapter.transport()
    try:
        return transport.run(lambda: adapter.wrap(make()))
    finally:
        transport.close()


def carry_async(adapter, make):
    async def main():
        transport = adapter.async_transport()
        try:
            return await transport.run(lambda: adapter.wrap(make()))
        finally:
            await transport.aclose()

    clock = current()
    with asyncio.Runner(loop_factory=clock and clock.new_event_loop) as runner:
        return runner.run(main())


@pytest.fixture(params=[carry_sync, carry_async], ids=["sync", "async"])
def fetch(request):
    """Sends requests through a transport of an adapter, and returns the replies."""
    return lambda adapter, *requests: request.param(adapter, partial(ask, *requests))


def fail(fetch, adapter, *requests, error=StoreError):
    with pytest.raises(error) as caught:
        fetch(adapter, *requests)
    return caught.value


# What failures mean, by triples.


def answered(response, request=GET, adapter=None, slept=None):
    """Runs one request that gets this response each time."""
    sleep = (slept if slept is not None else []).append
    return run((adapter or notes()).wrap(ask(request)), lambda _: response, sleep=sleep)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, InvalidError),
        (401, AuthError),
        (403, AuthError),
        (404, NotFoundError),
        (418, ProtocolError),
        (429, RateLimitError),
        (500, UnavailableError),
        (503, UnavailableError),
    ],
)
def test_a_failure_is_thrown_into_the_flow_as_the_error_of_its_status(status, error):
    with pytest.raises(error, match=f"GET /a returned {status}"):
        answered(Response(status))


def test_a_success_is_sent_into_the_flow():
    assert answered(Response(204)) == [Response(204)]


def test_an_adapter_may_read_failures_in_its_own_way():
    class Polite(Notes):
        def failure(self, request, response):
            body = response.json()
            return NotFoundError("gone") if body == {"ok": False} else None

    polite = Polite(DSN.parse("notes+http://h"), HTTPOptions(retries=0))
    with pytest.raises(NotFoundError):
        answered(Response(200, content=b'{"ok": false}'), adapter=polite)
    assert answered(Response(500, content=b'{"ok": true}'), adapter=polite)


def test_waits_between_attempts_grow_and_are_never_long():
    slept = []
    with pytest.raises(UnavailableError):
        answered(Response(503), adapter=notes(retries=9), slept=slept)
    assert len(slept) == 9
    assert all(0 < seconds <= 8 for seconds in slept)
    assert slept[0] < slept[3] < slept[-1]


def test_a_wait_that_the_service_asks_for_is_kept_to():
    slept = []
    with pytest.raises(RateLimitError):
        answered(Response(429, {"retry-after": "60"}), adapter=notes(retries=2), slept=slept)
    assert slept == [60, 60]


def test_a_service_that_asks_for_a_longer_wait_than_a_minute_gets_none():
    slept = []
    with pytest.raises(RateLimitError) as caught:
        answered(Response(429, {"retry-after": "3600"}), adapter=notes(retries=2), slept=slept)
    assert slept == []
    assert caught.value.retry_after == 3600


@pytest.mark.parametrize("request_", [POST, DELETE])
def test_what_is_not_harmless_is_not_repeated(request_):
    slept = []
    with pytest.raises(UnavailableError):
        answered(Response(503), request_, notes(retries=2), slept)
    assert slept == []


def test_a_dropped_request_is_repeated():
    replies = [UnavailableError("dropped"), Response(200)]

    def send(_):
        reply = replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    adapter = notes(retries=1)
    assert run(adapter.wrap(ask(GET)), send, sleep=lambda _: None) == [Response(200)]


SECRETS = {
    "password": "pa/ss w0rd",
    "header": "s3cret-header",
    "proxy": "http://p:s3cret-proxy@127.0.0.1:1",
}
SECRET_OPTIONS = {"headers": {"X-Key": SECRETS["header"]}, "proxy": SECRETS["proxy"]}
SECRET_URL = "http://user:pa%2Fss%20w0rd@127.0.0.1:9"
BASIC = base64.b64encode(b"user:pa/ss w0rd").decode()


@pytest.mark.parametrize("status", [400, 401, 404, 418, 429, 500])
def test_a_service_that_repeats_a_secret_does_not_bring_it_into_an_error(status):
    for secret in (*SECRETS.values(), f"Basic {BASIC}", BASIC):
        body = json.dumps({"message": f"bad credential {secret}!"}).encode()
        with naming(secret), pytest.raises(StoreError) as caught:
            answered(
                Response(status, {"content-type": "application/json"}, body),
                adapter=notes(SECRET_URL, **SECRET_OPTIONS),
            )
        assert "bad credential" in str(caught.value)
        assert "***!" in caught.value.detail
        assert secret not in f"{caught.value} {caught.value!r} {caught.value.detail}"


def test_an_excerpt_repeats_no_secret():
    def flow():
        reply = yield GET
        return reply.json()

    adapter = notes(SECRET_URL, **SECRET_OPTIONS)
    page = Response(200, {"content-type": "text/html"}, b"<p>s3cret-header</p>")
    with pytest.raises(ProtocolError) as caught:
        run(adapter.wrap(flow()), lambda _: page)
    assert caught.value.excerpt == "<p>***</p>"


def test_options_and_adapters_show_no_secret():
    adapter = notes(SECRET_URL, **SECRET_OPTIONS)
    shown = f"{adapter.options!r} {adapter.label} {adapter.dsn}"
    assert not any(secret in shown for secret in SECRETS.values())


# Options.


def test_header_lines_are_read_as_headers():
    options = HTTPOptions(headers="X-A: 1\n\n X-B :two: 2 \n")
    revealed = {name: value.get_secret_value() for name, value in options.headers.items()}
    assert revealed == {"X-A": "1", "X-B": "two: 2"}


@pytest.mark.parametrize("headers", [{"X-A": "1\r\nX-B: 2"}, {"": "1"}, {"X-A": "ä"}, {"X\n": "1"}])
def test_a_header_that_cannot_be_sent_is_refused(headers):
    with pytest.raises(ValueError, match="printable ASCII"):
        HTTPOptions(headers=headers)


@pytest.mark.parametrize(
    "options",
    [{"timeout": 0}, {"retries": -1}, {"concurrency": 0}, {"max_body": 0}, {"verfy": False}],
)
def test_an_option_out_of_bounds_is_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        HTTPOptions(**options)


@pytest.mark.parametrize(
    ("written", "verify"),
    [("false", False), ("0", False), ("true", True), ("1", True), ("ca.pem", "ca.pem")],
)
def test_verify_in_a_dsn_or_the_environment_is_read_as_a_yes_or_no_first(written, verify):
    assert HTTPOptions.model_validate({"verify": written}).verify == verify


@pytest.mark.parametrize("url", ["http://h/api/", "http://h/api"])
def test_the_base_url_ends_without_a_slash(url):
    assert notes(url).base_url == "http://h/api"


# The transports, on loopback.


def ok(_):
    return 200, {"ok": True}


def test_a_reply_is_brought_whole(serve, fetch):
    service = serve(lambda _: (201, b"\x00\xff body", {"X-Mark": "One", "Content-Type": "a/b"}))
    (reply,) = fetch(notes(service.url), GET)
    assert (reply.status, reply.content, reply.media_type) == (201, b"\x00\xff body", "a/b")
    assert reply.headers["x-mark"] == "One"


def test_a_request_is_brought_whole(serve, fetch):
    service = serve(ok)
    request = Request(
        "PUT",
        path("/a/{}", "b/c é"),
        query=(("q", "x y&z"), ("q", "é")),
        json={"text": "é\ud800"},
        headers=(("x-mark", "one"),),
    )
    fetch(notes(f"{service.url}/prefix/"), request)
    (incoming,) = service.asked
    assert (incoming.method, incoming.path) == (
        "PUT",
        "/prefix/a/b%2Fc%20%C3%A9?q=x+y%26z&q=%C3%A9",
    )
    assert json.loads(incoming.body) == {"text": "é\ud800"}
    assert incoming.headers["content-type"] == "application/json"
    assert incoming.headers["x-mark"] == "one"


@pytest.mark.parametrize("value", [math.nan, math.inf, {1}, b"x"], ids=repr)
def test_what_json_does_not_have_is_refused(serve, fetch, value):
    service = serve(ok)
    request = Request("POST", "/a", json={"variables": {"depth": value}})
    error = fail(fetch, notes(service.url), request, error=InvalidError)
    assert "NaN" in str(error)
    assert service.asked == []


def test_a_request_without_a_body_sends_none(serve, fetch):
    service = serve(ok)
    fetch(notes(service.url), DELETE)
    assert service.asked[0].body == b""
    assert "content-type" not in service.asked[0].headers


def test_a_query_that_no_url_can_carry_is_refused(serve, fetch):
    service = serve(ok)
    fail(
        fetch,
        notes(service.url),
        Request("GET", "/a", query=(("q", "\ud800"),)),
        error=InvalidError,
    )
    assert service.asked == []


def test_an_id_of_dots_and_slashes_reaches_the_server_as_it_is(serve, fetch):
    service = serve(ok)
    for identifier in ("../up", "a/../b", "%2e%2e", "a//b"):
        fetch(notes(service.url), Request("GET", path("/a/{}", identifier)))
    assert [incoming.path for incoming in service.asked] == [
        "/a/..%2Fup",
        "/a/a%2F..%2Fb",
        "/a/%252e%252e",
        "/a/a%2F%2Fb",
    ]


def test_a_connection_is_used_again(serve, fetch):
    service = serve(ok)
    fetch(notes(service.url), GET, POST, DELETE, GET)
    assert (len(service.asked), service.connections) == (4, 1)


def test_the_client_says_who_it_is(serve, fetch):
    service = serve(ok)
    fetch(notes(service.url), GET)
    assert service.asked[0].headers["user-agent"].startswith("convostore/")
    assert service.asked[0].headers["accept"] == "application/json"


def test_headers_of_the_options_are_sent_and_win(serve, fetch):
    service = serve(ok)
    fetch(notes(service.url, headers={"X-Key": "1", "User-Agent": "mine"}), GET)
    assert service.asked[0].headers["x-key"] == "1"
    assert service.asked[0].headers["user-agent"] == "mine"


def test_the_dsn_s_user_is_sent_as_basic_authorization(serve, fetch):
    service = serve(ok)
    fetch(notes(service.url.replace("//", "//user:pa%2Fss%20w0rd@")), GET)
    assert service.asked[0].headers["authorization"] == f"Basic {BASIC}"


def test_without_a_user_no_authorization_is_sent(serve, fetch):
    service = serve(ok)
    fetch(notes(service.url), GET)
    assert "authorization" not in service.asked[0].headers


def test_cookies_are_not_kept(serve, fetch):
    service = serve(lambda _: (200, {}, {"Set-Cookie": "session=1; Path=/"}))
    fetch(notes(service.url), GET, GET)
    assert "cookie" not in service.asked[1].headers


def redirecting(status, location):
    def handle(incoming):
        if incoming.path == "/end":
            return 200, {"here": True}
        return status, {}, {"Location": location}

    return handle


REDIRECTS = (301, 302, 303, 307, 308)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_is_redirected_on_the_same_origin(serve, fetch, method):
    for status in REDIRECTS:
        service = serve(redirecting(status, "/end"))
        with naming(status):
            (reply,) = fetch(notes(service.url), Request(method, "/a"))
            assert reply.status == 200
            calls = [(call.method, call.path) for call in service.asked]
            assert calls == [(method, "/a"), (method, "/end")]


def test_a_redirect_may_name_its_own_origin(serve, fetch):
    service = serve(lambda incoming: redirecting(302, f"{service.url}/end")(incoming))
    (reply,) = fetch(notes(service.url), GET)
    assert reply.json() == {"here": True}


@pytest.mark.parametrize("method", ["DELETE", "POST", "PUT", "PATCH"])
def test_writing_is_never_redirected(serve, fetch, method):
    for status in REDIRECTS:
        service = serve(redirecting(status, "/end"))
        with naming(status):
            error = fail(fetch, notes(service.url), Request(method, "/a"), error=ProtocolError)
            assert "check the base URL" in str(error)
            assert [incoming.path for incoming in service.asked] == ["/a"]


def test_a_redirect_to_another_origin_is_not_followed_and_gets_no_credential(serve, fetch):
    for status in REDIRECTS:
        other = serve(ok)
        service = serve(redirecting(status, f"{other.url}/end"))
        adapter = notes(service.url.replace("//", "//user:s3cret@"), headers={"X-Key": "s3cret"})
        with naming(status):
            fail(fetch, adapter, GET, error=ProtocolError)
            assert len(service.asked) == 1
            assert (other.asked, other.connections) == ([], 0)


def test_a_redirect_to_nowhere_is_a_protocol_error(serve, fetch):
    nowhere = ["http://[", "//", "ftp://127.0.0.1/", "http://user:pw@127.0.0.1/", "\xff\xfe", ""]
    for location in nowhere:
        service = serve(redirecting(302, location))
        with naming(location):
            fail(fetch, notes(service.url), GET, error=ProtocolError)


@pytest.mark.parametrize("location", ["http://127.0.0.1:notaport/", "javascript:1", "mailto:a"])
def test_a_redirect_to_what_the_client_cannot_read_is_not_followed(serve, fetch, location):
    service = serve(redirecting(302, location))
    error = fail(fetch, notes(service.url), GET, error=ProtocolError)
    assert f"redirected to {location.partition(':')[0]}:" in str(error)
    assert len(service.asked) == 1


def test_a_redirect_to_a_path_that_no_url_can_hold_leads_nowhere(serve, fetch):
    service = serve(redirecting(302, "/\x01"))
    fail(fetch, notes(service.url), GET, error=ProtocolError)
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    "request_",
    [Request("GET", "/" + "a" * 70_000), Request("GET", "/", query=(("q", "a" * 70_000),))],
)
def test_an_address_too_long_to_be_sent_is_invalid_and_no_fault_of_the_base_url(fetch, request_):
    error = fail(fetch, notes(), request_, error=InvalidError)
    assert "too long" in str(error)
    assert "base URL" not in str(error)


def test_where_a_reply_points_to_is_one_of_its_headers(serve, fetch):
    service = serve(lambda _: (201, {}, {"Location": "mailto:a"}))
    (reply,) = fetch(notes(service.url), POST)
    assert reply.headers["location"] == "mailto:a"


def test_a_redirect_without_a_location_is_a_protocol_error(serve, fetch):
    service = serve(lambda _: (302, {}))
    fail(fetch, notes(service.url), GET, error=ProtocolError)


def test_a_circle_of_redirects_is_a_protocol_error(serve, fetch):
    service = serve(
        lambda incoming: (302, {}, {"Location": "/b" if incoming.path == "/a" else "/a"})
    )
    fail(fetch, notes(service.url), GET, error=ProtocolError)
    assert len(service.asked) <= 10


def test_an_answer_as_large_as_the_bound_is_read_and_a_larger_one_is_refused(serve, fetch):
    service = serve(lambda _: (200, b"x" * 1000))
    (reply,) = fetch(notes(service.url, max_body=1000), GET)
    assert len(reply.content) == 1000
    error = fail(fetch, notes(service.url, max_body=999), GET, error=ProtocolError)
    assert "max_body" in str(error)


def test_a_compressed_answer_is_bounded_by_what_it_unfolds_to(serve, fetch):
    import gzip

    body = gzip.compress(b"x" * 100_000)
    service = serve(lambda _: (200, body, {"Content-Encoding": "gzip"}))
    (reply,) = fetch(notes(service.url, max_body=100_000), GET)
    assert reply.content == b"x" * 100_000
    fail(fetch, notes(service.url, max_body=99_999), GET, error=ProtocolError)


def test_broken_compression_is_a_protocol_error(serve, fetch):
    service = serve(lambda _: (200, b"no gzip", {"Content-Encoding": "gzip"}))
    fail(fetch, notes(service.url), GET, error=ProtocolError)


@pytest.fixture
def in_time():
    """Fails what hangs, rather than to hang with it."""
    with fail_on_hang():
        yield


@pytest.fixture
def clock(in_time):
    """Time that is over as soon as nothing more comes."""
    with AutojumpClock().installed() as autojump:
        yield autojump


@pytest.mark.usefixtures("clock")
def test_an_answer_that_does_not_come_to_an_end_is_unavailable_after_the_time_out(fetch):
    for fault in DELAYS:
        with naming(fault.name), FaultServer(fault) as url:
            error = fail(fetch, notes(url, timeout=1.25), GET, error=UnavailableError)
            assert error.retryable
            assert "1.25 s" in str(error)


@pytest.mark.usefixtures("clock")
def test_a_proxy_that_does_not_come_to_an_end_is_unavailable_after_the_time_out(fetch):
    for fault in DELAYS:
        with naming(fault.name), FaultServer(fault) as url:
            adapter = notes("http://notes.invalid", proxy=url, timeout=1.25)
            error = fail(fetch, adapter, GET, error=UnavailableError)
            assert "1.25 s" in str(error)


@pytest.mark.usefixtures("in_time")
def test_an_encrypted_connection_that_is_not_made_is_unavailable_after_the_time_out(fetch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        fail(fetch, notes(url, timeout=0.1, verify=False), GET, error=UnavailableError)
        silent.setblocking(False)
        with contextlib.suppress(BlockingIOError):  # it has not even come to connecting
            connection, _ = silent.accept()
            with connection:
                connection.settimeout(60)
                while connection.recv(4096):  # until the client has closed it
                    pass
    gc.collect()  # what was not closed warns


@pytest.fixture
def once():
    """Serves one connection in a thread: `once(talk)` gives a port, `talk(connection, over)`."""
    over, running, ports = threading.Event(), [], []

    def start(talk):
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        ports.append(listener.getsockname()[1])

        def serve_it():
            with listener, contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    talk(connection, over)

        running.append(threading.Thread(target=serve_it))
        running[-1].start()
        return ports[-1]

    yield start
    over.set()
    for port in ports:
        with contextlib.suppress(OSError):  # but to a client that never came, this is the end
            socket.create_connection(("127.0.0.1", port)).close()
    for thread in running:
        thread.join()


@pytest.mark.usefixtures("in_time")
def test_an_encrypted_answer_that_drips_is_unavailable_after_the_time_out(once, fetch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)

    def drip(connection, over):
        with context.wrap_socket(connection, server_side=True) as encrypted:
            encrypted.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not over.wait(0.02):
                encrypted.sendall(b"s")

    adapter = notes(f"https://127.0.0.1:{once(drip)}", timeout=0.1, verify=str(CERTIFICATE))
    fail(fetch, adapter, GET, error=UnavailableError)


def test_a_service_that_sips_a_large_request_is_unavailable_after_the_time_out(once, fetch, clock):
    def sip(connection, over):
        for _ in range(100):  # slowly, and then no more: it never takes the whole request
            connection.recv(2**12)
            clock.advance(0.25)
        over.wait()

    adapter = notes(f"http://127.0.0.1:{once(sip)}", timeout=2)
    large = Request("POST", "/a", json="x" * 2**23)  # more than the system takes unread
    fail(fetch, adapter, large, error=UnavailableError)


def test_all_steps_of_a_long_write_share_one_deadline(clock):
    class Sipping:
        """A connection that takes what is written, each time after a second."""

        taken = 0

        def write(self, buffer, timeout):
            assert timeout is not None
            self.taken += 1
            clock.advance(1)

    connection, deadline = Sipping(), Deadline()
    with deadline.at(clock.monotonic() + 3.5), pytest.raises(TimeoutError):
        BoundedStream(connection, deadline).write(b"x" * 2**20, timeout=3.5)
    assert connection.taken <= 4


def test_all_that_a_request_is_redirected_to_has_one_deadline():
    transport = notes("http://127.0.0.1:9").transport()
    first = transport._outgoing(GET)
    second = follow_redirect(first, Response(302, {"location": "/b"}))
    assert (first.url, second.url) == ("http://127.0.0.1:9/a", "http://127.0.0.1:9/b")
    assert first.deadline == second.deadline
    transport.close()


def test_the_making_of_the_client_is_none_of_a_request_s_time(monkeypatch):
    transport, times = notes("http://127.0.0.1:9", timeout=3).transport(), []
    monkeypatch.setattr(transport, "_ensure_client", lambda: times.append(time.monotonic()))
    assert transport._outgoing(GET).deadline >= times[0] + 3


def test_a_time_that_is_over_before_encryption_begins_leaves_no_connection_open():
    class Plain:
        def __init__(self, connection):
            self.connection = connection

        def get_extra_info(self, _):
            return self.connection

        def close(self):
            self.connection.close()

    ours, theirs = socket.socketpair()
    deadline = Deadline()
    with theirs, deadline.at(time.monotonic() - 1), pytest.raises(TimeoutError):
        BoundedStream(Plain(ours), deadline).start_tls(None)
    assert ours.fileno() == -1


def test_each_address_of_a_name_is_tried(serve, fetch, monkeypatch):
    service = serve(ok)
    port = service.port
    entries = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
    ]
    look_up = socket.getaddrinfo

    def both(host, *args, **kwargs):
        return entries if host in {"localhost", b"localhost"} else look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", both)
    (reply,) = fetch(notes(f"http://localhost:{port}"), GET)
    assert reply.json() == {"ok": True}


class Swallowing:
    """A network backend to whose connections nobody answers."""

    def __init__(self):
        self.tried = []

    def connect_tcp(self, host, port, timeout):
        self.tried.append((host, timeout))
        raise OSError(f"nobody at {host}")


def test_the_addresses_of_a_name_share_the_time(monkeypatch):
    entries = [(socket.AF_INET, 1, 6, "", (f"127.0.0.{number}", 9)) for number in (1, 2, 3)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: entries)
    backend, deadline = Swallowing(), Deadline()
    with deadline.at(time.monotonic() + 60), pytest.raises(OSError, match=r"127\.0\.0\.3"):
        BoundedBackend(backend, deadline).connect_tcp("three", 9, timeout=60)
    hosts, bounds = zip(*backend.tried, strict=True)
    assert hosts == ("127.0.0.1", "127.0.0.2", "127.0.0.3")
    assert [round(60 / bound) for bound in bounds] == [3, 2, 1]


def test_a_deadline_bounds_what_is_done_before_it_and_ends_what_is_done_after():
    deadline = Deadline()
    assert deadline.bounded(None) is None
    assert deadline.bounded(5) == 5
    with deadline.at(time.monotonic() + 60):
        assert deadline.bounded(5) == 5
        assert 0 < deadline.bounded(600) <= 60
        assert 0 < deadline.bounded(None) <= 60
    with deadline.at(time.monotonic()), pytest.raises(TimeoutError):
        deadline.bounded(5)
    assert deadline.bounded(5) == 5


def test_a_deadline_is_one_thread_s_own():
    deadline, seen = Deadline(), []
    with deadline.at(time.monotonic()):
        thread = threading.Thread(target=lambda: seen.append(deadline.bounded(5)))
        thread.start()
        thread.join()
    assert seen == [5]


@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:9", "https://127.0.0.1:9"])
def test_every_pool_of_the_client_takes_the_deadline(proxy):
    transport = notes(proxy=proxy).transport()
    client = transport._ensure_client()
    transports = [client._transport, *client._mounts.values()]
    assert len(transports) == (1 if proxy is None else 2)
    assert all(isinstance(item._pool._network_backend, BoundedBackend) for item in transports)
    transport.close()


@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:9", "https://127.0.0.1:9"])
def test_every_pool_of_the_async_client_closes_what_is_given_up(proxy):
    async def main():
        transport = notes(proxy=proxy).async_transport()
        client = transport._ensure_client()
        transports = [client._transport, *client._mounts.values()]
        assert len(transports) == (1 if proxy is None else 2)
        assert all(isinstance(item._pool._network_backend, ClosingBackend) for item in transports)
        await transport.aclose()

    asyncio.run(main())


def test_a_host_without_a_proxy_goes_by_the_deadline_as_well(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "notes.invalid")
    transport = notes().transport()
    client = transport._ensure_client()
    assert None in client._mounts.values()
    assert isinstance(client._transport._pool._network_backend, BoundedBackend)
    transport.close()


@pytest.mark.parametrize("kind", [httpx.Client, httpx.AsyncClient])
def test_a_client_that_cannot_be_bounded_is_a_config_error_that_names_its_version(kind):
    client = kind(transport=httpx.MockTransport(lambda _: httpx.Response(200)))
    with pytest.raises(ConfigError) as caught:
        install_backend(client, lambda backend: backend)
    assert f"httpx {httpx.__version__}" in str(caught.value)


@pytest.mark.parametrize("attribute", ["_transport", "_mounts"])
@pytest.mark.parametrize("kind", [httpx.Client, httpx.AsyncClient])
def test_a_client_that_keeps_its_transports_elsewhere_is_a_config_error(kind, attribute):
    client = kind()
    delattr(client, attribute)
    with pytest.raises(ConfigError, match="cannot be bounded by deadlines"):
        install_backend(client, lambda backend: backend)


def test_a_response_over_a_connection_without_a_deadline_is_a_config_error(
    serve, fetch, monkeypatch
):
    monkeypatch.setattr(_transports, "install_backend", lambda client, wrap: None)
    server = serve(ok)
    assert "cannot be bounded by deadlines" in str(
        fail(fetch, notes(server.url), GET, error=ConfigError)
    )


def test_a_response_that_a_test_plays_needs_no_connection(fetch, monkeypatch):
    monkeypatch.setattr(_transports, "install_backend", lambda client, wrap: None)
    played = httpx.MockTransport(lambda _: httpx.Response(200, json={"ok": True}))
    for name in ("make_client", "make_async_client"):
        make = getattr(_transports, name)
        monkeypatch.setattr(_transports, name, partial(make, transport=played))
    (reply,) = fetch(notes(), GET)
    assert reply.json() == {"ok": True}


def test_a_connection_that_is_given_up_while_it_is_encrypted_is_closed():
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"https://127.0.0.1:{silent.getsockname()[1]}"
            transport = notes(url, verify=False).async_transport()
            task = asyncio.create_task(transport.send(GET))
            connection, _ = await asyncio.to_thread(silent.accept)
            with connection:
                connection.settimeout(60)
                assert await asyncio.to_thread(connection.recv, 4096)  # it begins the handshake
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert not await asyncio.to_thread(connection.recv, 4096)
            await transport.aclose()

    asyncio.run(main())


def test_a_connection_keeps_to_the_deadline(serve):
    transport = notes(serve(ok).url).transport()
    client = transport._ensure_client()
    with client.stream("GET", f"{transport._base_url}/a") as reply:
        assert isinstance(reply.extensions["network_stream"], BoundedStream)
    transport.close()


def test_a_refused_connection_is_unavailable_and_may_be_tried_again(fetch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        adapter = notes(f"http://127.0.0.1:{taken.getsockname()[1]}")
        error = fail(fetch, adapter, GET, error=UnavailableError)
    assert error.retryable
    told = f"GET /a: cannot reach {adapter.base_url} (Connection refused): check the address"
    assert (
        str(error).replace("All connection attempts failed", "Connection refused").startswith(told)
    )


def test_a_proxy_that_refuses_the_connection_is_named_without_its_url(fetch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        proxy = f"http://user:a-secret@127.0.0.1:{taken.getsockname()[1]}"
        error = fail(fetch, notes("http://a.test", proxy=proxy), GET, error=UnavailableError)
    assert error.retryable
    assert "cannot reach http://a.test through the proxy (" in str(error)
    assert str(error).endswith("): check the option proxy, and the address")
    assert "a-secret" not in str(error)
    assert "127.0.0.1" not in str(error)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"no HTTP at all\r\n\r\n",
    ],
    ids=["nothing", "half a body", "half a chunk", "half a head", "no HTTP"],
)
def test_an_answer_that_breaks_off_is_unavailable_and_may_be_asked_again(serve, fetch, answer):
    service = serve(lambda _: answer)
    assert fail(fetch, notes(service.url), GET, error=UnavailableError).retryable


def test_reading_is_repeated_after_a_passing_failure(serve, fetch):
    replies = [(503, {}, {"Retry-After": "0"}), (200, {"ok": True})]
    service = serve(lambda _: replies.pop(0))
    (reply,) = fetch(notes(service.url, retries=1), GET)
    assert reply.json() == {"ok": True}
    assert len(service.asked) == 2


def test_writing_is_not_repeated_after_a_passing_failure(serve, fetch):
    service = serve(lambda _: (503, {}, {"Retry-After": "0"}))
    fail(fetch, notes(service.url, retries=2), POST, error=UnavailableError)
    assert len(service.asked) == 1


def test_retries_can_be_turned_off(serve, fetch):
    service = serve(lambda _: (503, {}, {"Retry-After": "0"}))
    fail(fetch, notes(service.url, retries=0), GET, error=UnavailableError)
    assert len(service.asked) == 1


def test_requests_go_through_the_proxy_that_was_named(serve, fetch):
    proxy = serve(ok)
    (reply,) = fetch(notes("http://notes.invalid/api", proxy=proxy.url), GET)
    assert reply.json() == {"ok": True}
    assert proxy.asked[0].path == "http://notes.invalid/api/a"


@pytest.mark.parametrize(
    "proxy", ["nonsense", "ftp://u:s3cret@127.0.0.1:1", "http://u:s3cret@h:port"]
)
def test_a_proxy_that_cannot_be_one_is_a_config_error_that_does_not_repeat_it(fetch, proxy):
    with pytest.raises((ConfigError, ValidationError)) as caught:  # on use, or as an option
        fetch(notes(proxy=proxy), GET)
    assert "proxy" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_proxy_of_the_environment_that_cannot_be_one_is_a_config_error(fetch, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "ftp://u:s3cret@127.0.0.1:1")
    error = fail(fetch, notes(), GET, error=ConfigError)
    assert "s3cret" not in str(error)


@pytest.mark.parametrize("url", ["http://xn--", "http://ex☃ample", "http://127.0.0.1:0"])
def test_a_base_url_that_http_cannot_reach_is_an_error_of_ours(fetch, url):
    fail(fetch, notes(url), GET)


@pytest.mark.parametrize("host", ["a..b", "a" * 64])
def test_a_host_that_no_look_up_takes_is_an_error_of_ours(host):
    fail(lambda *args: carry_sync(args[0], lambda: ask(GET)), notes(f"http://{host}"))


@pytest.fixture
def encrypted(serve):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return serve(ok, tls=context)


def test_a_certificate_that_nobody_vouches_for_is_refused(encrypted, fetch):
    error = fail(fetch, notes(encrypted.url), GET, error=UnavailableError)
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)
    assert "name its authority with verify" in str(error)
    assert encrypted.asked == []


def test_https_to_a_server_of_plain_http_says_how_to_ask_for_that(serve, fetch):
    plain = serve(ok).url
    error = fail(fetch, notes(plain.replace("http:", "https:")), GET, error=ConfigError)
    assert f"did you mean {plain.replace('http:', 'notes+http:')}?" in str(error)


def test_a_file_of_trusted_certificates_is_used(encrypted, fetch):
    (reply,) = fetch(notes(encrypted.url, verify=str(CERTIFICATE)), GET)
    assert reply.json() == {"ok": True}


def test_verification_can_be_turned_off(encrypted, fetch):
    (reply,) = fetch(notes(encrypted.url, verify=False), GET)
    assert reply.json() == {"ok": True}


def test_verification_can_be_turned_off_in_the_dsn(encrypted, fetch):
    (reply,) = fetch(notes(f"{encrypted.url}?verify=false"), GET)
    assert reply.json() == {"ok": True}


def test_a_missing_file_of_certificates_is_a_config_error(tmp_path, fetch):
    fail(fetch, notes(verify=str(tmp_path / "none.pem")), GET, error=ConfigError)


def test_a_file_that_holds_no_certificates_is_a_config_error(tmp_path, fetch):
    (tmp_path / "empty.pem").write_text("nothing")
    fail(fetch, notes(verify=str(tmp_path / "empty.pem")), GET, error=ConfigError)


# Traces and logs.


def test_a_trace_is_told_of_each_exchange(serve, fetch):
    service, exchanges = serve(lambda _: (404, b"0123456789")), []
    with pytest.raises(NotFoundError):
        fetch(notes(service.url, trace=exchanges.append), Request("GET", "/a", query=(("q", "1"),)))
    (exchange,) = exchanges
    assert isinstance(exchange, Exchange)
    assert (exchange.method, exchange.path, exchange.status) == ("GET", "/a", 404)
    assert (exchange.size, exchange.error) == (10, None)
    assert exchange.seconds > 0


def test_a_trace_is_told_of_an_exchange_without_an_answer(serve, fetch):
    service, exchanges = serve(lambda _: b""), []
    error = fail(fetch, notes(service.url, trace=exchanges.append), GET)
    (exchange,) = exchanges
    assert (exchange.status, exchange.size) == (None, 0)
    assert exchange.error is error


def test_a_trace_is_told_of_each_attempt(serve, fetch):
    service, exchanges = serve(lambda _: (503, {}, {"Retry-After": "0"})), []
    fail(fetch, notes(service.url, retries=2, trace=exchanges.append), GET)
    assert [exchange.status for exchange in exchanges] == [503, 503, 503]


def test_a_trace_that_fails_loses_no_result_and_is_logged(serve, fetch, caplog):
    def trace(exchange):
        raise RuntimeError("the trace is broken")

    service = serve(ok)
    (reply,) = fetch(notes(service.url, trace=trace), GET)
    assert reply.json() == {"ok": True}
    assert "the trace is broken" in caplog.text


def test_each_exchange_is_logged_for_debugging(serve, fetch, caplog):
    service = serve(ok)
    with caplog.at_level(logging.DEBUG, logger="convostore"):
        fetch(notes(service.url), GET)
    (record,) = [record for record in caplog.records if record.name.startswith("convostore")]
    assert record.levelno == logging.DEBUG
    assert record.getMessage().startswith("GET /a -> 200")


def _echo(incoming):
    """Answers with all that was sent, where an answer can hold text."""
    headers = incoming.headers
    sent = f"{incoming.path} {headers.get('x-key')} {headers.get('authorization')}"
    match incoming.path:
        case "/body":
            return 401, {"message": sent}
        case "/html":
            return 404, sent.encode(), {"Content-Type": "text/html"}
        case "/redirect":
            return 302, {}, {"Location": f"http://{headers['x-key']}.invalid/"}
        case "/status-line":
            return f"HTTP/1.1 {sent}\r\n\r\n".encode()
        case "/header":
            return f"HTTP/1.1 200 OK\r\n{sent}\r\n\r\n".encode()


@pytest.mark.parametrize("where", ["body", "html", "redirect", "status-line", "header"])
def test_no_secret_is_in_an_error_a_trace_or_a_log(serve, fetch, caplog, where):
    service, exchanges = serve(_echo), []
    adapter = notes(
        service.url.replace("//", "//user:s3cret-password@"),
        headers={"X-Key": "s3cret-header"},
        trace=exchanges.append,
    )
    with caplog.at_level(logging.DEBUG):
        error = fail(fetch, adapter, Request("GET", f"/{where}"))
    basic = base64.b64encode(b"user:s3cret-password").decode()
    shown = f"{error} {error!r} {error.detail} {getattr(error, 'excerpt', '')} {exchanges}"
    ours = [record for record in caplog.records if record.name.startswith("convostore")]
    assert ours
    logged = " ".join(record.getMessage() for record in ours)
    for secret in ("s3cret-password", "s3cret-header", basic):
        assert secret not in shown
        assert secret not in logged


def test_what_the_client_itself_logs_holds_no_credential(serve, fetch, caplog):
    service = serve(ok)
    adapter = notes(service.url.replace("//", "//user:s3cret@"), headers={"X-Key": "s3cret"})
    with caplog.at_level(logging.DEBUG):
        fetch(adapter, GET)
    assert "s3cret" not in caplog.text
    assert base64.b64encode(b"user:s3cret").decode() not in caplog.text


# Closing, threads, concurrency.


def test_a_closed_sync_transport_refuses_requests_and_may_be_closed_again(serve):
    service = serve(ok)
    transport = notes(service.url).transport()
    transport.send(GET)
    transport.close()
    transport.close()
    with pytest.raises(InvalidError, match="closed"):
        transport.send(GET)
    assert len(service.asked) == 1


def test_a_closed_async_transport_refuses_requests_and_may_be_closed_again(serve):
    service = serve(ok)

    async def main():
        transport = notes(service.url).async_transport()
        await transport.send(GET)
        await transport.aclose()
        await transport.aclose()
        with pytest.raises(InvalidError, match="closed"):
            await transport.send(GET)

    asyncio.run(main())
    assert len(service.asked) == 1


def test_a_transport_that_was_never_used_can_be_closed():
    notes().transport().close()
    asyncio.run(notes().async_transport().aclose())


def test_making_an_adapter_and_its_transports_connects_to_nothing(serve):
    service = serve(ok)
    adapter = notes(service.url)
    adapter.transport().close()
    asyncio.run(adapter.async_transport().aclose())
    assert service.connections == 0


class Meeting:
    """A handler that lets requests go on in pairs only, and counts how many are there at a time."""

    def __init__(self, pairs=2):
        self.most = self.here = 0
        self._lock = threading.Lock()
        self._pair = threading.Barrier(pairs, timeout=60)

    def __call__(self, _):
        with self._lock:
            self.here += 1
            self.most = max(self.most, self.here)
        self._pair.wait()
        with self._lock:
            self.here -= 1
        return 200, {"title": "T"}


def test_no_more_requests_are_under_way_than_the_option_permits(serve):
    meeting = Meeting()
    service = serve(meeting)

    async def main():
        transport = notes(service.url, concurrency=2).async_transport()
        replies = await asyncio.gather(*[transport.send(GET) for _ in range(6)])
        await transport.aclose()
        return replies

    assert [reply.status for reply in asyncio.run(main())] == [200] * 6
    assert (meeting.most, service.connections) == (2, 2)


def test_the_flows_of_a_together_use_the_concurrency_that_the_option_permits(serve):
    meeting = Meeting()
    service = serve(meeting)
    adapter = notes(service.url, concurrency=2)
    replies = carry_async(adapter, lambda: together([ask(GET) for _ in range(6)]))
    assert len(replies) == 6
    assert (meeting.most, service.connections) == (2, 2)


def test_threads_share_a_store_and_its_client(serve):
    meeting = Meeting(pairs=4)
    service = serve(meeting)
    adapter = notes(service.url)
    titles = []
    with ConversationStore(adapter, adapter.transport()) as store:

        def read(identifier):
            titles.append(store.get_conversation(identifier).title)

        threads = [threading.Thread(target=read, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert titles == ["T"] * 4
    assert meeting.most == 4


@given(st.binary(max_size=40))
def test_whatever_a_service_answers_is_a_value_or_a_protocol_error(content):
    def flow():
        reply = yield GET
        return reply.json()

    for media_type in ("application/json", "text/html", ""):
        reply = Response(200, {"content-type": media_type}, content)
        with contextlib.suppress(ProtocolError):
            run(notes().wrap(flow()), lambda _, reply=reply: reply)
