"""Bad clients over real sockets: each is answered or cut off within the bounds, nothing of them
stays, and honest clients of every surface see no error meanwhile."""

import json
import random
import secrets
import socket
from contextlib import ExitStack
from functools import partial

import pytest
from pydantic import SecretStr
from tests.support.naming import naming

import convostore
from convostore import Message, TextPart
from convostore_gateway import Limits, Token, create_app, running
from convostore_gateway.server.run import listen

from ..support.bad_clients import (
    Honest,
    Watched,
    connected,
    drip,
    heard,
    request,
    statuses,
    told,
    until,
)
from ..support.gateway import client_of, got

pytestmark = pytest.mark.rim

TOKEN = "a-token-that-is-long-enough"
BEARER = {"authorization": f"Bearer {TOKEN}"}
LIMITS = Limits(
    body=64 * 1024,
    head=8 * 1024,
    id=100,
    page=20,
    arrival=20.0,
    departure=20.0,
    idle=40.0,
    connections=30,
)
STEP = 5.0
"""Seconds that pass for the server at once: no honest client comes near a bound by it."""
LARGE = 2**20
"""Characters of an answer that no socket's buffers hold."""
TURNS = 30


@pytest.fixture(scope="module")
def store():
    """A store that answers, with `short`, of 30 messages, and `large`."""
    name = secrets.token_hex(8)
    with convostore.open(f"memory://{name}") as store:
        store.create_conversation(id="short", title="Short")
        store.append_messages("short", [message(f"m{each}") for each in range(TURNS)])
        store.create_conversation(id="large")
        store.append_messages("large", [message("huge", "x" * LARGE)])
    return convostore.aopen(f"echo://{name}")


@pytest.fixture(scope="module")
def watched(store):
    """A gateway that is watched, within bounds that only bad clients meet."""
    tokens = [Token(value=SecretStr(TOKEN), name="tester")]
    watched = Watched(create_app(store, tokens=tokens, limits=LIMITS, viewer=False))
    with watched.counting():
        yield watched


@pytest.fixture(scope="module")
def server(store, watched):
    """Serves it. When its clients have gone, there is no more than there was before they came."""
    listening = listen("127.0.0.1", 0)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGE // 16)  # as its connections'
    server = running(watched, listening=listening, stores=[store], limits=LIMITS)
    with server as url:
        got(f"{url}/healthz")
        until(lambda: server.connections == 0, "a connection is left")
        before = watched.there_is()
        yield server
        until(lambda: server.connections == 0, "a connection is left")
        assert server.requests == 0
        assert watched.there_is() == before


@pytest.fixture(scope="module")
def honest(server):
    """Clients of every surface, who go on asking while others are bad."""
    with Honest([ask_natively, ask_for_chats, ask_for_records], server.url) as honest:
        yield honest


@pytest.fixture
def while_(honest, watched):
    """Lets time pass; honest clients are served all the time, but wait for none meanwhile."""

    def while_():
        with honest.resting():
            watched.advance(STEP)

    return while_


def message(id, text="hello"):
    return Message(id=id, role="user", parts=(TextPart(text=text),))


def ask_natively(client):
    answer = client.get("/v1/conversations/short/messages?limit=5", headers=BEARER)
    assert answer.status_code == 200
    assert len(answer.json()["items"]) == 5


def ask_for_chats(client):
    answer = client.get("/api/chats/short", headers=BEARER)
    assert answer.status_code == 200
    assert answer.json()["chat"]["id"] == "short"


def ask_for_records(client):
    body = {"appId": "0" * 24, "chatId": "short", "offset": 0, "pageSize": 5}
    answer = client.post("/api/core/chat/getPaginationRecords", json=body, headers=BEARER)
    assert answer.status_code == 200
    assert answer.json()["data"]["total"] == TURNS


@pytest.fixture
def url(server, honest):
    """The server's; honest clients see no error meanwhile, and then only they are left."""
    yield server.url
    honest.check()
    until(lambda: server.connections <= 3, "a connection is left")


PATHS = ["/v1/conversations", "/api/chats", "/api/core/chat/getHistories", "/nowhere"]
CHUNKED = "Transfer-Encoding: chunked"


def post(path="/v1/conversations", *headers, body=b""):
    return request("POST", path, *headers, body=body, token=TOKEN)


# Too slow.


def test_a_head_that_comes_too_slowly_is_answered_408(url, while_):
    said = drip(url, b"GET /v1 HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"s", while_)
    assert statuses(said) == [408]


def test_one_who_says_nothing_is_cut_off(url, while_):
    with connected(url) as connection:
        assert heard(connection, while_) == b""


def test_one_who_sends_empty_lines_is_cut_off(url, while_):
    assert drip(url, b"\r\n", b"\r\n", while_) == b""


def test_one_who_rests_too_long_between_two_requests_is_cut_off(url, while_):
    assert statuses(told(url, request("GET", "/healthz"), while_=while_)) == [200]


def test_a_body_that_comes_too_slowly_is_refused(url, while_):
    for path in PATHS[:3]:
        for length, drop in (("Content-Length: 60000", b"x"), (CHUNKED, b"1\r\nx\r\n")):
            with naming(path, length):
                beginning = post(path, length, "Content-Type: application/json")
                said = drip(url, beginning, drop, while_)
                assert len(statuses(said)) == 1
                assert (
                    statuses(said)[0] == 408 if path.startswith("/v1") else statuses(said)[0] >= 400
                )


def test_a_body_that_nobody_wants_keeps_no_connection(url, while_):
    said = told(url, post("/nowhere", "Content-Length: 1000"), while_=while_)
    assert statuses(said) == [404]


def is_left_by_all_but_the_honest(server):
    return server.connections <= 3


def test_one_who_does_not_read_is_cut_off(url, server, while_):
    for path in ("/v1/conversations/large/messages", "/api/chats/large"):
        with naming(path), connected(url, receive_buffer=4096) as connection:
            connection.sendall(request("GET", path, token=TOKEN))
            connection.recv(1, socket.MSG_PEEK)  # the answer has begun
            until(
                partial(is_left_by_all_but_the_honest, server),
                "who does not read is borne for ever",
                while_,
            )
            assert len(heard(connection)) < LARGE


def test_a_reply_whose_client_does_not_read_is_cut_off_and_stored_all_the_same(url, server, while_):
    text = "word " * 12_000 + "end"
    asked = {"conversation_id": "unread", "turn_id": "turn", "content": text}
    sent = post(
        "/v1/replies",
        "Accept: text/event-stream",
        "Content-Type: application/json",
        f"Content-Length: {len(json.dumps(asked))}",
        body=json.dumps(asked).encode(),
    )
    with connected(url, receive_buffer=4096) as connection:
        connection.sendall(sent)
        connection.recv(1, socket.MSG_PEEK)
        until(
            partial(is_left_by_all_but_the_honest, server),
            "who does not read is borne for ever",
            while_,
        )
        assert b"reply_finished" not in heard(connection)
    stored = got(f"{url}/v1/conversations/unread/replies/turn", headers=BEARER)
    assert stored.json()["message"]["parts"][0]["text"] == f"You said: {text}"


# Too large.


HEADS = {
    "one header": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Large: " + b"x" * 300_000 + b"\r\n\r\n",
    "a header without end": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Endless: " + b"x" * 900_000,
    "many headers": b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X-Many: x\r\n" * 2_000 + b"\r\n",
    "path": b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "query": b"GET /?" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
}


def test_a_head_that_is_too_large_is_answered_431(url):
    for name, head in HEADS.items():
        with naming(name):
            assert statuses(told(url, head)) in ([431], [])  # it may be lost while a client sends


def test_a_body_that_is_too_large_is_answered_413_before_it_is_sent(url, while_):
    sent = post(PATHS[0], f"Content-Length: {2**40}", "Content-Type: application/json")
    assert statuses(told(url, sent, while_=while_)) == [413]


def test_a_body_that_turns_out_too_large_is_answered_413(url, while_):
    chunk = b"1000\r\n" + b" " * 4096 + b"\r\n"
    sent = post("/v1/conversations", CHUNKED, "Content-Type: application/json", body=chunk * 20)
    assert statuses(told(url, sent, while_=while_)) == [413]


def test_a_chunked_body_without_end_that_holds_nothing_is_refused(url):
    trailers = b"0\r\nX-Endless: " + b"x" * 1_000_000
    assert statuses(told(url, post("/v1/conversations", CHUNKED, body=trailers))) in ([400], [])


# Lies, and what is no HTTP.


def test_a_body_that_is_longer_than_it_says_is_two_requests_of_which_one_is_none(url):
    said = told(url, request("GET", "/healthz", "Content-Length: 2", body=b"{}{}{}{}\r\n\r\n"))
    assert statuses(said) in ([200, 400], [200])


def test_one_who_hangs_up_within_a_body_leaves_nothing(url):
    for path in PATHS:
        told(url, post(path, "Content-Length: 1000", body=b'{"id": '), hang_up=True)


NO_HTTP = {
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
    "nul": b"\x00" * 100,
    "words": b"hello\r\n\r\n",
    "no path": b"GET\r\n\r\n",
    "version": b"GET / HTTP/9.9\r\n\r\n",
    "header": b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
    "bytes in the path": b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    "connect": b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a negative length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "a word as length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\n"
    b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "length and chunks": b"POST / HTTP/1.1\r\nHost: x\r\n"
    b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
    "no chunk": b"POST /v1/clear HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
}


def test_what_is_no_http_is_answered_400_and_the_connection_ends(url):
    for name, sent in NO_HTTP.items():
        with naming(name):
            said = told(url, sent)
            assert statuses(said) == [400]
            assert b"Traceback" not in said


def test_what_is_asked_before_garbage_is_answered(url):
    said = told(url, request("GET", "/healthz") + b"\x00garbage\r\n\r\n" * 1000)
    assert statuses(said)[:1] == [200]
    assert len(statuses(said)) <= 2


def test_of_very_many_requests_at_once_a_few_are_answered(url):
    said = statuses(told(url, request("GET", "/healthz") * 5_000))
    assert set(said) == {200}
    assert len(said) < 100


def test_a_few_requests_at_once_are_answered_in_their_order(url):
    sent = request("GET", "/healthz") + request("GET", "/nowhere")
    sent += request("GET", "/healthz", "Connection: close")
    assert statuses(told(url, sent)) == [200, 404, 200]


def test_an_upgrade_that_is_not_offered_is_answered_as_a_plain_request(url):
    sent = request("GET", "/healthz", "Connection: Upgrade, close", "Upgrade: websocket")
    assert statuses(told(url, sent)) == [200]


def test_noise_leaves_nothing(url):
    noise = random.Random(6)  # the same each time
    valid = post(body=b'{"id": "noise"}')
    for _ in range(20):
        sent = bytearray(valid)
        for _ in range(noise.randint(1, 8)):
            sent[noise.randrange(len(sent))] = noise.randrange(256)
        told(url, bytes(sent), hang_up=True)


# Too many.


def test_who_comes_over_too_many_is_answered_503_and_honest_clients_go_on(url, while_):
    with ExitStack() as stack:
        silent = [stack.enter_context(connected(url)) for _ in range(LIMITS.connections)]
        said = told(url, request("GET", "/healthz"))
        assert statuses(said) == [503]
        assert b"retry-after" in said
        more = [stack.enter_context(connected(url)) for _ in range(2 * LIMITS.connections)]
        for each in (*silent, *more):
            assert heard(each, while_) == b""


# Right HTTP, and nothing that could be meant.

BODIES = {
    "no-json": b"{",
    "no-object": b"[]",
    "null": b"null",
    "empty": b"",
    "no-utf-8": b'{"id": "\xff\xfe"}',
    "deep": b'{"id": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "deep-unclosed": b'{"a":' * 5_000,
    "long-number": b'{"id": ' + b"9" * 20_000 + b"}",
    "infinite": b'{"id": 1e999}',
    "wrong-types": b'{"id": {"a": 1}, "title": [], "appId": 7, "chatId": [], "pageSize": "x"}',
    "nul": b'{"id": "a\\u0000b", "appId": "a\\u0000b", "chatId": "a\\u0000b"}',
    "surrogate": b'{"id": "\\ud800", "appId": "\\ud800", "chatId": "\\ud800"}',
    "huge-page": b'{"appId": "x", "chatId": "short", "offset": 0, "pageSize": 1e15}',
    "long-id": json.dumps({"id": "x" * 2000, "chatId": "x" * 2000, "appId": "x"}).encode(),
}
PLACES = [
    "/v1/conversations",
    "/v1/conversations/short/messages",
    "/v1/replies",
    "/api/core/chat/getHistories",
    "/api/core/chat/getPaginationRecords",
    "/api/core/chat/updateHistory",
    "/api/v1/chat/completions",
]


def test_a_body_that_cannot_be_meant_is_refused_in_the_words_of_each_surface(url):
    headers = BEARER | {"content-type": "application/json"}
    with client_of(url, headers=headers) as client:
        for name, body in BODIES.items():
            for place in PLACES:
                with naming(name, place):
                    answer = client.post(place, content=body)
                    assert b"Traceback" not in answer.content
                    assert b"failed inside" not in answer.content
                    if place.startswith("/v1"):
                        assert answer.json() is not None
                        assert answer.status_code in {201, 400, 501}


PARTS = [
    "%00",
    "a%00b",
    "%ff%fe",
    "%zz",
    "%",
    "%ed%a0%80",
    "..%2f..",
    "x" * 1500,
    "%2e%2e",
    "%0d%0a",
]


def test_a_path_that_can_be_none_is_refused_or_not_there(url):
    for part in PARTS:
        for path in (
            f"/v1/conversations/{part}",
            f"/v1/conversations/{part}/messages",
            f"/v1/{part}",
            f"/api/chats/{part}",
            f"/api/core/chat/{part}",
            f"/{part}",
        ):
            with naming(path):
                said = told(url, request("GET", path, "Connection: close", token=TOKEN))
                (status,) = statuses(said)
                assert status in ({400, 404} if path.startswith("/v1") else {400, 403, 404, 500})
                assert b"failed inside" not in said
                assert b"Traceback" not in said


SIZES = ("99999999999999999999", "-1", "0", "x", "1e9", "٣", "9" * 5000)


def test_a_page_of_any_size_stays_within_the_bounds(url):
    with client_of(url, headers=BEARER) as client:
        for limit in SIZES:
            with naming(limit):
                answer = client.get("/v1/conversations/short/messages", params={"limit": limit})
                assert answer.status_code in {200, 400}
                if answer.status_code == 200:
                    assert len(answer.json()["items"]) <= LIMITS.page


WRONG = (
    "",
    "Bearer",
    "Bearer ",
    "Bearer wrong",
    f"Bearer {TOKEN[:-1]}",
    f"Bearer {TOKEN}x",
    f"Bearer {TOKEN.upper()}",
    f"Basic {TOKEN}x",
    "Bearer \xff\xfe",
    "Bearer " + "x" * 5000,
)


def test_a_wrong_token_is_admitted_nowhere(url):
    for authorization in WRONG:
        for method, path in (
            ("GET", "/v1/conversations"),
            ("GET", "/api/chats"),
            ("POST", "/api/core/chat/getHistories"),
        ):
            with naming(authorization, path):
                headers = [f"Authorization: {authorization}", "Connection: close"]
                said = told(url, request(method, path, *headers))
                assert statuses(said)[0] in {401, 403, 500}
                assert b"Short" not in said
                assert authorization[7:].encode("latin-1") not in said or not authorization[8:]
