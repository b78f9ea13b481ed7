"""Dialects: the server half of a service's API, sans-IO, as an adapter is its client half.

A backend's plugin has its dialect next to its adapter, so that both share one schema; a gateway
serves any store in it. A dialect asks the store by `convostore.store.ask` and `look`. No server and
no service may be known here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, TypeAlias, TypeVar
from urllib.parse import unquote

from .errors import ForbiddenError as ForbiddenError
from .errors import InvalidError, NotFoundError, ProtocolError, StoreError
from .flow import arun
from .http import Response
from .models import JSON, ReplyEvent
from .parsing import decode_json
from .store import AsyncConversationStore, AsyncReplyStream, StoreFlow

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
            InvalidError: One is not UTF-8.
        """
        try:
            return tuple([unquote(part, errors="strict") for part in self.path[1:].split("/")])
        except UnicodeDecodeError:
            raise InvalidError("the path must be UTF-8") from None

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        """The query by name; the last value of a name that is repeated."""
        return dict(self.query)

    @property
    def json(self) -> JSON:
        """The body, decoded.

        Raises:
            InvalidError: It is not JSON, or out of the bounds of `parsing.decode_json`.
        """
        decoded, fault = self._decoded
        if fault is not None:
            raise InvalidError(fault)
        return decoded

    @cached_property
    def _decoded(self) -> tuple[JSON, str | None]:
        """The body and what is wrong with it, decoded once, however large it is."""
        try:
            return decode_json(self.content, "the body"), None
        except ProtocolError as error:
            return None, str(error)

    @cached_property
    def fields(self) -> Mapping[str, JSON]:
        """The body, where it is a JSON object; else empty."""
        try:
            body = self.json if self.content else None
        except InvalidError:
            return {}
        return body if isinstance(body, dict) else {}


class AbsentScopeError(NotFoundError):
    """The scope that a request names, as FastGPT's requests name an app, is not served."""


class ReplyEncoder(ABC):
    """An encoder of a reply's events as a service streams them, for a `Decoder`; it does no I/O."""

    @abstractmethod
    def feed(self, event: ReplyEvent) -> bytes:
        """Encode one event; the last is `ReplyFinished`, whose bytes end the stream."""

    @abstractmethod
    def failed(self, error: StoreError) -> bytes:
        """Encode the error that ended the reply; nothing follows."""

    def idle(self) -> bytes:
        """Return what is sent while nothing happens, so that no proxy gives up; may be empty."""
        return b""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedResponse:
    """A response whose body is a reply as it arrives.

    Attributes:
        begin: Returns the store's stream; where entering it fails, `Dialect.failed` answers.
        headers: By lower-case name.
    """

    begin: Callable[[AsyncConversationStore], AsyncReplyStream]
    encoder: ReplyEncoder
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


DialectResponse: TypeAlias = Response | StreamedResponse
"""The result of a dialect's flow: a whole response, or one whose body is a reply as it arrives."""
DialectFlow: TypeAlias = StoreFlow[T]
"""A flow that yields calls of a store, is sent their results, and returns a `T`."""


def bearer(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return what follows ``Bearer`` in the header ``Authorization``, if anything does."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return (value.strip(),) if scheme.lower() == "bearer" and value.strip() else ()


class Dialect(ABC):
    """The server half of a service's API, which answers its requests from any store.

    Attributes:
        name: The scheme of the adapter that speaks it.
    """

    name: ClassVar[str]

    @abstractmethod
    def serves(self, request: IncomingRequest) -> bool:
        """Return whether the request is one of this service's, by its method and path; pure."""

    def credentials(self, request: IncomingRequest) -> tuple[str, ...]:
        """Return what may be the request's token, likeliest first; by default a bearer token.

        It is called before the body is read: only the method, path and headers are there.
        """
        return bearer(request.headers)

    def scope(self, request: IncomingRequest) -> str | None:  # noqa: ARG002
        """Return the scope that a request names, of those that one server may have; or None."""
        return None

    @abstractmethod
    def handle(self, request: IncomingRequest) -> DialectFlow[DialectResponse]:
        """Answer one request; a `StoreError` that it does not catch goes to `failed`."""

    @abstractmethod
    def failed(self, request: IncomingRequest, error: StoreError) -> Response:
        """Return the service's response to an error; it must show nothing internal.

        Besides the store's errors there are an `AuthError` for a request without a valid token,
        `ForbiddenError`, `AbsentScopeError`, and `InvalidError` for one that exceeds the server's
        bounds.
        """


async def run_dialect(
    dialect: Dialect, request: IncomingRequest, store: AsyncConversationStore
) -> DialectResponse:
    """Run a dialect's flow on a store.

    Raises:
        StoreError: The flow did not catch it: `Dialect.failed` answers it.
    """
    return await arun(dialect.handle(request), lambda call: call.arun(store))
