"""ASGI requests: the head parsed once, and the body received within bounds.

The meaning of a request is not known here.
"""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import parse_qsl, quote, unquote

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from convostore.dialects import IncomingRequest
from convostore.errors import InvalidError

from .limits import Limits

_HEAD: Final = "convostore.head"
"""The key of the parsed head in the scope's state."""


class TooLargeError(InvalidError):
    """A request's body, or something in it, exceeds a bound."""


class TooSlowError(InvalidError):
    """A request's body did not arrive in time."""


def parse_head(scope: Scope) -> IncomingRequest:
    """Parse a request's method, path and headers, and keep them for `head_of`.

    The outermost middleware calls this, so that a gateway within another application sees the path
    below its own mount.

    Returns:
        The request without its query and its body.
    """
    head = IncomingRequest(method=scope["method"], path=path_of(scope), headers=_headers(scope))
    scope.setdefault("state", {})[_HEAD] = head
    return head


def head_of(scope: Scope) -> IncomingRequest:
    """Return what `parse_head` has parsed."""
    head: IncomingRequest = scope["state"][_HEAD]
    return head


async def read_request(scope: Scope, receive: Receive, limits: Limits) -> IncomingRequest:
    """Return a whole request: its parsed head, its query, and the body once it has arrived.

    Raises:
        TooLargeError: The body is larger than `limits.body`.
        TooSlowError: The body did not arrive within `limits.arrival`.
        ClientDisconnect: The client disconnected.
    """
    head = head_of(scope)
    return IncomingRequest(
        method=head.method,
        path=head.path,
        query=tuple(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
        headers=head.headers,
        content=await receive_body(head, receive, limits),
    )


async def receive_body(head: IncomingRequest, receive: Receive, limits: Limits) -> bytes:
    """Receive the body of a request; raises as `read_request` does."""
    declared = head.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limits.body:
        raise _too_large(limits)
    try:
        async with asyncio.timeout(limits.arrival):
            return await _body(receive, limits)
    except TimeoutError:
        raise TooSlowError(f"the body did not arrive within {limits.arrival:g} s") from None


def path_of(scope: Scope) -> str:
    """Return the path below the gateway's mount, percent-encoded as it was sent."""
    raw: bytes | None = scope.get("raw_path")
    path = raw.partition(b"?")[0].decode("latin-1") if raw else quote(scope["path"])
    root: str = scope.get("root_path", "").rstrip("/")
    if not root:
        return path or "/"
    # Compared after decoding, because clients may send %c3 or %C3.
    parts, end = path.split("/"), root.count("/") + 1
    is_below = unquote("/".join(parts[:end])) == root
    return "/".join(["", *parts[end:]]) or "/" if is_below else path


def _headers(scope: Scope) -> dict[str, str]:
    """Return the headers by lower-case name; the values of repeated ones are joined by commas."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


async def _body(receive: Receive, limits: Limits) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = event.get("body", b"")
        size += len(chunk)
        if size > limits.body:
            raise _too_large(limits)
        chunks.append(chunk)
        if not event.get("more_body", False):
            return b"".join(chunks)


def _too_large(limits: Limits) -> TooLargeError:
    return TooLargeError(f"the body must have at most {limits.body} bytes")
