"""HTTP as values: a request, a reply, what was exchanged, and what a status means.

Costs nothing to import: no client, no socket, no adapter may be known here. `convostore.http` gives
the same names to those who write adapters.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, TypeVar
from urllib.parse import quote

from pydantic import ValidationError

from .errors import (
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
from .models import JSON
from .reading import decode_json

T = TypeVar("T")

Method: TypeAlias = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_EXCERPT: Final = 200


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, relative to the service's base URL.

    Attributes:
        path: Percent-encoded; made with `path` where it holds an id.
        query: Added to the path; encoded by the transport.
        json: The body, sent as JSON; None sends none.
        idempotent: Whether repeating it is harmless. GET and HEAD are unless it says otherwise;
            nothing else is, whatever its method is called.
        patient: Whether a model has to answer first: `reply_timeout` then takes the place of
            `timeout`.
    """

    method: Method
    path: str
    query: tuple[tuple[str, str], ...] = field(default=(), kw_only=True)
    json: JSON = field(default=None, kw_only=True)
    headers: tuple[tuple[str, str], ...] = field(default=(), kw_only=True, repr=False)
    idempotent: bool | None = field(default=None, kw_only=True)
    patient: bool = field(default=False, kw_only=True)

    @property
    def repeatable(self) -> bool:
        """`idempotent`, or what the method means where that is None."""
        return self.method in _SAFE_METHODS if self.idempotent is None else self.idempotent


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP reply, read whole.

    Attributes:
        headers: By lower-case name.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes = field(default=b"", repr=False)
    _decoded: list[JSON] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def media_type(self) -> str:
        """The content type without its parameters, lower-case; empty when there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as UTF-8; what is none is replaced."""
        return self.content.decode("utf-8", "replace")

    @property
    def excerpt(self) -> str:
        """The text's first characters, for an error."""
        return self.text[:_EXCERPT]

    def json(self) -> JSON:
        """Decodes the body, once: each call returns the same value.

        Raises:
            ProtocolError: It is no JSON, or out of the bounds of `reading.decode_json`.
        """
        if self.media_type == "text/html":
            raise _a_page(self)
        if not self._decoded:
            try:
                self._decoded.append(decode_json(self.content))
            except ProtocolError as error:
                error.excerpt = self.excerpt
                raise
        return self._decoded[0]

    def read(self, reader: Callable[[JSON], T]) -> T:
        """Decodes the body and hands it to a reader that expects a shape.

        Args:
            reader: Takes the body to a value; a field that is missing or of another kind may raise
                what Python or pydantic raises for it.

        Raises:
            ProtocolError: It is no JSON, or not of that shape; the message names the field.
        """
        body = self.json()
        try:
            return reader(body)
        except KeyError as error:
            reason = f"there is no field {error}"
        except (TypeError, ValueError, IndexError, AttributeError) as error:
            reason = _reason(error)
        raise ProtocolError(f"the answer has another shape: {reason}", excerpt=self.excerpt)


def _reason(error: Exception) -> str:
    """What an error says, shortened; of pydantic's, the field and not its value."""
    if not isinstance(error, ValidationError):
        return f"{type(error).__name__}: {str(error)[:_EXCERPT]}"
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    return f"{error.title}.{'.'.join(map(str, first['loc']))}: {first['msg']}"


def path(template: str, *ids: str) -> str:
    """Fills ``{}`` of a path with ids, percent-encoded as one segment each.

    Raises:
        InvalidError: An id is empty, is ``.`` or ``..`` (clients and servers take these for steps
            in the path, so that the request would reach another thing), or is no Unicode text.
    """
    for each in ids:
        if each in {"", ".", ".."}:
            raise InvalidError(f"the id {each!r} cannot be addressed over HTTP")
    try:
        return template.format(*[quote(each, safe="") for each in ids])
    except UnicodeEncodeError:
        raise InvalidError("an id holds a lone surrogate, which no URL can carry") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What a `trace` callback is told of one HTTP exchange; it holds no header, body or secret.

    Attributes:
        path: As sent, without the query.
        status: None when no reply came.
        seconds: From sending to the end of the body.
        size: Bytes of the reply's body.
    """

    method: str
    path: str
    status: int | None
    seconds: float
    size: int
    error: StoreError | None = None


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


def _a_page(response: Response) -> ProtocolError:
    return ProtocolError(
        "the service answered with an HTML page instead of JSON: check the base URL",
        excerpt=response.excerpt,
    )


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
