"""The app over ASGI: what browsers get, what they do not get, and what if they leave."""

import asyncio
import contextlib
import importlib.util
import inspect
import json
import secrets
import socket
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

import convostore
from convostore import Message
from convostore.http import Request
from convostore.testing.loopback import serve

TOKENS = {"ann": "a token of Ann", "bob": "a token of Bob"}
HALF = "half \ud83c"


def load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[file.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


app = load(Path(__file__).parent.parent / "chat_app.py").app


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    users = {sha256(token.encode()).hexdigest(): user for user, token in TOKENS.items()}
    monkeypatch.setenv("CHAT_USERS", json.dumps(users))
    monkeypatch.setenv("CHAT_STORE", f"echo://{secrets.token_hex(8)}")
    for name in ("CHAT_MODEL_URL", "CHAT_MODEL", "CHAT_MODEL_KEY"):
        monkeypatch.delenv(name, raising=False)


@contextlib.asynccontextmanager
async def running() -> AsyncGenerator[Callable[[str], httpx.AsyncClient]]:
    """Run the app; give a function that makes a user's browser."""

    def browser(user: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://chat.test",
            headers={"Authorization": f"Bearer {TOKENS.get(user, user)}"},
        )

    async with app.router.lifespan_context(app):
        yield browser


def in_browsers(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test with a browser of each of the users that its arguments name."""

    async def run() -> None:
        async with running() as browser, contextlib.AsyncExitStack() as browsers:
            users = inspect.signature(test).parameters
            await test(*[await browsers.enter_async_context(browser(user)) for user in users])

    def wrapped() -> None:
        asyncio.run(run())

    return wrapped


async def ask(browser: httpx.AsyncClient, text: str, **more: str) -> list[tuple[str, Any]]:
    body = json.dumps({"text": text, **more})  # in ASCII, as it may hold half a character
    headers = {"content-type": "application/json"}
    answer = await browser.post("/messages", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return list(events(answer.text))


def events(text: str) -> Iterator[tuple[str, Any]]:
    for frame in text.split("\n\n"):
        if frame and not frame.startswith(":"):
            event, data = frame.split("\n")
            yield event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def begin(browser: httpx.AsyncClient, text: str) -> str:
    """Ask a question, and return the id of the conversation that it begins."""
    (_, ids), *_ = await ask(browser, text)
    return ids["conversation_id"]


async def texts(browser: httpx.AsyncClient, conversation_id: str) -> list[str]:
    page = await browser.get(f"/conversations/{conversation_id}/messages")
    return [message["text"] for message in page.json()["items"]]


@in_browsers
async def test_an_answer_is_streamed_and_kept(ann: httpx.AsyncClient) -> None:
    (started, ids), *deltas, (finished, message) = await ask(ann, "Hello")
    assert (started, finished) == ("started", "finished")
    assert "".join(data["text"] for _, data in deltas) == "You said: Hello"
    assert {kind for kind, _ in deltas} == {"text_delta"}
    listed = (await ann.get("/conversations")).json()
    assert [item["title"] for item in listed["items"]] == ["Hello"]
    assert listed["items"][0]["id"] == ids["conversation_id"]
    assert await texts(ann, ids["conversation_id"]) == ["Hello", "You said: Hello"]
    found = await ann.get(f"/conversations/{ids['conversation_id']}/replies/{ids['turn_id']}")
    assert found.json()["id"] == message["message_id"]


@in_browsers
async def test_a_conversation_is_continued(ann: httpx.AsyncClient) -> None:
    conversation_id = await begin(ann, "Hello")
    await ask(ann, "More", conversation_id=conversation_id)
    answers = await texts(ann, conversation_id)
    assert answers == ["Hello", "You said: Hello", "More", "You said: More"]


@in_browsers
async def test_lists_come_in_pages(ann: httpx.AsyncClient) -> None:
    ids = {await begin(ann, text) for text in ("one", "two", "three")}
    first = (await ann.get("/conversations?limit=2")).json()
    second = (await ann.get("/conversations", params={"cursor": first["cursor"]})).json()
    assert {item["id"] for item in first["items"] + second["items"]} == ids
    assert second["cursor"] is None


@in_browsers
async def test_a_search_marks_what_it_finds(ann: httpx.AsyncClient) -> None:
    await begin(ann, "When is high tide?")
    await begin(ann, "Where is north?")
    hits = (await ann.get("/search?q=tide")).json()["items"]
    assert [hit["conversation"]["title"] for hit in hits] == ["When is high tide?"] * 3
    for hit in hits:
        ((start, end),) = hit["snippet"]["marks"]
        assert hit["snippet"]["text"][start:end] == "tide"


@in_browsers
async def test_a_fork_ends_with_its_message(ann: httpx.AsyncClient) -> None:
    original = await begin(ann, "Hello")
    await ask(ann, "More", conversation_id=original)
    page = (await ann.get(f"/conversations/{original}/messages")).json()
    body = {"message_id": page["items"][1]["id"]}
    fork = (await ann.post(f"/conversations/{original}/fork", json=body)).json()
    assert await texts(ann, fork["id"]) == ["Hello", "You said: Hello"]
    assert len(await texts(ann, original)) == 4


@in_browsers
async def test_no_user_reaches_what_another_has(
    ann: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    (_, ids), *_, (_, message) = await ask(ann, "Hello")
    path = f"/conversations/{ids['conversation_id']}"
    question = {"text": "And?", "conversation_id": ids["conversation_id"]}
    refused = [
        await bob.get(f"{path}/messages"),
        await bob.get(f"{path}/replies/{ids['turn_id']}"),
        await bob.post(f"{path}/fork", json={"message_id": message["message_id"]}),
        await bob.post("/messages", json=question),
    ]
    assert [answer.status_code for answer in refused] == [404] * 4
    assert (await bob.get("/search?q=hello")).json()["items"] == []
    await bob.delete(path)
    await bob.delete("/conversations")
    assert await texts(ann, ids["conversation_id"]) == ["Hello", "You said: Hello"]


@in_browsers
async def test_a_user_deletes_everything_of_their_own(
    ann: httpx.AsyncClient, bob: httpx.AsyncClient
) -> None:
    for browser in (ann, bob):
        await begin(browser, "one")
        await begin(browser, "two")
    assert (await ann.delete("/conversations")).status_code == 204
    assert (await ann.get("/conversations")).json()["items"] == []
    assert (await ann.get("/search?q=one")).json()["items"] == []
    assert len((await bob.get("/conversations")).json()["items"]) == 2


@in_browsers
async def test_one_conversation_is_deleted(ann: httpx.AsyncClient) -> None:
    gone, kept = await begin(ann, "one"), await begin(ann, "two")
    assert (await ann.delete(f"/conversations/{gone}")).status_code == 204
    assert [item["id"] for item in (await ann.get("/conversations")).json()["items"]] == [kept]


@in_browsers
async def test_browsers_get_only_the_fields_of_the_models(ann: httpx.AsyncClient) -> None:
    history: convostore.AsyncConversationStore = app.state.store.with_namespace("ann")
    source = convostore.Source(title="Tides", content="a passage", raw={"secret": 1}, mark="1")
    message = Message.assistant("At noon [1].", id="m", sources=[source], raw={"secret": 2})
    await history.create_conversation(id="c", title="Tides", metadata={"secret": 3})
    await history.append_messages("c", [message])
    fork = await ann.post("/conversations/c/fork", json={"message_id": "m"})
    assert fork.json().keys() == {"id", "title", "pinned", "last_active_at"}
    forked = await history.get_conversation(fork.json()["id"])
    assert forked.origin is not None  # it names the store, and the fork's answer does not
    shown = (await ann.get("/conversations/c/messages")).json()["items"][0]
    assert shown["sources"] == [{"title": "Tides", "url": None, "mark": "1"}]
    hits = await ann.get("/search?q=noon")
    assert "At noon" in hits.text
    for text in (fork.text, json.dumps(shown), hits.text):
        assert "secret" not in text
        assert forked.origin.store not in text


@in_browsers
async def test_half_a_character_does_not_hide_the_rest(ann: httpx.AsyncClient) -> None:
    history: convostore.AsyncConversationStore = app.state.store.with_namespace("ann")
    await history.create_conversation(id="c", title=HALF)
    await history.append_messages("c", [Message.assistant(HALF)])
    assert (await ann.get("/conversations")).json()["items"][0]["title"] == HALF
    assert await texts(ann, "c") == [HALF]
    answer = await ask(ann, HALF)
    assert answer[-1][0] == "finished"


@in_browsers
async def test_an_answer_that_fails_says_so_without_details(ann: httpx.AsyncClient) -> None:
    *_, last = await ask(ann, "fail")
    assert last == ("failed", {"error": "UnavailableError"})


@in_browsers
async def test_errors_of_the_store_have_a_status(ann: httpx.AsyncClient) -> None:
    question = {"text": "Hello", "conversation_id": "absent"}
    absent = await ann.post("/messages", json=question)
    assert (absent.status_code, absent.json()) == (404, {"error": "NotFoundError"})
    assert (await ann.get("/conversations")).json()["items"] == []
    wrong = await ann.get("/conversations?cursor=wrong")
    assert (wrong.status_code, wrong.json()) == (422, {"error": "InvalidError"})
    empty = await ann.post("/messages", json={"text": " "})
    assert (empty.status_code, empty.json()) == (422, {"detail": "the question is empty"})
    unknown = await ann.get("/conversations/absent/replies/absent")
    assert unknown.status_code == 404


def test_a_request_without_a_known_token_is_refused() -> None:
    async def run() -> None:
        async with running() as browser, browser("an unknown token") as stranger:
            assert (await stranger.get("/conversations")).status_code == 401
            del stranger.headers["Authorization"]
            assert (await stranger.get("/conversations")).status_code in {401, 403}

    asyncio.run(run())


def test_a_store_that_cannot_reply_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHAT_STORE", "memory://")

    async def run() -> None:
        async with running():
            pass

    with pytest.raises(convostore.UnsupportedError, match="stream_reply"):
        asyncio.run(run())


class Model:
    """An OpenAI-compatible model that ends its answer only when it is let."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.asked: list[Request] = []

    def __call__(self, request: Request) -> "Model":
        self.asked.append(request)
        return self

    def write_to(self, connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        connection.sendall(chunk("Good"))
        self.may_end.wait(30)
        connection.sendall(chunk(" morning", "stop") + b"data: [DONE]\n\n")
        return False


def chunk(text: str, finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
    return f"data: {json.dumps({'id': 'x', 'model': 'm', 'choices': [choice]})}\n\n".encode()


async def ask_and_leave(text: str) -> None:
    """Post a question as a browser does that disconnects when it has seen the first words."""
    body = json.dumps({"text": text}).encode()
    to_app = asyncio.Queue[dict[str, Any]]()
    to_app.put_nowait({"type": "http.request", "body": body})

    async def send(message: dict[str, Any]) -> None:
        if b"event: text_delta" in message.get("body", b""):
            to_app.put_nowait({"type": "http.disconnect"})

    headers = {"content-type": "application/json", "authorization": f"Bearer {TOKENS['ann']}"}
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/messages",
        "raw_path": b"/messages",
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, to_app.get, send)


@pytest.mark.rim
def test_a_browser_that_leaves_finds_the_whole_answer_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model()
    monkeypatch.setenv("CHAT_STORE", f"sqlite:///{tmp_path}/chats.db")
    monkeypatch.setenv("CHAT_MODEL", "m")
    monkeypatch.setenv("CHAT_MODEL_KEY", "not a real key")

    async def leave() -> None:
        async with running():
            try:
                await ask_and_leave("Hello")
                assert app.state.answers
            finally:
                model.may_end.set()  # stopping the app waits for what is being answered

    async def come_back() -> None:
        async with running() as browser, browser("ann") as ann:
            (conversation,) = (await ann.get("/conversations")).json()["items"]
            assert await texts(ann, conversation["id"]) == ["Hello", "Good morning"]
            page = (await ann.get(f"/conversations/{conversation['id']}/messages")).json()
            assert page["items"][-1]["status"] == "complete"

    with serve(model) as url:
        monkeypatch.setenv("CHAT_MODEL_URL", f"{url}/v1")
        asyncio.run(leave())
        asyncio.run(come_back())
    (asked,) = model.asked
    assert dict(asked.headers)["authorization"] == "Bearer not a real key"
    assert asked.json["model"] == "m"
