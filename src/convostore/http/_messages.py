"""HTTP as values: a request, a reply, what was exchanged, and what a status means.

Costs nothing to import: no client, no socket, no adapter may be known here. `convostore.http` gives
the same names to those who write adapters.
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

_EXCERPT: Final = 200
"""Characters of a text that an error shows."""
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})


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


def _a_page(response: Response) -> ProtocolError:
    return ProtocolError(
        "the service answered with an HTML page instead of JSON: check the base URL",
        excerpt=response.excerpt,
    )
