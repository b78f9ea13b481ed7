"""Middleware for every request: security headers, origin checks, slow readers, the access log.

The content of an answer is not known here, and must never be logged.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from convostore.dialects import IncomingRequest

from .limits import Limits
from .requests import head_of, parse_head

access_log: Final = logging.getLogger("convostore.gateway.access")
_log: Final = logging.getLogger("convostore.gateway")

SECURITY: Final[Mapping[str, str]] = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "private, no-store",
}
"""Headers of every answer that does not set them itself."""
_SECURITY: Final = [(name.encode(), value.encode()) for name, value in SECURITY.items()]
CLOCKED: Final = "convostore.departure"
"""The ASGI extension of a server that disconnects slow readers itself, as ours does."""
_PAGES: Final = "/viewer"


class SecurityMiddleware:
    """The outermost middleware: parses the head, adds security headers, logs, reports failures."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._departure = limits.departure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        parse_head(scope)
        is_clocked = CLOCKED in (scope.get("extensions") or {})
        sender = _Sender(send, None if is_clocked else self._departure)
        start = time.perf_counter()
        try:
            await self._app(scope, receive, sender.send)
        except Exception as error:
            await self._fail(error, sender, scope, receive)
        finally:
            _log_access(scope, sender, time.perf_counter() - start)

    async def _fail(
        self, error: Exception, sender: _Sender, scope: Scope, receive: Receive
    ) -> None:
        """Answer an unexpected error; its text may hold anything and is not shown."""
        if sender.has_given_up or isinstance(error, ClientDisconnect):
            sender.status = sender.status or 499
            return  # an answer without its end makes a server close the connection
        _log.error("%s at %s", type(error).__name__, location_of(error))
        if not sender.status:
            failed = Response(
                '{"status":500,"title":"The gateway failed"}', 500, media_type="application/json"
            )
            await failed(scope, receive, sender.send)


class _Sender:
    """The sending of one answer: added headers, counted bytes, a limit for slow readers."""

    def __init__(self, send: Send, departure: float | None) -> None:
        self._send = send
        self._departure = departure
        self.status = 0
        self.size = 0
        self.has_given_up = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            names = {name for name, _ in headers}
            message["headers"] = headers + [
                header for header in _SECURITY if header[0] not in names
            ]
        else:
            self.size += len(message.get("body", b""))
        try:
            if self._departure is None:
                await self._send(message)
                return
            async with asyncio.timeout(self._departure):
                await self._send(message)
        except OSError:  # the client disconnected or reads too slowly
            self.has_given_up = True
            raise


class Origins:
    """Middleware that refuses requests which another site's page sends through a browser.

    Args:
        app: The application that answers all other requests.
        hosts: The host names that a request may be addressed to; empty allows any.
        cors: The origins whose pages may call.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str], cors: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts
        self._cors = cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (title := self._refusal(scope)):
            answer = Response(
                json.dumps({"status": 403, "title": title}), 403, media_type="application/json"
            )
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> str | None:
        head = head_of(scope)
        headers = head.headers
        host = headers.get("host", "")
        if self._hosts and _hostname(host) not in self._hosts:
            return "This server does not have that name"
        origin = headers.get("origin")
        if origin is not None:
            ours = {f"{scope['scheme']}://{host}", f"https://{host}"}
            return None if origin in ours | self._cors else "Pages of that origin may not do this"
        sites = headers.get("sec-fetch-site", "").split(", ")  # a repeated header is joined
        if "cross-site" in sites or "same-site" in sites:
            return None if _is_visit(head) else "Pages of other origins may not do this"
        return None


def _is_visit(head: IncomingRequest) -> bool:
    """Check whether a request follows a link to one of our pages, which changes nothing.

    Everything else is refused, GET included: some services delete by it.
    """
    mode, path = head.headers.get("sec-fetch-mode"), head.path
    is_navigation = head.method in {"GET", "HEAD"} and mode == "navigate"
    return is_navigation and (path == "/" or path == _PAGES or path.startswith(f"{_PAGES}/"))


def _hostname(host: str) -> str:
    """Return a ``Host`` without its port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()


def _log_access(scope: Scope, sender: _Sender, seconds: float) -> None:
    if not access_log.isEnabledFor(logging.INFO):
        return
    state = scope.get("state", {})
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "method": scope["method"],
        "path": scope["path"],  # never the query, which may hold search words
        "status": sender.status,
        "bytes": sender.size,
        "ms": round(seconds * 1000, 1),
        "client": (scope.get("client") or ("",))[0],
        "surface": state.get("surface", ""),
        "token": state.get("token", ""),
    }
    access_log.info("%s", json.dumps(line))


def location_of(error: BaseException) -> str:
    """Return the module and line that raised an error, without a path of the machine."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "?"
    return f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
