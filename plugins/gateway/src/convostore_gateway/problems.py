"""Errors as the native API tells them (RFC 9457, ``application/problem+json``), both ways.

What the server renders the adapter reads back as an error of the very same class. Of a failure of
the store behind, its own words are kept back, as they may name what is inside.
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
    """A class of errors, as problems tell it.

    Attributes:
        inside: What is told instead of the error's own words; None where these concern the caller.
    """

    name: str
    error: type[StoreError]
    status: int
    inside: str | None = None


_FAILED: Final = Kind("failed", StoreError, 500, "it failed inside")
KINDS: Final = (
    Kind("forbidden", ForbiddenError, 403),
    Kind("auth", AuthError, 401),
    Kind("not_found", NotFoundError, 404),
    Kind("conflict", ConflictError, 409),
    Kind("invalid", InvalidError, 400),
    Kind("unsupported", UnsupportedError, 501),
    Kind("rate_limit", RateLimitError, 429, "the service behind asks for patience"),
    Kind(
        "unavailable",
        UnavailableError,
        503,
        "the store behind is out of reach, too slow, or broken",
    ),
    Kind("protocol", ProtocolError, 502, "the store behind answered unreadably"),
    _FAILED,
)
"""The narrower before the wider."""
_BY_NAME: Final = {kind.name: kind for kind in KINDS}
_LONGEST: Final = 10**9
"""Seconds that one may be asked to wait; beyond it is as good as never."""
_NOT_OURS: Final = "the store behind does not admit this gateway"
_USER: Final = re.compile(r"(?<=://)[^/\s@]*@")
_INSIDES: Final = re.compile(
    r"[A-Za-z][\w+.-]*://\S+"  # addresses
    r"|(?<![\w/.])~?/(?:[\w.~+-]+/)+[\w.~+-]*"  # files
    r"|\b[A-Za-z]:\\\S+"
)


def kind_of(error: StoreError) -> Kind:
    """What kind of problem an error is."""
    return next(kind for kind in KINDS if isinstance(error, kind.error))


def status_of(error: StoreError) -> int:
    """The status of the answer that tells an error, unless its cause asks for another."""
    kind = kind_of(error)
    if isinstance(error, UnavailableError) and not error.retryable:
        return 502
    return 502 if _is_of_backend(error, kind) else kind.status


def problem_of(error: StoreError, status: int | None = None) -> Row:
    """Renders an error.

    Args:
        error: What is to be told.
        status: That of the answer, where it is not `status_of`.
    """
    kind = kind_of(error)
    status = status or status_of(error)
    row: Row = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": _told(error, kind),
        "kind": kind.name,
        "retryable": error.retryable,
    }
    if error.operation is not None:
        row["operation"] = error.operation
    if (seconds := getattr(error, "retry_after", None)) is not None:
        row["retry_after"] = seconds
    if error.partial is not None:
        row["partial"] = partial_json(error.partial)
    return row


def problem_json(problem: Row) -> str:
    """Writes a problem; without what had arrived of a reply, where that is no JSON."""
    try:
        return to_json(problem)
    except InvalidError:
        return to_json({name: value for name, value in problem.items() if name != "partial"})


def read_problem(data: JSON) -> StoreError | None:
    """Reads an error back; None where it is no problem of this API."""
    kind = _BY_NAME.get(str(data.get("kind"))) if isinstance(data, dict) else None
    if kind is None:
        return None
    told, retryable = data.get("detail"), data.get("retryable")
    error = kind.error(
        told if isinstance(told, str) else f"it was answered {kind.name}",
        retryable=retryable if isinstance(retryable, bool) else None,
    )
    if isinstance(error, RateLimitError | UnavailableError):
        error.retry_after = _seconds(data.get("retry_after"))
    error.partial = read_partial(data.get("partial"))
    return error


def _seconds(value: JSON) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        return None
    return float(min(value, _LONGEST))


def _is_of_backend(error: StoreError, kind: Kind) -> bool:
    """Whether it is the gateway that was not admitted; an adapter's name tells."""
    return kind.name == "auth" and error.adapter is not None


def _told(error: StoreError, kind: Kind) -> str:
    """What is told of an error: nothing of what is inside."""
    if _is_of_backend(error, kind):
        return _NOT_OURS
    if kind.inside is None:
        return _USER.sub("***@", str(error))
    said = _INSIDES.sub("…", error.detail or "")
    return f"{kind.inside}: it said {said!r}" if said else kind.inside
