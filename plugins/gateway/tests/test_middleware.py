"""What surrounds every answer: security headers, whose pages may call, and nothing of what is
inside in any answer or log, whatever a store's failure says."""

import asyncio
import json
import logging
import secrets

import httpx
import pytest
from pydantic import SecretStr

import convostore
from convostore import (
    AuthError,
    ConflictError,
    ProtocolError,
    RateLimitError,
    StoreError,
    UnavailableError,
)
from convostore.adapters.memory import MemoryAdapter
from convostore.dsn import DSN
from convostore.store import AsyncConversationStore
from convostore_gateway import Limits, Token, create_app
from convostore_gateway.middleware import SECURITY, SecurityMiddleware

TOKEN = "a-token-that-is-long-enough"
BEARER = {"authorization": f"Bearer {TOKEN}"}
INSIDES = [
    "swordfish",
    "postgresql://",
    "10.1.2.3",
    "/etc/convostore",
    "Traceback",
    'File "',
    "site-packages",
    TOKEN,
]
TOLD = "no way to postgresql://me:swordfish@10.1.2.3/db in /etc/convostore/secret.toml"
APP = "0123456789abcdef01234567"


def ask(application, method, path, *, base_url="http://localhost", **more):
    """One request, without a socket."""
    return ask_all(application, [(method, path, more)], base_url)[0]


def ask_all(application, requests, base_url="http://localhost"):
    """Several, in one event loop."""

    async def asking():
        transport = httpx.ASGITransport(application, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=base_url) as client:
            return [await client.request(method, path, **more) for method, path, more in requests]

    return asyncio.run(asking())


def opened(**options):
    return create_app(
        convostore.aopen(f"memory://{secrets.token_hex(8)}"),
        **{"open_access": "tokens" not in options, "viewer": False} | options,
    )


# Headers.


@pytest.mark.parametrize(
    "path", ["/healthz", "/v1", "/v1/nothing", "/api/chats", "/api/core/chat/x", "/nowhere"]
)
def test_every_answer_has_security_headers(path):
    answer = ask(opened(), "GET", path)
    for name in set(SECURITY) - {"cache-control"}:
        assert answer.headers[name], name
    assert "no-" in answer.headers["cache-control"]
    assert "access-control-allow-origin" not in answer.headers


# Whose pages.

STRANGER = {"origin": "https://stranger.example"}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        STRANGER,
        {"origin": "null"},
        {"origin": "http://localhost:81"},
        {"origin": "http://localhost.stranger.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        [("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")],
        [("origin", "http://localhost"), ("origin", "https://stranger.example")],
    ],
)
def test_a_strangers_page_may_change_nothing(method, headers):
    answer = ask(opened(), method, "/v1/conversations", headers=headers, json={})
    assert answer.status_code == 403
    assert "stranger" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        STRANGER,
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    ],
)
@pytest.mark.parametrize("path", ["/api/core/chat/history/clearHistories", "/v1/export"])
def test_a_strangers_page_may_not_even_get_as_some_services_delete_by_it(headers, path):
    answer = ask(opened(), "GET", f"{path}?appId={APP}", headers=headers)
    assert answer.status_code == 403


def test_a_link_on_any_page_leads_to_the_viewer():
    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    gateway = opened(viewer=True)
    assert ask(gateway, "GET", "/", headers=followed).status_code == 307
    assert ask(gateway, "GET", "/viewer/", headers=followed).status_code == 200
    assert ask(gateway, "POST", "/viewer/", headers=followed).status_code == 403
    assert ask(gateway, "GET", "/viewers", headers=followed).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://localhost"},
        {"origin": "https://localhost"},
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
    ],
)
def test_programs_and_our_own_pages_may(headers):
    assert ask(opened(), "POST", "/v1/conversations", headers=headers, json={}).status_code == 201


def test_an_origin_that_is_named_may_call_and_others_may_not():
    gateway = opened(cors=["https://ours.example"])
    ours = {"origin": "https://ours.example"}
    answer = ask(gateway, "POST", "/v1/conversations", headers=ours, json={})
    assert answer.status_code == 201
    assert answer.headers["access-control-allow-origin"] == "https://ours.example"
    asked = {"access-control-request-method": "DELETE"}
    assert ask(gateway, "OPTIONS", "/v1", headers=ours | asked).status_code == 200
    assert ask(gateway, "OPTIONS", "/v1", headers=STRANGER | asked).status_code == 403
    answer = ask(gateway, "GET", "/v1", headers=STRANGER)
    assert "access-control-allow-origin" not in answer.headers
    refused = ask(gateway, "POST", "/v1/conversations", headers=STRANGER, json={})
    assert refused.status_code == 403


@pytest.mark.parametrize(
    ("base", "status"),
    [
        ("http://localhost", 200),
        ("http://LOCALHOST:8000", 200),
        ("http://[::1]:8000", 200),
        ("http://[::1]", 200),
        ("http://stranger.example", 403),
        ("http://localhost.stranger.example:8000", 403),
    ],
)
def test_a_name_that_is_not_served_is_refused(base, status):
    gateway = opened(hosts=["localhost", "[::1]"])
    assert ask(gateway, "GET", "/v1", base_url=base).status_code == status


# Nothing of what is inside.


class Failing(MemoryAdapter):
    """Fails in every operation, and says much."""

    error = RuntimeError(TOLD)

    def _fail(self, *_):
        raise type(self).error
        yield

    list_conversations = get_conversation = list_messages = create_conversation = _fail
    append_messages = update_conversation = delete_conversation = search = _fail
    delete_message = set_feedback = clear_conversations = fork_conversation = _fail
    replace_messages = put_conversation = delete_conversations = check = _fail


ERRORS = [
    RuntimeError(TOLD),
    OSError(2, TOLD, "/etc/convostore/x"),
    KeyError(TOLD),
    TimeoutError(TOLD),
    ConnectionResetError(TOLD),
    RecursionError(TOLD),
    UnavailableError(TOLD, adapter="postgresql", detail=TOLD),
    ProtocolError(TOLD, adapter="postgresql", excerpt=TOLD, detail=TOLD),
    AuthError(TOLD, adapter="postgresql", detail=TOLD),
    RateLimitError(TOLD, adapter="postgresql", detail=TOLD),
    StoreError(TOLD, adapter="postgresql", detail=TOLD),
]
REQUESTS = [
    ("GET", "/v1/check", None),
    ("GET", "/v1/conversations", None),
    ("GET", "/v1/conversations/c", None),
    ("GET", "/v1/conversations/c/messages", None),
    ("POST", "/v1/conversations", {}),
    ("DELETE", "/v1/conversations/c", None),
    ("GET", "/v1/search?q=x", None),
    ("GET", "/v1/export", None),
    ("GET", "/api/chats", None),
    ("GET", "/api/chats/c", None),
    ("DELETE", "/api/chats/c", None),
    ("POST", "/api/core/chat/getHistories", {"appId": APP, "offset": 0, "pageSize": 5}),
    ("POST", "/api/core/chat/updateHistory", {"appId": APP, "chatId": "c", "title": "x"}),
    ("GET", f"/api/core/chat/init?appId={APP}&chatId=c", None),
    (
        "POST",
        "/api/v1/chat/completions",
        {"chatId": "c", "messages": [{"role": "user", "content": "x"}]},
    ),
    ("GET", "/readyz", None),
    ("GET", "/viewer/", None),
    ("GET", "/viewer/conversations/c", None),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_whatever_a_store_says_of_its_inside_is_in_no_answer_and_no_log(error, caplog, capfd):
    class Failed(Failing):
        pass

    Failed.error = error
    adapter = Failed(DSN.parse("memory://"), MemoryAdapter.Options())
    store = AsyncConversationStore(adapter, adapter.async_transport())
    gateway = create_app(store, tokens=[Token(value=SecretStr(TOKEN))])
    requests = [
        (method, path, {"json": body, "headers": BEARER}) for method, path, body in REQUESTS
    ]
    with caplog.at_level(logging.DEBUG, logger="convostore"):
        answers = ask_all(gateway, requests)
    for answer in answers:
        assert not answer.is_success or '"message"' in answer.text, answer.request.url
    if not isinstance(error, StoreError):
        assert caplog.text.count(type(error).__name__) >= len(REQUESTS) - 3
    told = "\n".join([*(each.text for each in answers), caplog.text, *capfd.readouterr()])
    for inside in INSIDES:
        assert inside not in told, inside


def test_what_a_conflict_says_is_told_as_it_is_for_the_caller():
    class Failed(Failing):
        error = ConflictError("the conversation 'c' is there already")

    adapter = Failed(DSN.parse("memory://"), MemoryAdapter.Options())
    store = AsyncConversationStore(adapter, adapter.async_transport())
    gateway = create_app(store, open_access=True, viewer=False)
    answer = ask(gateway, "POST", "/v1/conversations", json={"id": "c"})
    assert answer.status_code == 409
    assert "is there already" in answer.json()["detail"]


# The access log, and clients that go away.


def logged(caplog, gateway, *request, **more):
    with caplog.at_level(logging.INFO, logger="convostore.gateway.access"):
        ask(gateway, *request, **more)
    return [json.loads(each.message) for each in caplog.records if each.name.endswith("access")]


def test_each_request_is_one_line_that_tells_who_asked_and_not_what(caplog):
    gateway = opened(tokens=[Token(value=SecretStr(TOKEN), name="ops")])
    (line,) = logged(
        caplog, gateway, "GET", "/api/chats?q=private", headers=BEARER | {"x-private": "private"}
    )
    assert (line["method"], line["path"], line["status"]) == ("GET", "/api/chats", 200)
    assert (line["surface"], line["token"]) == ("perplexica", "ops")
    assert line["bytes"] == len('{"chats":[]}')
    assert "private" not in caplog.text
    assert TOKEN not in caplog.text


def test_a_path_cannot_forge_a_line(caplog):
    (line,) = logged(caplog, opened(), "GET", "/v1/a%0a%7b%22status%22:200%7d")
    assert line["path"] == '/v1/a\n{"status":200}'
    assert "\n" not in caplog.records[-1].message


def answered(application, *, send, receive=None, limits=None):
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "state": {}}

    async def nothing():
        await asyncio.Event().wait()

    asyncio.run(
        SecurityMiddleware(application, limits or Limits())(scope, receive or nothing, send)
    )


async def greeting(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello", "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def test_a_client_that_reads_too_slowly_is_given_up_by_any_server(caplog):
    sent = []

    async def send(message):
        sent.append(message["type"])
        if len(sent) > 1:
            await asyncio.Event().wait()

    with caplog.at_level(logging.DEBUG, logger="convostore.gateway"):
        answered(greeting, send=send, limits=Limits(departure=0.01))
    assert sent == ["http.response.start", "http.response.body"]
    assert [each.levelname for each in caplog.records] == ["INFO"]  # the access log's


def test_a_client_that_went_away_is_no_error(caplog):
    async def send(message):
        raise ConnectionResetError

    with caplog.at_level(logging.DEBUG, logger="convostore.gateway"):
        answered(greeting, send=send)
    assert json.loads(caplog.records[0].message)["status"] in {200, 499}
    assert len(caplog.records) == 1


def test_an_error_that_only_looks_like_a_client_that_went_away_is_answered_500():
    async def failing(scope, receive, send):
        raise ConnectionResetError(TOLD)

    sent = []

    async def send(message):
        sent.append(message)

    answered(failing, send=send)
    assert sent[0]["status"] == 500
    assert TOLD.encode() not in sent[1]["body"]
