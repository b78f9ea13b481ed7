"""A real server that fails on the wire: it resets, breaks off, drips, stalls, lies about lengths.

It shows what a stand-in in the same process cannot: that nothing hangs past its time-out, that no
connection is left, that a write leaves once. A fault is a value: what is sent and how it ends.
`FAULTS` has those that every client meets some day.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Final, Literal, TypeAlias

from ...http import Request, Response
from .. import clock
from ..loopback import FRAMING_HEADERS, LoopbackServer, WireAnswer
from ..transports import Service

__all__ = [
    "BREAKS",
    "DELAYS",
    "FAULTS",
    "LIMITS",
    "NO_HTTP",
    "NO_JSON",
    "REFUSALS",
    "Ending",
    "Fault",
    "FaultServer",
    "RefusingServer",
    "Repeat",
    "encode_chunks",
    "redirect",
    "response_head",
    "whole_answer",
]

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

_INSTANT: Final = 0.01
"""Seconds of an `AutojumpClock` for each sending without a pause."""
_GLANCE: Final = 0.001
"""Seconds for which a client is looked at whose time does not pass by itself."""

Ending: TypeAlias = Literal["close", "reset", "stall", "keep"]
"""The fate of the connection after a fault's bytes are sent."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """An ending that sends the same bytes again and again, until the client has gone.

    Attributes:
        content: The bytes.
        every: Seconds between them; 0 sends them as fast as they are read. Where an `AutojumpClock`
            is installed they are its seconds, and each sending takes some of its time.
    """

    content: bytes
    every: float = 0.02


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong answer of a server.

    Attributes:
        name: The id in the tests' names.
        sent: The bytes that are sent first.
        then: Whether the connection is then closed, reset (so that the client's next read or write
            fails), stalled until the client has gone, or kept for its next request; or what is sent
            forever.
    """

    name: str
    sent: bytes = field(default=b"", repr=False)
    then: Ending | Repeat = "close"

    def write_to(self, connection: socket.socket) -> bool:
        """Send the fault, and return whether the connection stays open."""
        connection.sendall(self.sent)
        if isinstance(self.then, Repeat):
            _repeat(connection, self.then)
        elif self.then == "stall":
            _wait_for_departure(connection)
        elif self.then == "reset":
            _reset(connection)
        return self.then == "keep"


def _repeat(connection: socket.socket, again: Repeat) -> None:
    autojump = clock.current()
    while True:
        connection.sendall(again.content)
        if autojump is not None:
            autojump.advance(again.every or _INSTANT)
        pause = again.every if autojump is None else min(again.every, _GLANCE)
        if pause and _has_left_within(connection, pause):
            return


def _has_left_within(connection: socket.socket, seconds: float) -> bool:
    connection.settimeout(seconds)
    try:
        return not connection.recv(4096)
    except TimeoutError:
        return False
    finally:
        connection.settimeout(None)


def _wait_for_departure(connection: socket.socket) -> None:
    autojump = clock.current()
    with contextlib.nullcontext() if autojump is None else autojump.stalled(connection):
        while connection.recv(4096):
            pass


def _reset(connection: socket.socket) -> None:
    """End a connection by RST, at once; closing it would wait for its readers and writers."""
    shorts_or_ints = "hh" if os.name == "nt" else "ii"
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(shorts_or_ints, 1, 0))
    socket.close(connection.detach())


class _Noted:
    """A fault whose end its server counts."""

    def __init__(self, fault: Fault, note: Callable[[], None]) -> None:
        self._fault = fault
        self._note = note

    def write_to(self, connection: socket.socket) -> bool:
        try:
            return self._fault.write_to(connection)
        finally:
            self._note()


class FaultServer(LoopbackServer):
    """A server on 127.0.0.1 that has one fault, used in a ``with`` that gives its URL.

    Args:
        fault: The fault, or a function that makes it of the service's own response; None for none.
        service: Answers the requests that the fault does not apply to; without one, they are a 404.
        applies_to: Which requests meet the fault; by default, all. Both it and the fault may be
            changed while the server runs.

    Attributes:
        received: The requests, in the order in which they came.
        faulted: Those that met the fault.
        ended: How many faults have ended; one that stalls ends when its client has gone.
    """

    def __init__(
        self,
        fault: Fault | Callable[[Response], Fault] | None,
        *,
        service: Service | None = None,
        applies_to: Callable[[Request], bool] = lambda _: True,
    ) -> None:
        super().__init__(self._answer)
        self.fault = fault
        self.received: list[Request] = []
        self.faulted: list[Request] = []
        self.ended = 0
        self._service = service or _absent
        self.applies_to = applies_to

    def _answer(self, request: Request) -> Response | WireAnswer:
        fault = self.fault if self.applies_to(request) else None
        if callable(fault):
            fault = fault(self._service(request))
        with self._changed:
            self.received.append(request)
            if fault is not None:
                self.faulted.append(request)
            self._changed.notify_all()
        return self._service(request) if fault is None else _Noted(fault, self._note_end)

    def _note_end(self) -> None:
        with self._changed:
            self.ended += 1
            self._changed.notify_all()

    def wait_until_faulted(self, *, seconds: float = 10.0) -> bool:
        """Wait until a request has met the fault, and return whether one has."""
        return self.wait_until(lambda: bool(self.faulted), seconds=seconds)

    def wait_until_left(self, *, seconds: float = 10.0) -> bool:
        """Wait until every client has closed its connections, and return whether they have."""
        return self.wait_until(self.is_left, seconds=seconds)


class RefusingServer:
    """An address on 127.0.0.1 that refuses connections, used in a ``with`` that gives its URL."""

    def __enter__(self) -> str:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))  # taken, so that nobody else gets it; no one listens
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()


def _absent(_: Request) -> Response:
    return Response(404, {"content-type": "application/json"}, b'{"message": "nothing is here"}')


_JSON: Final = "application/json"
_HTML: Final = "text/html; charset=utf-8"
_BODY: Final = json.dumps({"message": "whole", "data": list(range(100))}).encode()
_PAGE: Final = b"<!DOCTYPE html><html><body>another program</body></html>"


def _head(status: int, *lines: str, media_type: str = _JSON) -> bytes:
    first = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
    return "\r\n".join([first, f"Content-Type: {media_type}", *lines, "", ""]).encode("latin-1")


def response_head(response: Response) -> bytes:
    """Return the head of a response whose body comes in chunks."""
    lines = [
        f"{name}: {value}"
        for name, value in response.headers.items()
        if name not in FRAMING_HEADERS and name != "content-type"
    ]
    media_type = response.headers.get("content-type", "application/octet-stream")
    return _head(response.status, "Transfer-Encoding: chunked", *lines, media_type=media_type)


def encode_chunks(pieces: Iterable[bytes]) -> bytes:
    """Encode pieces of a body as chunks; an empty one is the last."""
    return b"".join([b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces])


def whole_answer(
    name: str, status: int, body: bytes = b"{}", *lines: str, media_type: str = _JSON
) -> Fault:
    """Return a fault that is a complete, correctly framed answer; `lines` are added to its head."""
    head = _head(status, f"Content-Length: {len(body)}", *lines, media_type=media_type)
    return Fault(name, head + body, "keep")


def redirect(status: int, location: str) -> Fault:
    """Return a redirect with an empty body."""
    return whole_answer(f"redirect-{status}", status, b"", f"Location: {location}")


def _length(value: object) -> bytes:
    return _head(200, f"Content-Length: {value}")


_CHUNKED: Final = _head(200, "Transfer-Encoding: chunked")
_GZIPPED: Final = _head(200, "Content-Encoding: gzip", "Content-Length: 12")

BREAKS: Final = (
    Fault("closed-at-once"),
    Fault("reset-at-once", then="reset"),
    Fault("reset-in-the-head", _length(len(_BODY))[:30], "reset"),
    Fault("reset-in-the-body", _length(len(_BODY)) + _BODY[:50], "reset"),
    Fault("truncated-head", _length(len(_BODY))[:30]),
    Fault("truncated-body", _length(len(_BODY)) + _BODY[:-1]),
    Fault("truncated-chunk", _CHUNKED + b"ff\r\n" + _BODY[:50]),
    Fault("no-last-chunk", _CHUNKED + b"2\r\n{}\r\n"),
)
"""Faults that break the connection."""

DELAYS: Final = (
    Fault("stalled", then="stall"),
    Fault("stalled-in-the-head", _length(len(_BODY))[:30], "stall"),
    Fault("stalled-before-the-body", _length(len(_BODY)), "stall"),
    Fault("stalled-in-the-body", _length(len(_BODY)) + _BODY[:50], "stall"),
    Fault("length-too-large", _length(len(_BODY) + 1) + _BODY, "stall"),
    Fault("slow-head", _length(2)[:-2] + b"X-Slow: ", Repeat(b"s", 0.1)),
    Fault("slow-body", _length(10**6), Repeat(b" ", 0.1)),
    Fault("slow-chunks", _CHUNKED, Repeat(b"1\r\n \r\n", 0.1)),
    Fault("endless-body", _CHUNKED, Repeat(b"400\r\n" + b" " * 1024 + b"\r\n", 0)),
    Fault("endless-body-without-a-length", _head(200), Repeat(b" " * 1024, 0)),
    Fault("endless-informing", b"", Repeat(b"HTTP/1.1 102 Processing\r\n\r\n", 0)),
)
"""Faults whose answer never ends: it stalls, drips, or continues forever."""

NO_HTTP: Final = (
    Fault("garbage", b"\x00\xff\x16\x03\x01 this is no HTTP\r\n\r\n"),
    Fault("another-protocol", b"220 mail.example ESMTP ready\r\n"),
    Fault("huge-header", _length(2)[:-2] + b"X-Huge: " + b"h" * 2**20 + b"\r\n\r\n{}"),
    Fault("length-negative", _length(-1) + _BODY),
    Fault("length-no-number", _length("many") + _BODY),
    Fault("length-two-ways", _length("2\r\nContent-Length: 3") + b"{} "),
    Fault("chunk-size-no-number", _CHUNKED + b"many\r\n{}\r\n0\r\n\r\n"),
)
"""Faults whose answer is not HTTP."""

NO_JSON: Final = (
    whole_answer("page-200", 200, _PAGE, media_type=_HTML),
    whole_answer("page-404", 404, _PAGE, media_type=_HTML),
    whole_answer("broken-json", 200, _BODY[:-1]),
    whole_answer("empty", 200, b""),
    Fault("length-too-small", _length(len(_BODY) - 1) + _BODY, "keep"),
    Fault("broken-gzip", _GZIPPED + b"this is none", "keep"),
)
"""Faults whose answer is complete but cannot be parsed."""

REFUSALS: Final = (
    whole_answer("page-502", 502, _PAGE, media_type=_HTML),
    whole_answer("status-503", 503),
    whole_answer("status-503-retry-after", 503, b"{}", "Retry-After: 0"),
    whole_answer("status-504", 504),
)
"""Answers of a service, or of a proxy in front of it, that is out of order for a while."""

LIMITS: Final = (
    whole_answer("status-429", 429),
    whole_answer("status-429-retry-after", 429, b"{}", "Retry-After: 0"),
    whole_answer("status-429-retry-after-an-hour", 429, b"{}", "Retry-After: 3600"),
)
"""Answers that limit the rate."""

FAULTS: Final = (*BREAKS, *DELAYS, *NO_HTTP, *NO_JSON, *REFUSALS, *LIMITS)
"""All faults of this module."""
