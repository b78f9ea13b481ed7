"""uvicorn's HTTP protocol with bounds on heads, time and unread answers, which uvicorn lacks.

The meaning of a request is not known here; bodies are bounded by `requests`.
"""

from __future__ import annotations

import asyncio
import json
import logging
from asyncio import TimerHandle
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from convostore.parsing import Row

from ..limits import Limits
from ..middleware import CLOCKED, SECURITY

if TYPE_CHECKING:
    from uvicorn import Config
    from uvicorn._types import ASGISendEvent
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
    from uvicorn.server import ServerState

_PIPELINED: Final = 16
"""Requests that may wait after the one that is being answered."""
_PACE: Final = 4096
"""Bytes a second that a client must read of an answer on average."""
_LINGER: Final = 2.0
"""Seconds that the rest of a body is read and discarded after its request was answered: a client
that is disconnected while it sends may lose the answer."""
_FRAMING: Final = 8
"""Bytes of chunk framing that are allowed for each byte of a body."""


class _RefusedError(Exception):
    """An exception that stops the parser; its text is never shown."""


def protocol_within(limits: Limits) -> type[BoundedProtocol]:
    """Return the protocol class for these limits; uvicorn instantiates it for each connection."""
    return type("BoundedProtocol", (BoundedProtocol,), {"limits": limits})


class BoundedProtocol(HttpToolsProtocol):
    """The protocol of one connection.

    A head that is too large is answered 431, one that is too slow 408, and one over too many
    connections 503. A client that does not read is disconnected.
    """

    limits: ClassVar[Limits] = Limits()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: Row,
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = _log
        self.access_log = False
        self.timeout_keep_alive = self.limits.idle  # type: ignore[assignment]  # fractions of a second work as well
        self._head_clock: TimerHandle | None = None
        self._departure_clock: TimerHandle | None = None
        self._lingering: TimerHandle | None = None
        self._is_in_head = False
        self._is_in_body = False
        self._is_surplus = False
        self._is_refused = False
        self._refusal = HTTPStatus.BAD_REQUEST
        self._chunk = 0
        self._head_size = 0
        self._framing = 0
        self._unsent = 0

    # Events of the transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # At 0 any unread byte pauses writing, so that a client that does not read is noticed.
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
        if self._is_refused or self.parser is None:
            return
        self._chunk = len(data)
        if self._is_in_body:
            self._framing += len(data)
        super().data_received(data)
        self._head_size += len(data)
        if self._is_in_head or not (self._is_in_body or self._is_answering()):
            self._start_head_clock()  # empty lines between requests count as well
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

    # Events of the parser

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {CLOCKED: {}}
        self._is_in_head = True
        self._head_size = -self._chunk  # the end of the request before does not count

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_in_body:  # ignore trailers
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
            self._wait_for_next()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.timeout_keep_alive_task is None:
            return
        if self._is_in_body:
            self._unset_keepalive_if_required()
            seconds = min(_LINGER, self.limits.arrival)
            self._lingering = self.loop.call_later(seconds, self.transport.close)
        elif self._head_clock is not None:
            self._unset_keepalive_if_required()

    def _wait_for_next(self) -> None:
        """Start the clock of an idle connection."""
        if not self.transport.is_closing():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    # Clocks

    def _start_head_clock(self) -> None:
        if self._head_clock is None and not self._is_refused:
            self._head_clock = self.loop.call_later(self.limits.arrival, self._on_late_head)

    def _stop_head_clock(self) -> None:
        if self._head_clock is not None:
            self._head_clock.cancel()
            self._head_clock = None

    def _on_late_head(self) -> None:
        self._head_clock = None
        if self._is_in_head or self._is_answering():
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.transport.close()

    def _watch_departure(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        self._departure_clock = self.loop.call_later(self.limits.departure, self._check_departure)

    def _check_departure(self) -> None:
        """Abort the connection if its client has read too little for too long."""
        read = self._unsent - self.transport.get_write_buffer_size()
        if read < _PACE * self.limits.departure:
            self.transport.abort()
        else:
            self._watch_departure()

    # Refusals

    def _is_answering(self) -> bool:
        return bool(self.cycle) and not self.cycle.response_complete

    def _stop(self, status: HTTPStatus) -> None:
        """Stop the parser from one of its callbacks; uvicorn then calls `send_400_response`."""
        self._refusal = status
        raise _RefusedError

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's text
        self._refuse(self._refusal)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer a request that is invalid or not admitted, and close the connection."""
        if self._is_refused:
            return
        self._is_refused = True
        self._stop_head_clock()
        if not self._is_answering():
            self._answer(status)
        elif not self._is_in_body:  # earlier requests are answered first
            self.cycle.keep_alive = False
        else:
            is_next = not self.cycle.response_started and not self.pipeline
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if is_next:
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
) -> Callable[[ASGISendEvent], Awaitable[None]]:
    """Wrap `send` for HTTP/1.0, which has no chunks.

    A body without a length ends with the connection.
    """
    send_on = cycle.send
    is_endless = False

    async def send(message: ASGISendEvent) -> None:
        nonlocal is_endless
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message.get("headers", ())}
            is_endless = b"content-length" not in names
            if is_endless:
                cycle.chunked_encoding = False
        elif is_endless and message["type"] == "http.response.body":
            cycle.expected_content_length = len(message.get("body", b""))
        await send_on(message)

    return send


def _hide_error(record: logging.LogRecord) -> bool:
    """Replace the error of a log record by its class: its text may hold anything."""
    if record.exc_info and record.exc_info[0]:
        record.msg = f"{record.getMessage().strip()}: {record.exc_info[0].__name__}"
        record.args = ()
        record.exc_info = record.exc_text = None
    return True


_log: Final = logging.getLogger("convostore.gateway.protocol")
_log.addFilter(_hide_error)
_log.setLevel(logging.ERROR)  # clients' mistakes need no warning
