"""HTTP as the gateway takes it from a socket: uvicorn's protocol, within bounds.

uvicorn bounds neither a head, nor how long one may take, nor who never reads an answer. What a
request means is not known here; the pace of its body is `incoming`'s.
"""

from __future__ import annotations

import asyncio
import json
import logging
from asyncio import TimerHandle
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ..limits import Limits
from ..middleware import CLOCKED, SECURITY

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_PIPELINED: Final = 16
"""How many requests may wait behind the one that is being answered."""
_PACE: Final = 4096
"""Bytes a second that a client is to accept of an answer, on the whole."""
_LINGERING: Final = 2.0
"""Seconds that the rest of a body is read, and forgotten, once its request was answered: a client
that is cut off while it sends may lose the answer."""
_FRAMING: Final = 8
"""Bytes of a chunked body's frame that each of its bytes may have."""


class _RefusedError(Exception):
    """Ends the parsing of what a client sends; its text is never seen."""


def protocol_within(limits: Limits) -> type[BoundedProtocol]:
    """The protocol as uvicorn is to be told of it, which makes one for each connection."""
    return type("BoundedProtocol", (BoundedProtocol,), {"limits": limits})


class BoundedProtocol(HttpToolsProtocol):
    """One connection.

    A head that is too large is answered 431, one that comes too slowly 408, and one over too many
    connections 503; a connection is cut off where a client does not read.
    """

    limits: ClassVar[Limits] = Limits()

    def __init__(self, *args: Any, **more: Any) -> None:  # as uvicorn's own
        super().__init__(*args, **more)
        self.logger = _log
        self.access_log = False
        self.timeout_keep_alive = self.limits.idle  # type: ignore[assignment]  # any seconds will do
        self._head_clock: TimerHandle | None = None
        self._departure_clock: TimerHandle | None = None
        self._lingering: TimerHandle | None = None
        self._is_in_head = False
        self._is_in_body = False
        self._is_surplus = False
        self._is_deaf = False
        self._refusal = HTTPStatus.BAD_REQUEST
        self._chunk = 0
        self._head_size = 0
        self._framing = 0
        self._unsent = 0

    # What the transport tells.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # So that whatever a client has not read yet is noticed, and not only what is much.
        transport.set_write_buffer_limits(high=0)
        self._start_head_clock()
        self._is_surplus = len(self.connections) > self.limits.connections
        if len(self.connections) > 2 * self.limits.connections:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        for clock in (self._head_clock, self._departure_clock, self._lingering):
            if clock is not None:
                clock.cancel()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_deaf or self.parser is None:
            return
        self._chunk = len(data)
        if self._is_in_body:
            self._framing += len(data)
        super().data_received(data)
        self._head_size += len(data)
        if self._is_in_head or not (self._is_in_body or self._is_answering()):
            self._start_head_clock()  # for empty lines between requests as well
        if self._is_in_head and self._head_size > self.limits.head:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self._is_in_body and self._framing > self.limits.head:
            self._refuse(HTTPStatus.BAD_REQUEST)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_departure()

    def resume_writing(self) -> None:
        if self._departure_clock is not None:
            self._departure_clock.cancel()
            self._departure_clock = None
        super().resume_writing()

    # What the parser finds.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {CLOCKED: {}}
        self._is_in_head = True
        self._head_size = -self._chunk  # what came with the end of another request does not count

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_in_body:  # what follows a body is nobody's
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._stop_head_clock()
        size = len(self.url) + sum([len(name) + len(value) + 4 for name, value in self.headers])
        if size > self.limits.head:
            self._stop(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if self._is_surplus:
            self._stop(HTTPStatus.SERVICE_UNAVAILABLE)
        if len(self.pipeline) >= _PIPELINED:
            self._stop(HTTPStatus.TOO_MANY_REQUESTS)
        super().on_headers_complete()
        if self.scope["http_version"] == "1.0":
            self.cycle.send = _without_chunks(self.cycle)  # type: ignore[assignment, method-assign]
        self._is_in_body = True
        self._framing = 0

    def on_body(self, body: bytes) -> None:
        self._framing = max(0, self._framing - _FRAMING * len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_in_body = False
        super().on_message_complete()
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
            self._rest()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.timeout_keep_alive_task is None:
            return
        if self._is_in_body:
            self._unset_keepalive_if_required()
            seconds = min(_LINGERING, self.limits.arrival)
            self._lingering = self.loop.call_later(seconds, self.transport.close)
        elif self._head_clock is not None:
            self._unset_keepalive_if_required()

    def _rest(self) -> None:
        """Waits for the next request."""
        if not self.transport.is_closing():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    # Clocks.

    def _start_head_clock(self) -> None:
        if self._head_clock is None and not self._is_deaf:
            self._head_clock = self.loop.call_later(self.limits.arrival, self._head_is_late)

    def _stop_head_clock(self) -> None:
        if self._head_clock is not None:
            self._head_clock.cancel()
            self._head_clock = None

    def _head_is_late(self) -> None:
        self._head_clock = None
        if self._is_in_head or self._is_answering():
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.transport.close()

    def _watch_departure(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        self._departure_clock = self.loop.call_later(self.limits.departure, self._look_at_departure)

    def _look_at_departure(self) -> None:
        """Cuts the connection off where its client has read next to nothing for too long."""
        read = self._unsent - self.transport.get_write_buffer_size()
        if read < _PACE * self.limits.departure:
            self.transport.abort()
        else:
            self._watch_departure()

    # Refusing.

    def _is_answering(self) -> bool:
        return bool(self.cycle) and not self.cycle.response_complete

    def _stop(self, status: HTTPStatus) -> None:
        """Ends the parsing from within; the parser's user then refuses."""
        self._refusal = status
        raise _RefusedError

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's words
        self._refuse(self._refusal)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answers what cannot be understood or is not wanted; the connection ends with it."""
        if self._is_deaf:
            return
        self._is_deaf = True
        self._stop_head_clock()
        if not self._is_answering():
            self._answer(status)
        elif not self._is_in_body:  # what was asked before is answered first
            self.cycle.keep_alive = False
        else:
            is_broken_one_next = not self.cycle.response_started and not self.pipeline
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if is_broken_one_next:
                self._answer(status)
            else:
                self.transport.close()

    def _answer(self, status: HTTPStatus) -> None:
        body = json.dumps({"status": status.value, "title": status.phrase}).encode()
        headers = {
            **SECURITY,
            "content-type": "application/json",
            "content-length": str(len(body)),
            "connection": "close",
        }
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            headers["retry-after"] = "1"
        lines = [f"HTTP/1.1 {status.value} {status.phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.transport.write("\r\n".join([*lines, "", ""]).encode("ascii") + body)
        self.transport.close()


def _without_chunks(
    cycle: RequestResponseCycle,
) -> Callable[[ASGISendEvent], Coroutine[Any, Any, None]]:
    """Sends to a client of HTTP/1.0, which knows no chunks: what has no length ends with the
    connection.
    """
    send_on = cycle.send
    is_endless = False

    async def send(message: ASGISendEvent) -> None:
        nonlocal is_endless
        if message["type"] == "http.response.start":
            named = {name.lower() for name, _ in message.get("headers", ())}
            is_endless = b"content-length" not in named
            if is_endless:
                cycle.chunked_encoding = False
        elif is_endless and message["type"] == "http.response.body":
            cycle.expected_content_length = len(message.get("body", b""))
        await send_on(message)

    return send


def _without_trace(record: logging.LogRecord) -> bool:
    """Takes from a line what the error was, which may hold anything, but for its class."""
    if record.exc_info and record.exc_info[0]:
        record.msg = f"{record.getMessage().strip()}: {record.exc_info[0].__name__}"
        record.args = ()
        record.exc_info = record.exc_text = None
    return True


_log: Final = logging.getLogger("convostore.gateway.protocol")
_log.addFilter(_without_trace)
_log.setLevel(logging.ERROR)  # what clients get wrong is nothing to warn of
