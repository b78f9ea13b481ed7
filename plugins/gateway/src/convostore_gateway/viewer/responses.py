"""Answers: HTML as responses, as a whole page or a piece of one, and what errors look like.

Nothing of what is inside may show: an error is told by its kind, never by its text.
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
    # Not "no-referrer", with which a browser would hide the origin of our own forms, too.
    "referrer-policy": "same-origin",
    "cache-control": "private, no-store",
    "vary": "HX-Request",
}
_TOLD: Final[tuple[tuple[type[StoreError], int, str], ...]] = (
    (ForbiddenError, 403, "This token may not do that."),
    (AuthError, 502, "The store was refused by its service."),
    (NotFoundError, 404, "This is not there, or no longer."),
    (ConflictError, 409, "Somebody else has changed this meanwhile. Load the page again."),
    (TooLargeError, 413, "That is more than is taken at a time."),
    (TooSlowError, 408, "That took too long to arrive."),
    (UnsupportedError, 501, "This store cannot do that."),
    (InvalidError, 400, "That does not fit. Load the page again."),
    (RateLimitError, 429, "The store asks for patience. Try again in a moment."),
    (UnavailableError, 503, "The store cannot be reached right now. Try again in a moment."),
    (ProtocolError, 502, "The store answered something that cannot be understood."),
)
_OTHERWISE: Final = (500, "Something failed inside.")


def html(text: str, status: int = 200) -> Response:
    """A piece of a page, or a whole one."""
    return Response(text, status, HEADERS, "text/html")


def page(template: str, at: Addresses, status: int = 200, /, **values: object) -> Response:
    """A whole page, or what stands alone."""
    return html(render(template, at=at, version_of=version_of, **values), status)


def piece(template: str, at: Addresses, /, **values: object) -> Response:
    """A piece of a page that is open."""
    return html(render(template, at=at, **values))


def telling(response: Response, event: str, key: str) -> Response:
    """Has the page that is open hear of something; `key` is of what it happened to."""
    response.headers["hx-trigger"] = json.dumps({event: {"key": key}})
    return response


def failed(error: StoreError | None, at: Addresses, *, as_piece: bool) -> Response:
    """What is answered when an error ends a visit; None stands for one that was not foreseen."""
    status, told = _OTHERWISE
    for kind, number, text in _TOLD:
        if isinstance(error, kind):
            status, told = number, text
            break
    return problem(status, told, at, as_piece=as_piece)


def problem(status: int, told: str, at: Addresses, *, as_piece: bool) -> Response:
    """Tells of something that went wrong."""
    if as_piece:
        response = html(render("notice.html", told=told), status)
        response.headers["hx-push-url"] = "false"
        return response
    return page("problem.html", at, status, number=status, told=told)
