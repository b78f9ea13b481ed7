"""HTTP as values: a request, a response, and the record of an exchange.

No client, no socket and no adapter may be imported here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, TypeVar
from urllib.parse import quote

from pydantic import ValidationError

from ..errors import (
    InvalidError,
    ProtocolError,
    StoreError,
)
from ..models import JSON
from ..parsing import decode_json

T = TypeVar("T")

Method: TypeAlias = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
"""An HTTP method that a request may have."""

EXCERPT: Final = 200
"""The number of characters of a text that an error shows."""
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, relative to the service's base URL.

    Attributes:
        path: The path, percent-encoded; use `path` to insert ids.
        query: The parameters; the transport encodes them.
        json: The body, sent as JSON; None sends no body.
        idempotent: Whether repeating it is harmless. None means yes for GET and HEAD, and no for
            any other method.
        patient: Whether a model has to answer first: `reply_timeout` then replaces `timeout`.
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
        """`idempotent`, or the method's default if that is None."""
        return self.method in _SAFE_METHODS if self.idempotent is None else self.idempotent


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response, with its whole body.

    Attributes:
        headers: The values by lower-case name.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes = field(default=b"", repr=False)
    _decoded: list[JSON] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def media_type(self) -> str:
        """The content type in lower case, without its parameters; empty if there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as UTF-8 text; invalid bytes are replaced."""
        return self.content.decode("utf-8", "replace")

    @property
    def excerpt(self) -> str:
        """The first characters of the text, for an error."""
        return self.text[:EXCERPT]

    def json(self) -> JSON:
        """Decode the body, once: each call returns the same value.

        Raises:
            ProtocolError: It is not JSON, or exceeds the bounds of `parsing.decode_json`.
        """
        if self.media_type == "text/html":
            raise html_page_error(self)
        if not self._decoded:
            try:
                self._decoded.append(decode_json(self.content))
            except ProtocolError as error:
                error.excerpt = self.excerpt
                raise
        return self._decoded[0]

    def read(self, reader: Callable[[JSON], T]) -> T:
        """Decode the body and convert it with a function that expects a certain shape.

        Args:
            reader: Converts the body into a value. It need not check: what Python or pydantic
                raises for a missing field or one of another type becomes a `ProtocolError`.

        Raises:
            ProtocolError: It is not JSON, or not of that shape; the message names the field.
        """
        body = self.json()
        try:
            return reader(body)
        except KeyError as error:
            reason = f"field {error} is missing"
        except (TypeError, ValueError, IndexError, AttributeError) as error:
            reason = _reason(error)
        raise ProtocolError(f"unexpected response: {reason}", excerpt=self.excerpt)


def _reason(error: Exception) -> str:
    """Return an error's text, shortened; for pydantic's errors, the field without its value."""
    if not isinstance(error, ValidationError):
        return f"{type(error).__name__}: {str(error)[:EXCERPT]}"
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    return f"{error.title}.{'.'.join(map(str, first['loc']))}: {first['msg']}"


def path(template: str, *ids: str) -> str:
    """Fill the ``{}`` of a path with ids, percent-encoded as one segment each.

    Raises:
        InvalidError: An id is empty, is ``.`` or ``..`` (clients and servers resolve these, so that
            the request would reach something else), or contains a lone surrogate.
    """
    for segment in ids:
        if segment in {"", ".", ".."}:
            raise InvalidError(f"over HTTP an id must not be empty, '.' or '..', got {segment!r}")
    try:
        return template.format(*[quote(segment, safe="") for segment in ids])
    except UnicodeEncodeError:
        raise InvalidError("an id in a URL must not contain a lone surrogate") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """The record of one HTTP exchange, for a `trace` callback; without headers, body or secrets.

    Attributes:
        path: The path as sent, without the query.
        status: The HTTP status; None if no response came.
        seconds: The time from sending the request to the end of the body.
        size: The size of the response's body in bytes.
        error: The error that ended the exchange, if one did.
    """

    method: str
    path: str
    status: int | None
    seconds: float
    size: int
    error: StoreError | None = None


def html_page_error(response: Response) -> ProtocolError:
    return ProtocolError(
        "the service returned an HTML page instead of JSON: check the base URL",
        excerpt=response.excerpt,
    )
