"""A request as it comes over ASGI, read within bounds.

What it means is not known here.
"""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl, quote, unquote

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from convostore.dialects import IncomingRequest
from convostore.errors import InvalidError

from .limits import Limits


class TooLargeError(InvalidError):
    """A request's body, or something in it, is out of bounds."""


class TooSlowError(InvalidError):
    """A request's body did not arrive in time."""


async def read_request(scope: Scope, receive: Receive, limits: Limits) -> IncomingRequest:
    """Reads a whole request.

    Raises:
        TooLargeError: Its body is larger than it may be.
        TooSlowError: Its body did not arrive in time.
        ClientDisconnect: The client went away.
    """
    headers = headers_of(scope)
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limits.body:
        raise _too_large(limits)
    try:
        async with asyncio.timeout(limits.arrival):
            content = await _body(receive, limits)
    except TimeoutError:
        raise TooSlowError(f"the body did not arrive within {limits.arrival:g} s") from None
    return IncomingRequest(
        method=scope["method"],
        path=path_of(scope),
        query=tuple(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
        headers=headers,
        content=content,
    )


def headers_of(scope: Scope) -> dict[str, str]:
    """A request's headers by lower-case name; repeated ones are joined as HTTP has it."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def path_of(scope: Scope) -> str:
    """The path below where the gateway is mounted, percent-encoded as it was sent."""
    raw: bytes | None = scope.get("raw_path")
    path = raw.partition(b"?")[0].decode("latin-1") if raw else quote(scope["path"])
    root: str = scope.get("root_path", "").rstrip("/")
    if not root:
        return path or "/"
    # Looked at decoded: one client's %c3 is another one's %C3.
    parts, end = path.split("/"), root.count("/") + 1
    is_below = unquote("/".join(parts[:end])) == root
    return "/".join(["", *parts[end:]]) or "/" if is_below else path


async def _body(receive: Receive, limits: Limits) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ClientDisconnect
        piece = event.get("body", b"")
        size += len(piece)
        if size > limits.body:
            raise _too_large(limits)
        pieces.append(piece)
        if not event.get("more_body", False):
            return b"".join(pieces)


def _too_large(limits: Limits) -> TooLargeError:
    return TooLargeError(f"the body is larger than the {limits.body} bytes that are taken")
