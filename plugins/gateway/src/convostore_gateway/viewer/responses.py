"""Responses of the viewer: whole pages, pieces of pages, and error pages.

An error is reported by its class, never by its text, which may hold something internal.
"""

from __future__ import annotations

import json
from typing import Final

from starlette.responses import Response

from convostore.errors import (
    AuthError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    ProtocolError,
    RateLimitError,
    StoreError,
    UnavailableError,
    UnsupportedError,
)

from ..requests import TooLargeError, TooSlowError
from .assets import version_of
from .render import render
from .urls import Addresses

HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # With "no-referrer" a browser would hide the origin of our own forms, too.
    "referrer-policy": "same-origin",
    "cache-control": "private, no-store",
    "vary": "HX-Request",
}
_ERRORS: Final[tuple[tuple[type[StoreError], int, str], ...]] = (
    (ForbiddenError, 403, "Your token does not allow this."),
    (AuthError, 502, "The service behind this store refused its credentials."),
    (NotFoundError, 404, "Not found. It may have been deleted."),
    (ConflictError, 409, "Somebody else changed this in the meantime. Reload the page."),
    (TooLargeError, 413, "The request is too large."),
    (TooSlowError, 408, "The request took too long to arrive."),
    (UnsupportedError, 501, "This store does not support this."),
    (InvalidError, 400, "The request is invalid. Reload the page."),
    (RateLimitError, 429, "The store receives too many requests. Try again in a moment."),
    (UnavailableError, 503, "The store cannot be reached right now. Try again in a moment."),
    (ProtocolError, 502, "The store sent an invalid response."),
)
_UNEXPECTED: Final = (500, "The gateway failed. See its log.")


def html(text: str, status: int = 200) -> Response:
    """Return a response with a piece of a page or a whole page."""
    return Response(text, status, HEADERS, "text/html")


def page(template: str, at: Addresses, status: int = 200, /, **values: object) -> Response:
    """Render a whole page."""
    return html(render(template, at=at, version_of=version_of, **values), status)


def piece(template: str, at: Addresses, /, **values: object) -> Response:
    """Render a piece of an open page."""
    return html(render(template, at=at, **values))


def with_event(response: Response, event: str, key: str) -> Response:
    """Add an event for the open page; `key` names the item that it concerns."""
    response.headers["hx-trigger"] = json.dumps({event: {"key": key}})
    return response


def failed(error: StoreError | None, at: Addresses, *, as_piece: bool) -> Response:
    """Return the response for an error; None is an unexpected one."""
    status, text = _UNEXPECTED
    for kind, kind_status, kind_text in _ERRORS:
        if isinstance(error, kind):
            status, text = kind_status, kind_text
            break
    return problem(status, text, at, as_piece=as_piece)


def problem(status: int, text: str, at: Addresses, *, as_piece: bool) -> Response:
    """Return a response that reports a problem."""
    if as_piece:
        response = html(render("notice.html", text=text), status)
        response.headers["hx-push-url"] = "false"
        return response
    return page("problem.html", at, status, number=status, text=text)
