"""HTTP statuses and errors: which error a status is, and which status an error."""

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
from ._messages import _EXCERPT, Request, Response, _a_page


def status_error(
    request: Request, response: Response, detail: str | None = None
) -> StoreError | None:
    """The error that an HTTP status stands for; None below 300, but for a page of HTML.

    Args:
        request: What was asked.
        response: What came.
        detail: What the service itself said; by default the body's ``message``, if it has one.
    """
    status = response.status
    if status < 300:
        return _a_page(response) if response.media_type == "text/html" else None
    said = detail if detail is not None else _said(response)
    asked = f"{request.method} {request.path}"
    told = f"{asked} was answered {status}" + (f": {said}" if said else "")
    match status:
        case 401 | 403:
            return AuthError(f"{told}; check the credential and what it may do", detail=said)
        case 404 | 410 if response.media_type == "text/html":
            return ProtocolError(
                f"{asked} was answered {status} with an HTML page, as by another program: "
                "check the base URL",
                excerpt=response.excerpt,
            )
        case 404 | 410:
            return NotFoundError(told, detail=said)
        case 409 | 412:
            return ConflictError(told, detail=said)
        case 400 | 413 | 414 | 422 | 431:
            return InvalidError(told, detail=said)
        case 429:
            return RateLimitError(told, detail=said, retry_after=_retry_after(response))
        case 502 | 503 | 504:
            return UnavailableError(told, detail=said, retry_after=_retry_after(response))
    if status >= 500:
        return UnavailableError(told, detail=said, retryable=False)
    return ProtocolError(f"{told}; check the base URL", detail=said)


_STATUSES: Final[tuple[tuple[type[StoreError], int], ...]] = (
    (NotFoundError, 404),
    (ConflictError, 409),
    (InvalidError, 400),
    (ForbiddenError, 403),
    (AuthError, 401),
    (UnsupportedError, 501),
    (RateLimitError, 429),
)
"""The narrower before the wider."""


def status_of(error: StoreError) -> int:
    """The HTTP status that tells an error to a client: what `status_error` reads, the other way.

    What is retryable is read as retryable, and nothing else is.
    """
    if isinstance(error, UnavailableError):
        return 503 if error.retryable else 500
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def _said(response: Response) -> str | None:
    if response.media_type != "application/json":
        return None
    try:
        body = decode_json(response.content)
    except ProtocolError:
        return None
    message = body.get("message") if isinstance(body, dict) else None
    return message[:_EXCERPT] if isinstance(message, str) else None


def _retry_after(response: Response) -> float | None:
    """Reads ``Retry-After``: seconds, or a date."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
