"""What it takes to talk to a server on loopback: both faces, and streams as a server sends them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.support.faces import PlainStore

from convostore.http import Request, Response
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


def open_at(face, url: str, **options: object) -> PlainStore:
    """Open a store on a face."""
    return PlainStore(face, _target(url), **OPTIONS | options)


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
