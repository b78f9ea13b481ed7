"""What it takes to talk to a server on loopback: both faces, and streams as a server sends them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

import convostore
from convostore.http import Request, Response
from convostore.testing import clock
from convostore.testing.loopback import serve
from convostore.testing.wire_faults.server import Fault

from .service import JSON_TYPE, MODELS
from .streams import recorded, stored

PAGE = Response(404, {"content-type": "text/html"}, b"<!DOCTYPE html><html></html>")
ABSENT = Response(404, JSON_TYPE, b'{"message":"Chat not found"}')
OPTIONS = MODELS | {"retries": 0, "verify": False}


def streaming(chunks: Sequence[bytes], then: str = "end") -> Fault:
    """Return a stream as the service sends it, each piece in a frame of its own.

    Args:
        chunks: The pieces.
        then: ``end`` ends it well; else as in `Fault`.
    """
    sent = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    sent += b"".join([b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks if chunk])
    if then == "end":
        return Fault("whole", sent + b"0\r\n\r\n", "keep")
    return Fault(then, sent, then)


def _target(url: str) -> str:
    return f"perplexica+http://{urlsplit(url).netloc}"


class SyncTalk:
    """A store as `convostore.open` gives it."""

    name = "sync"

    def __init__(self, url: str, **options: object) -> None:
        self.store = convostore.open(_target(url), **OPTIONS | options)

    def __enter__(self):
        return self

    def __exit__(self, *raised) -> None:
        self.store.close()

    def call(self, operation: str, *args, **options):
        return getattr(self.store, operation)(*args, **options)

    def offers(self, operation: str) -> bool:
        return self.store.offers(operation)

    def read_stream(self, operation: str, *args, stop_after: int | None = None, **options):
        """Return a stream's events and the stream, read to its end, or left after some events."""
        events = []
        with getattr(self.store, operation)(*args, **options) as stream:
            for event in stream:
                events.append(event)
                if len(events) == stop_after:
                    break
        return events, stream


class AsyncTalk:
    """A store as `convostore.aopen` gives it, called like `SyncTalk`.

    Its loop is its own, and goes by the clock that is kept.
    """

    name = "async"

    def __init__(self, url: str, **options: object) -> None:
        self.store = convostore.aopen(_target(url), **OPTIONS | options)
        kept = clock.current()
        self._runner = asyncio.Runner(loop_factory=kept and kept.new_event_loop)

    def __enter__(self):
        return self

    def __exit__(self, *raised) -> None:
        self._runner.run(self.store.aclose())
        self._runner.run(self._nothing_is_left())
        self._runner.close()

    async def _nothing_is_left(self) -> None:
        assert asyncio.all_tasks() == {asyncio.current_task()}

    def call(self, operation: str, *args, **options):
        async def call():
            return await getattr(self.store, operation)(*args, **options)

        return self._runner.run(call())

    def offers(self, operation: str) -> bool:
        return self.store.offers(operation)

    def read_stream(self, operation: str, *args, stop_after: int | None = None, **options):
        async def read():
            events = []
            async with getattr(self.store, operation)(*args, **options) as stream:
                async for event in stream:
                    events.append(event)
                    if len(events) == stop_after:
                        break
            return events, stream

        return self._runner.run(read())


TALKS = [SyncTalk, AsyncTalk]


class Replayed:
    """Answers as the service did around one recorded stream.

    Before the turn was sent, its chat is as `before` says, and afterwards as it was stored.

    Attributes:
        requests: What was asked, in order.
        sent: The bodies of the turns.
    """

    def __init__(
        self,
        case: str,
        *,
        before: Response = ABSENT,
        after: Response | None = None,
        stream: Fault | Response | None = None,
    ) -> None:
        self.case = case
        self.version = case.partition("/")[0]
        self.recording = recorded(case)
        self.requests: list[str] = []
        self.sent: list[object] = []
        self._before = before
        self._after = after or _stored_response(case)
        self._stream = stream or streaming(self.recording.chunks)

    def __call__(self, request: Request) -> Response | Fault:
        self.requests.append(f"{request.method} {request.path}")
        if request.path == "/api/chat":
            self.sent.append(request.json)
            return self._stream
        if request.path.startswith("/api/chats/"):
            return self._after if self.sent else self._before
        return probed(self.version, request)

    @property
    def turn(self) -> dict:
        """Whose turn it was, as a store is told."""
        message = self.recording.request["message"]
        return {
            "conversation_id": message["chatId"],
            "content": message["content"],
            "turn_id": message["messageId"],
            **options_of(self.recording.request),
        }


def _stored_response(case: str) -> Response:
    body = stored(case)
    return ABSENT if body is None else Response(200, JSON_TYPE, json.dumps(body).encode())


def options_of(body: dict) -> dict:
    """Return the options by which a recorded turn was sent."""
    found = {
        "chat_model": "/".join(body["chatModel"].values()),
        "embedding_model": "/".join(body["embeddingModel"].values()),
        "optimization_mode": body["optimizationMode"],
        "files": body["files"],
    }
    if "sources" in body:
        return found | {"sources": body["sources"]}
    return found | {"focus_mode": body["focusMode"]}


_PROBES = {"/api": "api_root", "/api/models": "probe_models"}


def probed(version: str, request: Request) -> Response:
    """Return a version's answers to the requests that detect it; no other is recorded."""
    name = _PROBES.get(request.path)
    if request.method == "POST" and request.path.startswith("/api/reconnect/"):
        name = "probe_reconnect"
    if name is None:
        raise LookupError(f"{request.method} {request.path} was not recorded")
    return recorded(f"{version}/{name}").response


@contextmanager
def talking(talk, handler: Callable[[Request], object], **options: object):
    """Yield a store of one face on a server that answers so and never fails."""
    server = serve(handler)
    with server as url, talk(url, **options) as store:
        yield store
    assert server.errors == []
