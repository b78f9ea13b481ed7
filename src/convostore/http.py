"""HTTP: requests and replies as values, what every HTTP adapter shares, and the two transports.

The only module that imports an HTTP client, inside its transports, so that its values cost nothing
to import. No httpx type may stand in a public signature, and no service's paths or fields here.
"""

from __future__ import annotations

import base64
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, TypeAlias, TypeVar
from urllib.parse import quote, urljoin, urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator

from .adapter import Adapter, AsyncTransport, Options, Transport
from .dsn import DSN
from .errors import (
    AuthError,
    ConfigError,
    ConflictError,
    InvalidError,
    NotFoundError,
    ProtocolError,
    RateLimitError,
    StoreError,
    UnavailableError,
    redact,
)
from .flow import Flow, retrying
from .models import JSON
from .reading import decode_json

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

Method: TypeAlias = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

_log: Final = logging.getLogger("convostore.http")
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_MAX_REDIRECTS: Final = 5
_EXCERPT: Final = 200
_KEEP_ALIVE: Final = 4.0
"""Seconds that an idle connection is kept: Node closes its side after 5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _RequestFields:
    query: tuple[tuple[str, str], ...] = ()
    json: JSON = None
    headers: tuple[tuple[str, str], ...] = ()
    idempotent: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, relative to the service's base URL.

    Attributes:
        path: Percent-encoded; made with `path` where it holds an id.
        query: Added to the path; encoded by the transport.
        json: The body, sent as JSON; None sends none.
        idempotent: Whether repeating it is harmless. GET and HEAD are unless it says otherwise;
            nothing else is, whatever its method is called.
    """

    method: Method
    path: str
    query: tuple[tuple[str, str], ...] = field(default=(), kw_only=True)
    json: JSON = field(default=None, kw_only=True)
    headers: tuple[tuple[str, str], ...] = field(default=(), kw_only=True, repr=False)
    idempotent: bool | None = field(default=None, kw_only=True)

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

    @property
    def media_type(self) -> str:
        """The content type without its parameters, lower-case; empty when there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as UTF-8; what is none is replaced."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> JSON:
        """Decodes the body.

        Raises:
            ProtocolError: It is no JSON, or out of the bounds of `reading.decode_json`.
        """
        if self.media_type == "text/html":
            raise ProtocolError(
                "the service answered with an HTML page instead of JSON: check the base URL",
                excerpt=self.text[:_EXCERPT],
            )
        try:
            return decode_json(self.content)
        except ProtocolError as error:
            error.excerpt = self.text[:_EXCERPT]
            raise


def path(template: str, *ids: str) -> str:
    """Fills ``{}`` of a path with ids, percent-encoded as one segment each.

    Raises:
        InvalidError: An id is empty, is ``.`` or ``..`` (clients and servers take these for steps in
            the path, so that the request would reach another thing), or is no Unicode text.
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


def _header_lines(value: object) -> object:
    """Reads ``Name: value`` lines, the form that DSNs and environment variables can hold."""
    if not isinstance(value, str):
        return value
    lines = [line.partition(":") for line in value.splitlines() if line.strip()]
    return {name.strip(): content.strip() for name, _, content in lines}


class HTTPOptions(Options):
    """The options that every HTTP adapter takes.

    Attributes:
        timeout: Seconds for each of: connecting, sending, and waiting for the next bytes.
        retries: How often one harmless request is repeated after a passing failure; 0 turns it off.
        concurrency: How many requests of one store are under way at a time (async).
        headers: Sent with every request; in a DSN or the environment as ``Name: value`` lines.
        verify: Whether to verify TLS certificates, or the path of a file of trusted ones.
        proxy: The URL of a proxy; the environment's proxies are used without it.
        max_body: The most bytes of one answer.
        trace: Called with an `Exchange` after each request; only as an argument.
    """

    timeout: float = Field(default=30.0, gt=0)
    retries: int = Field(default=2, ge=0)
    concurrency: int = Field(default=4, ge=1)
    headers: Annotated[dict[str, SecretStr], BeforeValidator(_header_lines)] = Field(
        default_factory=dict
    )
    verify: bool | str = True
    proxy: SecretStr | None = None
    max_body: int = Field(default=512 * 2**20, ge=1)
    trace: Callable[[Exchange], None] | None = Field(default=None, repr=False)

    @field_validator("headers")
    @classmethod
    def _headers_are_sendable(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            text = name + value.get_secret_value()
            if not name or not text.isprintable() or not text.isascii():
                raise ValueError("a header must be printable ASCII on one line")
        return headers


class HTTPAdapter(Adapter[Request, Response]):
    """What adapters of HTTP services share: transports, retries, and reading failures.

    A subclass writes operations as flows of `Request` and, where its service has its own way to say
    no, `failure`.
    """

    Options: ClassVar[type[Options]] = HTTPOptions

    def transport(self) -> Transport[Request, Response]:
        return HTTPTransport(self.base_url, self.options, self.authorization())

    def async_transport(self) -> AsyncTransport[Request, Response]:
        return AsyncHTTPTransport(self.base_url, self.options, self.authorization())

    def __init__(self, dsn: DSN, options: Any) -> None:
        super().__init__(dsn, options)
        self.base_url = dsn.base_url.rstrip("/")

    def authorization(self) -> str | None:
        """The ``Authorization`` header; by default HTTP Basic when the DSN names a user."""
        if self.dsn.username is None:
            return None
        pair = f"{self.dsn.username}:{self.dsn.password or ''}"
        return "Basic " + base64.b64encode(pair.encode()).decode("ascii")

    def secrets(self) -> Iterator[str]:
        """What must never show in a message: every secret option, password and header."""
        yield from filter(None, (self.dsn.password, self.authorization()))
        for value in dict(self.options).values():
            for each in value.values() if isinstance(value, dict) else (value,):
                if isinstance(each, SecretStr):
                    yield each.get_secret_value()

    def surround(self, flow: Flow[Request, Response, T]) -> Flow[Request, Response, T]:
        return retrying(
            self._redacting(flow),
            retries=self.options.retries,
            failure=self._failure,
            repeatable=lambda request: request.repeatable,
            delay=_delay,
        )

    def _redacting(self, flow: Flow[Request, Response, T]) -> Flow[Request, Response, T]:
        try:
            return (yield from flow)
        except ProtocolError as error:
            error.excerpt = error.excerpt and redact(error.excerpt, self.secrets())
            raise

    def _failure(self, request: Request, response: Response) -> StoreError | None:
        error = self.failure(request, response)
        if error is not None and error.detail is not None:
            error.detail = redact(error.detail, self.secrets())
        return error

    def failure(self, request: Request, response: Response) -> StoreError | None:
        """Says which error a reply stands for; None when it is a result.

        Pure, so that a test needs no service. By default the HTTP status decides.
        """
        return status_error(request, response)


def status_error(
    request: Request, response: Response, detail: str | None = None
) -> StoreError | None:
    """The error that an HTTP status stands for; None below 300.

    Args:
        request: What was asked.
        response: What came.
        detail: What the service itself said; by default the body's ``message``, if it has one.
    """
    status = response.status
    if status < 300:
        return None
    said = detail if detail is not None else _said(response)
    asked = f"{request.method} {request.path}"
    told = f"{asked} was answered {status}" + (f": {said}" if said else "")
    match status:
        case 401 | 403:
            return AuthError(f"{told}; check the credential and what it may do", detail=said)
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


_PATIENCE: Final = 60.0
"""Seconds: a service that asks for a longer wait gets an error instead, with `retry_after`."""


def _delay(attempts: int, error: StoreError) -> float | None:
    asked: float | None = getattr(error, "retry_after", None)
    if asked is not None:
        return asked if asked <= _PATIENCE else None
    return min(8.0, 0.25 * 2.0**attempts) * random.uniform(0.5, 1.0)  # noqa: S311  # no secret
