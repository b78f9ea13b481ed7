"""Dialect: the server half of a service's API, sans-IO, as an adapter is its client half.

The types live here, and what carries a dialect's flow out on a store. A backend's plugin brings its
dialect beside its adapter, so that both share one `wire`; a gateway serves any store in it. No
server and no service may be known here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, TypeAlias, TypeVar
from urllib.parse import unquote

from .errors import ForbiddenError as ForbiddenError
from .errors import InvalidError, NotFoundError, ProtocolError, StoreError
from .flow import Flow, arun
from .http import Response
from .models import JSON, ReplyEvent
from .parsing import decode_json
from .store import AsyncConversationStore, AsyncReplyStream, StoreCall

__all__ = [
    "AbsentScopeError",
    "Dialect",
    "DialectFlow",
    "DialectResponse",
    "IncomingRequest",
    "ReplyEncoder",
    "StreamedResponse",
    "bearer",
    "run_dialect",
]

T = TypeVar("T")


@dataclass(frozen=True)
class IncomingRequest:
    """One HTTP request as a server received it.

    Attributes:
        path: Percent-encoded, as it was sent; begins with ``/`` and has no query.
        query: Decoded, in the order of the address.
        headers: By lower-case name.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes = field(default=b"", repr=False)

    @property
    def segments(self) -> tuple[str, ...]:
        """The path's parts, decoded one by one, so that an id may hold a slash.

        Raises:
            InvalidError: One is no UTF-8.
        """
        try:
            return tuple([unquote(each, errors="strict") for each in self.path[1:].split("/")])
        except UnicodeDecodeError:
            raise InvalidError("the path is no UTF-8") from None

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        """The query by name; of one that is repeated, the last."""
        return dict(self.query)

    @property
    def json(self) -> JSON:
        """The body, decoded.

        Raises:
            InvalidError: It is no JSON, or out of the bounds of `reading.decode_json`.
        """
        decoded, fault = self._decoded
        if fault is not None:
            raise InvalidError(fault)
        return decoded

    @cached_property
    def _decoded(self) -> tuple[JSON, str | None]:
        """The body and what is wrong with it, looked at once, however large it is."""
        try:
            return decode_json(self.content, "the body"), None
        except ProtocolError as error:
            return None, str(error)

    @cached_property
    def fields(self) -> Mapping[str, JSON]:
        """The body, where it is an object; empty where it is none, or no JSON."""
        try:
            body = self.json if self.content else None
        except InvalidError:
            return {}
        return body if isinstance(body, dict) else {}


class AbsentScopeError(NotFoundError):
    """What a request names as its scope, as FastGPT's requests name an app, is not served."""


class ReplyEncoder(ABC):
    """Writes a reply's events as a service streams them: what a `Decoder` reads. Does no I/O."""

    @abstractmethod
    def feed(self, event: ReplyEvent) -> bytes:
        """Writes one event; the last is `ReplyFinished`, whose bytes end the stream."""

    @abstractmethod
    def failed(self, error: StoreError) -> bytes:
        """Writes that the reply broke off; nothing follows."""

    def idle(self) -> bytes:
        """What is sent while nothing happens, so that nobody on the way gives up; may be empty."""
        return b""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedResponse:
    """An answer whose body is a reply as it arrives.

    Attributes:
        begin: Takes the store to the stream; where entering it fails, `Dialect.failed` answers.
        headers: By lower-case name.
    """

    begin: Callable[[AsyncConversationStore], AsyncReplyStream]
    encoder: ReplyEncoder
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


DialectResponse: TypeAlias = Response | StreamedResponse
DialectFlow: TypeAlias = Flow[StoreCall[Any], Any, T]  # Any: each call has a type of its own
"""Yields calls of the store, is sent their results, returns a `T`."""


def bearer(headers: Mapping[str, str]) -> tuple[str, ...]:
    """What follows ``Bearer`` in the header ``Authorization``, if anything does."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return (value.strip(),) if scheme.lower() == "bearer" and value.strip() else ()


class Dialect(ABC):
    """Answers a service's requests out of any store.

    Attributes:
        name: The scheme of the adapter that speaks it.
    """

    name: ClassVar[str]

    @abstractmethod
    def serves(self, request: IncomingRequest) -> bool:
        """Whether the request is one of this service's, by its method and path; pure."""

    def credentials(self, request: IncomingRequest) -> tuple[str, ...]:
        """What may be the request's token, likeliest first; none where it brings none.

        It is asked for before the body is read: only the method, path and headers are there. By
        default what follows ``Bearer`` in the header ``Authorization``.
        """
        return bearer(request.headers)

    def scope(self, request: IncomingRequest) -> str | None:  # noqa: ARG002
        """What the service's requests name of several that one server holds; None of none."""
        return None

    @abstractmethod
    def handle(self, request: IncomingRequest) -> DialectFlow[DialectResponse]:
        """Answers one request; a `StoreError` that it lets through goes to `failed`."""

    @abstractmethod
    def failed(self, request: IncomingRequest, error: StoreError) -> Response:
        """Says in the service's own way what went wrong; nothing of what is inside may show.

        Besides the store's errors there are an `AuthError` of a request without the right token,
        `ForbiddenError`, `AbsentScopeError`, and `InvalidError` of one out of the server's bounds.
        """


async def run_dialect(
    dialect: Dialect, request: IncomingRequest, store: AsyncConversationStore
) -> DialectResponse:
    """Carries a dialect's flow out on a store.

    Raises:
        StoreError: What the flow let through: `Dialect.failed` answers it.
    """
    return await arun(dialect.handle(request), lambda call: call.arun(store))
