"""The backend under test: where its stores are opened, its service, and what makes it answer.

A backend over HTTP is tested against a stand-in of its service, a function from request to response
in the same process. The kit counts its requests and puts faults in its place, without a socket.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..adapters import Adapter, AsyncTransport, Transport
from ..config import open_adapter
from ..http import Request, Response
from ..models import JSON, Transcript
from ..store import AsyncConversationStore, ConversationStore
from ._faces import Face, StoreFace, awaitable_store
from .transports import (
    AsyncServiceTransport,
    RefusingAsyncTransport,
    RefusingTransport,
    Service,
    ServiceTransport,
)

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Prompts:
    """The texts that make a backend behave as the clauses of replies require.

    Every other text must be answered with a text of several pieces, the same each time. A clause
    whose prompt is None is skipped.

    Attributes:
        thinking: Is answered with reasoning and a text.
        choice: Makes the backend ask for one of several options.
        form: Makes it ask for the fields of a form.
        filled_in: The values of the form's fields, by key.
        failing: Makes the reply break off.
        options: The options of every turn and answer, such as the name of a model.
    """

    thinking: str | None = None
    choice: str | None = None
    form: str | None = None
    filled_in: Mapping[str, JSON] = field(default_factory=dict)
    failing: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)  # as methods take them


class Backend:
    """A backend under test.

    Args:
        target: A DSN; every opening of it must reach the same data. Or a function from options to
            an adapter.
        service: The stand-in of an HTTP service; None for a backend without HTTP, or for a real
            service.
        seed: Puts sample conversations into a backend that cannot create and append: each
            `Transcript` has a conversation (id, title, created_at) and messages (id, role, one text
            part, created_at). It must keep the conversations' ids; it need not keep the messages'.
        options: The options of every opening.
        unlisted: Puts conversations beside those that the store lists, such as another user's in
            the same place, and returns a function that counts those still there. None where the
            store lists everything.
        prompts: What makes a backend with `reply` answer; without them the clauses of replies are
            skipped.

    Attributes:
        requests: The requests that the stand-in has received.
        streamed: Those of them that asked for a stream, each with its response.
    """

    def __init__(
        self,
        target: str | Callable[..., Adapter],
        *,
        service: Service | None = None,
        seed: Callable[[Sequence[Transcript]], None] | None = None,
        options: dict[str, object] | None = None,
        unlisted: Callable[[], Callable[[], int]] | None = None,
        prompts: Prompts | None = None,
    ) -> None:
        self.target = target
        self.service = service
        self.seed = seed
        self.options = options or {}
        self.unlisted = unlisted
        self.prompts = prompts
        self.requests: list[Request] = []
        self.streamed: list[tuple[Request, Response]] = []

    def adapter(self, **options: object) -> Adapter:
        """Return a new adapter with the backend's options and these."""
        merged = self.options | options
        if callable(self.target):
            return self.target(**merged)
        return open_adapter(self.target, **merged)

    def open(
        self,
        *,
        service: Service | None = None,
        transport: Transport | None = None,
        **options: object,
    ) -> ConversationStore:
        """Open a sync store, with another service or transport if given."""
        adapter = self.adapter(**options)
        used = service or self.service
        if transport is None and used is not None:
            transport = ServiceTransport(self._counted(used), self.streamed)
        return ConversationStore(adapter, transport or adapter.transport())

    def aopen(
        self,
        *,
        service: Service | None = None,
        transport: AsyncTransport | None = None,
        **options: object,
    ) -> AsyncConversationStore:
        """Open an async store, with another service or transport if given."""
        adapter = self.adapter(**options)
        used = service or self.service
        if transport is None and used is not None:
            transport = AsyncServiceTransport(self._counted(used), self.streamed)
        return AsyncConversationStore(adapter, transport or adapter.async_transport())

    def _counted(self, service: Service) -> Service:
        def counted(request: Request) -> Response:
            self.requests.append(request)
            return service(request)

        return counted


@dataclass
class Kit:
    """The backend on one face, as a clause gets it.

    Attributes:
        backend: Where stores are opened.
        face: Whether they are sync stores, which are then called as async ones.
    """

    backend: Backend
    face: Face
    _opened: list[AsyncConversationStore] = field(default_factory=list)

    def open(self, *, service: Service | None = None, **options: Any) -> AsyncConversationStore:
        """Open a store; it is closed at the end of the clause."""
        if self.face == "async":
            store = self.backend.aopen(service=service, **options)
        else:
            store = awaitable_store(self.backend.open(service=service, **options))
        self._opened.append(store)
        return store

    def open_refusing(self) -> AsyncConversationStore:
        """Open a store that lets no request leave."""
        if self.face == "async":
            return self.backend.aopen(transport=RefusingAsyncTransport())
        return awaitable_store(self.backend.open(transport=RefusingTransport()))

    async def gather(self, calls: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        """Return the results of calls made side by side: in threads, or in tasks."""
        return await StoreFace(self.face).gather(calls)

    async def close(self) -> None:
        """Close what was opened."""
        for store in self._opened:
            await store.aclose()
