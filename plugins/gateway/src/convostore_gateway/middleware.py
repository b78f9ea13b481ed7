"""What surrounds every answer: security headers, a clock for slow readers, a line in the log.

No answer's own content is known here, and nothing of it may be logged.
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
"""Set where an answer does not say otherwise."""
_SECURITY: Final = [(name.encode(), value.encode()) for name, value in SECURITY.items()]
CLOCKED: Final = "convostore.departure"
"""The extension of a server that cuts off slow readers itself, as `protocol` does."""
_PAGES: Final = "/viewer"


class SecurityMiddleware:
    """The outermost middleware."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._departure = limits.departure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        parse_head(scope)
        is_clocked = CLOCKED in (scope.get("extensions") or {})
        answer = _Answer(send, None if is_clocked else self._departure)
        began = time.perf_counter()
        try:
            await self._app(scope, receive, answer.send)
        except Exception as error:
            await self._failed(error, answer, scope, receive)
        finally:
            _say(scope, answer, time.perf_counter() - began)

    async def _failed(
        self, error: Exception, answer: _Answer, scope: Scope, receive: Receive
    ) -> None:
        """Answers what was not foreseen; its text is not ours and may hold anything."""
        if answer.is_given_up or isinstance(error, ClientDisconnect):
            answer.status = answer.status or 499
            return  # an answer without its end makes a server close the connection
        _log.error("%s at %s", type(error).__name__, place_of(error))
        if not answer.status:
            failed = Response(
                '{"status":500,"title":"It failed inside"}', 500, media_type="application/json"
            )
            await failed(scope, receive, answer.send)


class _Answer:
    """One answer on its way."""

    def __init__(self, send: Send, departure: float | None) -> None:
        self._send = send
        self._departure = departure
        self.status = 0
        self.size = 0
        self.is_given_up = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            named = {name for name, _ in headers}
            message["headers"] = headers + [each for each in _SECURITY if each[0] not in named]
        else:
            self.size += len(message.get("body", b""))
        try:
            if self._departure is None:
                await self._send(message)
                return
            async with asyncio.timeout(self._departure):
                await self._send(message)
        except OSError:  # the client went away, or reads too slowly
            self.is_given_up = True
            raise


class Origins:
    """Refuses what a stranger's page sends through its visitor's browser.

    Args:
        app: What answers the others.
        hosts: The names that a request may be addressed to; any, when there are none.
        cors: The origins whose pages may call.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str], cors: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts
        self._cors = cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (told := self._refusal(scope)):
            answer = Response(
                json.dumps({"status": 403, "title": told}), 403, media_type="application/json"
            )
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> str | None:
        head = head_of(scope)
        headers = head.headers
        host = headers.get("host", "")
        if self._hosts and _name(host) not in self._hosts:
            return "This server is not served under that name"
        origin = headers.get("origin")
        if origin is not None:
            ours = {f"{scope['scheme']}://{host}", f"https://{host}"}
            return None if origin in ours | self._cors else "Pages of that origin may not do this"
        if headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
            return None if _is_visit(head) else "Pages of other origins may not do this"
        return None


def _is_visit(head: IncomingRequest) -> bool:
    """Whether somebody follows a link to a page of ours, which changes nothing.

    All else is refused, GET as well: some services' requests delete by it.
    """
    mode, path = head.headers.get("sec-fetch-mode"), head.path
    is_followed = head.method in {"GET", "HEAD"} and mode == "navigate"
    return is_followed and (path == "/" or path == _PAGES or path.startswith(f"{_PAGES}/"))


def _name(host: str) -> str:
    """A ``Host`` without its port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()


def _say(scope: Scope, answer: _Answer, seconds: float) -> None:
    if not access_log.isEnabledFor(logging.INFO):
        return
    state = scope.get("state", {})
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "method": scope["method"],
        "path": scope["path"],  # never the query, which may hold what was searched for
        "status": answer.status,
        "bytes": answer.size,
        "ms": round(seconds * 1000, 1),
        "client": (scope.get("client") or ("",))[0],
        "surface": state.get("surface", ""),
        "token": state.get("token", ""),
    }
    access_log.info("%s", json.dumps(line))


def place_of(error: BaseException) -> str:
    """Where an error comes from: a module and a line, and no path of the machine."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "?"
    return f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
