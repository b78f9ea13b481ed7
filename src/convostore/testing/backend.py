"""What a contract test is run on: where the store is opened, and the stand-in behind it.

A backend over HTTP is tested against a stand-in of its service, a function from request to reply in
the same process: it is counted, and faults take its place, without a socket.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar, cast

from ..adapter import Adapter, AsyncTransport, Transport
from ..config import adapter_of
from ..exchange import Request, Response
from ..models import Transcript
from ..store import AsyncConversationStore, ConversationStore

T = TypeVar("T")

Face: TypeAlias = Literal["sync", "async"]
Service: TypeAlias = Callable[[Request], Response]
"""A stand-in of a service: answers a request, or raises what a transport would."""


class Backend:
    """Where the kit opens stores.

    Args:
        target: A DSN; every opening of it must reach the same data. Or a function that takes
            options to an adapter.
        service: The stand-in of an HTTP service; None for a backend that is no HTTP service, or
            is a real one.
        seed: Puts sample conversations into a backend that cannot create and append: each
            `Transcript` has a conversation (id, title, created_at) and messages (id, role, one text
            part, created_at). The conversations' ids are to be kept, the messages' need not.
        options: Options of every opening.
        beside: Puts conversations beside those that the store lists, such as another user's in the
            same place, and returns a function that counts those still there. None where a store is
            all that there is.
    """

    def __init__(
        self,
        target: str | Callable[..., Adapter[Any, Any]],
        *,
        service: Service | None = None,
        seed: Callable[[Sequence[Transcript]], None] | None = None,
        options: dict[str, object] | None = None,
        beside: Callable[[], Callable[[], int]] | None = None,
    ) -> None:
        self.target = target
        self.service = service
        self.seed = seed
        self.options = options or {}
        self.beside = beside
        self.requests: list[Request] = []

    def adapter(self, **options: object) -> Adapter[Any, Any]:
        """Makes an adapter as a store of this backend has it."""
        merged = self.options | options
        if callable(self.target):
            return self.target(**merged)
        return adapter_of(self.target, **merged)

    def open(
        self,
        *,
        service: Service | None = None,
        transport: Transport[Any, Any] | None = None,
        **options: object,
    ) -> ConversationStore:
        """Opens the sync face, on another service or transport than its own where given."""
        adapter = self.adapter(**options)
        used = service or self.service
        if transport is None and used is not None:
            transport = _ServiceTransport(self._counted(used))
        return ConversationStore(adapter, transport or adapter.transport())

    def aopen(
        self,
        *,
        service: Service | None = None,
        transport: AsyncTransport[Any, Any] | None = None,
        **options: object,
    ) -> AsyncConversationStore:
        """Opens the async face, on another service or transport than its own where given."""
        adapter = self.adapter(**options)
        used = service or self.service
        if transport is None and used is not None:
            transport = _AsyncServiceTransport(self._counted(used))
        return AsyncConversationStore(adapter, transport or adapter.async_transport())

    def _counted(self, service: Service) -> Service:
        def counted(request: Request) -> Response:
            self.requests.append(request)
            return service(request)

        return counted


class _ServiceTransport(Transport[Request, Response]):
    def __init__(self, service: Service) -> None:
        self._service = service

    def send(self, request: Request) -> Response:
        return self._service(request)


class _AsyncServiceTransport(AsyncTransport[Request, Response]):
    concurrency = 4

    def __init__(self, service: Service) -> None:
        self._service = service

    async def send(self, request: Request) -> Response:
        return self._service(request)


class RefusingTransport(Transport[Any, Any]):
    """Lets no request leave: to show that something is refused before there is one."""

    def send(self, request: Any) -> Any:
        raise AssertionError(f"a request left: {request!r}")


class RefusingAsyncTransport(AsyncTransport[Any, Any]):
    """The same for the async face."""

    async def send(self, request: Any) -> Any:
        raise AssertionError(f"a request left: {request!r}")


_PLAIN = frozenset({"offers", "traits", "label"})
_ITERATORS = frozenset({"conversations", "messages", "transcripts"})


class _Awaited:
    """A sync store with the async one's manners, so that a clause is written once."""

    def __init__(self, store: ConversationStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        if name == "aclose":
            return _awaited(self._store.close)
        member = getattr(self._store, name)
        if name in _PLAIN:
            return member
        return _iterated(member) if name in _ITERATORS else _awaited(member)


def _awaited(call: Callable[..., T]) -> Callable[..., Coroutine[Any, Any, T]]:
    async def awaited(*args: object, **kwargs: object) -> T:
        return call(*args, **kwargs)

    return awaited


def _iterated(call: Callable[..., Iterator[T]]) -> Callable[..., AsyncIterator[T]]:
    async def iterated(*args: object, **kwargs: object) -> AsyncIterator[T]:
        for item in call(*args, **kwargs):
            yield item

    return iterated


@dataclass
class Kit:
    """What a clause is given: the backend on one face.

    Attributes:
        backend: Where stores are opened.
        face: Whether they are sync ones, wrapped so that they are awaited all the same.
    """

    backend: Backend
    face: Face
    _opened: list[AsyncConversationStore] = field(default_factory=list)

    def open(self, *, service: Service | None = None, **options: Any) -> AsyncConversationStore:
        """Opens a store; it is closed when the clause has ended."""
        if self.face == "async":
            store = self.backend.aopen(service=service, **options)
        else:
            sync = self.backend.open(service=service, **options)
            store = cast("AsyncConversationStore", _Awaited(sync))
        self._opened.append(store)
        return store

    def open_refusing(self) -> AsyncConversationStore:
        """Opens a store that lets no request leave."""
        if self.face == "async":
            return self.backend.aopen(transport=RefusingAsyncTransport())
        sync = self.backend.open(transport=RefusingTransport())
        return cast("AsyncConversationStore", _Awaited(sync))

    async def at_once(self, calls: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        """Makes calls side by side: in threads on the sync face, in tasks on the async one."""
        if self.face == "async":
            import asyncio

            return list(await asyncio.gather(*[call() for call in calls]))
        with ThreadPoolExecutor(max_workers=8) as pool:
            return list(pool.map(lambda call: drive(call()), calls))

    async def close(self) -> None:
        """Closes what was opened."""
        for store in self._opened:
            await store.aclose()


def drive(awaitable: Awaitable[T]) -> T:
    """Runs a coroutine of the sync face: it never waits, so no event loop is needed."""
    coroutine = cast("Coroutine[Any, Any, T]", awaitable)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return cast("T", stop.value)
    coroutine.close()
    raise AssertionError("a sync call waited")
