"""Sessions: a token in a cookie, and protection of changes against other sites.

Scripts cannot read the cookie, only pages of this site send it, and it ends with the browser's
session. The server keeps nothing.
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
    """Return what may be the token of a request: of a header, or of the cookie."""
    cookie = _cookie(request)
    return bearer(request.headers) or (() if cookie is None else (cookie,))


def is_own(request: IncomingRequest, scope: Scope) -> bool:
    """Check that a request changes nothing, or comes from a page of this server.

    Another site's page can send a form here, but neither our header nor our origin.
    """
    if request.method in _SAFE_METHODS or "hx-request" in request.headers:
        return True
    host = request.headers.get("host", "")
    return request.headers.get("origin") in {f"{scope['scheme']}://{host}", f"https://{host}"}


def keep_token(response: Response, token: str, scope: Scope, path: str) -> None:
    """Set the cookie with a token."""
    response.set_cookie(
        COOKIE,
        quote(token, safe=""),
        path=path,
        secure=scope["scheme"] == "https",
        httponly=True,
        samesite="strict",
    )


def drop_token(response: Response, scope: Scope, path: str) -> None:
    """Delete the cookie."""
    secure = scope["scheme"] == "https"
    response.delete_cookie(COOKIE, path=path, secure=secure, httponly=True, samesite="strict")


def _cookie(request: IncomingRequest) -> str | None:
    # Repeated cookie headers were joined by commas, which our own value never holds.
    for pair in request.headers.get("cookie", "").replace(",", ";").split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE and value:
            return unquote(value)
    return None
