"""Sessions: a token in a cookie, and whether a request that changes something is the viewer's own.

The cookie is out of reach of scripts, is sent by this site's own pages only, and ends with the
browser. The server keeps nothing.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote

from starlette.responses import Response
from starlette.types import Scope

from convostore.dialects import IncomingRequest, bearer

COOKIE: Final = "convostore_token"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})


def credentials(request: IncomingRequest) -> tuple[str, ...]:
    """What may be the token of a request: a header's, or the cookie's."""
    cookie = _cookie(request)
    return bearer(request.headers) or (() if cookie is None else (cookie,))


def is_own(request: IncomingRequest, scope: Scope) -> bool:
    """Whether a request changes nothing, or comes from a page of this server.

    A page of a stranger can send a form here, but neither a header of ours nor our origin.
    """
    if request.method in _SAFE_METHODS or "hx-request" in request.headers:
        return True
    host = request.headers.get("host", "")
    return request.headers.get("origin") in {f"{scope['scheme']}://{host}", f"https://{host}"}


def keep_token(response: Response, token: str, scope: Scope, path: str) -> None:
    """Has the browser bring a token from now on."""
    response.set_cookie(
        COOKIE,
        quote(token, safe=""),
        path=path,
        secure=scope["scheme"] == "https",
        httponly=True,
        samesite="strict",
    )


def drop_token(response: Response, scope: Scope, path: str) -> None:
    """Has the browser forget the token."""
    secure = scope["scheme"] == "https"
    response.delete_cookie(COOKIE, path=path, secure=secure, httponly=True, samesite="strict")


def _cookie(request: IncomingRequest) -> str | None:
    # Several headers of cookies were joined by commas, which our own value never holds.
    for each in request.headers.get("cookie", "").replace(",", ";").split(";"):
        name, _, value = each.strip().partition("=")
        if name == COOKIE and value:
            return unquote(value)
    return None
