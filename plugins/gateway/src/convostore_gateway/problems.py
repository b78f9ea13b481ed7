"""Problem details (RFC 9457, ``application/problem+json``), made from errors and read back.

The adapter raises an error of the class that the server rendered. The words of a failing backend
are filtered, as they may name something internal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

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
from convostore.models import JSON
from convostore.parsing import Row
from convostore.serialization import to_json

from .schema import partial_json, read_partial

MEDIA_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of errors and how problems report it.

    Attributes:
        summary: The detail in place of the error's own message; None where the message concerns the
            caller.
    """

    name: str
    error: type[StoreError]
    status: int
    summary: str | None = None


_FAILED: Final = Kind("failed", StoreError, 500, "the gateway failed")
KINDS: Final = (
    Kind("forbidden", ForbiddenError, 403),
    Kind("auth", AuthError, 401),
    Kind("not_found", NotFoundError, 404),
    Kind("conflict", ConflictError, 409),
    Kind("invalid", InvalidError, 400),
    Kind("unsupported", UnsupportedError, 501),
    Kind("rate_limit", RateLimitError, 429, "the service behind the gateway limits the rate"),
    Kind(
        "unavailable",
        UnavailableError,
        503,
        "the store behind the gateway is unreachable, too slow, or broken",
    ),
    Kind("protocol", ProtocolError, 502, "the store behind the gateway gave an invalid answer"),
    _FAILED,
)
"""Subclasses before their bases."""
_BY_NAME: Final = {kind.name: kind for kind in KINDS}
_LONGEST: Final = 10**9
"""The longest wait in seconds; beyond it is as good as never."""
_GATEWAY_REFUSED: Final = "the store behind the gateway does not accept its credentials"
_USER: Final = re.compile(r"(?<=://)[^/\s@]*@")
_INTERNALS: Final = re.compile(
    r"[A-Za-z][\w+.-]*://\S+"  # addresses
    r"|(?<![\w/.])~?/(?:[\w.~+-]+/)+[\w.~+-]*"  # files
    r"|\b[A-Za-z]:\\\S+"
)


def kind_of(error: StoreError) -> Kind:
    """Return the kind of an error."""
    return next(kind for kind in KINDS if isinstance(error, kind.error))


def status_of(error: StoreError) -> int:
    """Return the status for an error, unless its cause requires another."""
    kind = kind_of(error)
    if isinstance(error, UnavailableError) and not error.retryable:
        return 502
    return 502 if _is_of_backend(error, kind) else kind.status


def problem_of(error: StoreError, status: int | None = None) -> Row:
    """Render an error as a problem.

    Args:
        error: The error.
        status: The status of the answer where it differs from `status_of`.
    """
    kind = kind_of(error)
    status = status or status_of(error)
    row: Row = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": _detail(error, kind),
        "kind": kind.name,
        "retryable": error.retryable,
    }
    argument = error.argument if isinstance(error, UnsupportedError) else None
    if argument is not None:
        row["argument"] = argument
    elif error.operation is not None:  # beside an argument, clients would no longer offer it
        row["operation"] = error.operation
    if (seconds := getattr(error, "retry_after", None)) is not None:
        row["retry_after"] = seconds
    if error.partial is not None:
        row["partial"] = partial_json(error.partial)
    return row


def problem_json(problem: Row) -> str:
    """Encode a problem, without its partial reply if that cannot be JSON."""
    try:
        return to_json(problem)
    except InvalidError:
        return to_json({name: value for name, value in problem.items() if name != "partial"})


def read_problem(data: JSON) -> StoreError | None:
    """Parse an error from a problem; None if the data is not a problem of this API."""
    kind = _BY_NAME.get(str(data.get("kind"))) if isinstance(data, dict) else None
    if kind is None:
        return None
    detail, retryable = data.get("detail"), data.get("retryable")
    error = kind.error(
        detail if isinstance(detail, str) else f"the gateway answered {kind.name}",
        retryable=retryable if isinstance(retryable, bool) else None,
    )
    if isinstance(error, RateLimitError | UnavailableError):
        error.retry_after = _seconds(data.get("retry_after"))
    if isinstance(error, UnsupportedError):
        error.argument = _name(data.get("argument"))
    error.partial = read_partial(data.get("partial"))
    return error


def _name(value: JSON) -> str | None:
    return value if isinstance(value, str) and value.isidentifier() else None


def _seconds(value: JSON) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        return None
    return float(min(value, _LONGEST))


def _is_of_backend(error: StoreError, kind: Kind) -> bool:
    """Check whether the backend refused the gateway; then the error names an adapter."""
    return kind.name == "auth" and error.adapter is not None


def _detail(error: StoreError, kind: Kind) -> str:
    """Return the text for the caller, without anything internal."""
    if _is_of_backend(error, kind):
        return _GATEWAY_REFUSED
    if kind.summary is None:
        return _USER.sub("***@", str(error))
    words = _INTERNALS.sub("…", error.detail or "")
    return f"{kind.summary}: it said {words!r}" if words else kind.summary
