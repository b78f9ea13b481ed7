"""HTTP statuses and errors, converted both ways.

A service's own error codes belong in its adapter.
"""

from __future__ import annotations

import time
from typing import Final

from ..errors import (
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
from ..parsing import decode_json
from ._messages import EXCERPT, Request, Response, html_page_error


def status_error(
    request: Request, response: Response, detail: str | None = None
) -> StoreError | None:
    """Return the error that an HTTP status means, or None for a status below 300.

    A page of HTML is an error with any status: another program answers at that URL.

    Args:
        request: The request.
        response: Its response.
        detail: The service's own words; by default the body's ``message``, if it has one.
    """
    status = response.status
    if status < 300:
        return html_page_error(response) if response.media_type == "text/html" else None
    detail = _message(response) if detail is None else detail
    returned = f"{request.method} {request.path} returned {status}"
    text = returned + (f": {detail}" if detail else "")
    match status:
        case 401 | 403:
            return AuthError(f"{text}; check the credential and its permissions", detail=detail)
        case 404 | 410 if response.media_type == "text/html":
            return ProtocolError(
                f"{returned} with an HTML page, as from another program: check the base URL",
                excerpt=response.excerpt,
            )
        case 404 | 410:
            return NotFoundError(text, detail=detail)
        case 409 | 412:
            return ConflictError(text, detail=detail)
        case 400 | 413 | 414 | 422 | 431:
            return InvalidError(text, detail=detail)
        case 429:
            return RateLimitError(text, detail=detail, retry_after=_retry_after(response))
        case 502 | 503 | 504:
            return UnavailableError(text, detail=detail, retry_after=_retry_after(response))
    if status >= 500:
        return UnavailableError(text, detail=detail, retryable=False)
    return ProtocolError(f"{text}; check the base URL", detail=detail)


_STATUSES: Final[tuple[tuple[type[StoreError], int], ...]] = (
    (NotFoundError, 404),
    (ConflictError, 409),
    (InvalidError, 400),
    (ForbiddenError, 403),
    (AuthError, 401),
    (UnsupportedError, 501),
    (RateLimitError, 429),
)
"""Subclasses come before their base classes."""


def status_of(error: StoreError) -> int:
    """Return the HTTP status that reports an error to a client: the inverse of `status_error`.

    A client reads an error as retryable if, and only if, it is.
    """
    if isinstance(error, UnavailableError):
        return 503 if error.retryable else 500
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def _message(response: Response) -> str | None:
    if response.media_type != "application/json":
        return None
    try:
        body = decode_json(response.content)
    except ProtocolError:
        return None
    message = body.get("message") if isinstance(body, dict) else None
    return message[:EXCERPT] if isinstance(message, str) else None


def _retry_after(response: Response) -> float | None:
    """Parse ``Retry-After``, which is a number of seconds or a date, into seconds."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
