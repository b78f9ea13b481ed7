"""Tests for both faces: a sync store is called as an async one, so a test is written once.

A sync call never waits, so its coroutines need no event loop; the async face has one loop per test.
No backend and no clause may be known here.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Sequence,
)
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias, TypeVar, cast, overload

import pytest

from ..adapters import Adapter
from ..config import open_adapter
from ..store import AsyncConversationStore, ConversationStore, ReplyStream
from . import clock
from ._assertions import collect
from .transports import AsyncServiceTransport, Service, ServiceTransport

if TYPE_CHECKING:
    from ..models import ReplyEvent
    from ..store import AsyncReplyStream

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

T = TypeVar("T")

Face: TypeAlias = Literal["sync", "async"]
"""The name of one of the two classes of a store."""

FACES: Final[tuple[Face, ...]] = ("sync", "async")
"""Both faces, as parameters for tests and fixtures."""

_TURNS: Final = 100
"""The turns of the loop within which the tasks of a test must have ended."""

# Any, in this module: arguments and results are those of any method of a store.


class StoreFace:
    """The sync or the async stores, for one test; used in a ``with``.

    Stores of either face are returned as `AsyncConversationStore`. At the end of the block they are
    closed, and on the async face no task may be left.

    Args:
        name: ``"sync"`` or ``"async"``.
    """

    def __init__(self, name: Face) -> None:
        self.name: Face = name
        self._opened: list[AsyncConversationStore] = []
        self._runner: asyncio.Runner | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def open(
        self, target: str | Adapter, *, service: Service | None = None, **options: Any
    ) -> AsyncConversationStore:
        """Open a store on this face; it is closed with the face.

        Args:
            target: A DSN, the name of a profile, or an adapter.
            service: Answers the requests of an HTTP adapter in this process, without a socket.
            options: The options of the adapter; and ``transport``, in place of the adapter's, and
                ``observe``, which is called after each operation.

        Raises:
            TypeError: There are options beside an adapter.
        """
        transport, observe = options.pop("transport", None), options.pop("observe", None)
        if not isinstance(target, str) and options:
            raise TypeError(
                f"options must be those of the adapter, got {sorted(options)} beside it"
            )
        adapter = open_adapter(target, **options) if isinstance(target, str) else target
        if self.name == "async":
            if service is not None:
                transport = AsyncServiceTransport(service, [])
            return self.wrap(
                AsyncConversationStore(
                    adapter, transport or adapter.async_transport(), observe=observe
                )
            )
        if service is not None:
            transport = ServiceTransport(service, [])
        return self.wrap(
            ConversationStore(adapter, transport or adapter.transport(), observe=observe)
        )

    def wrap(self, store: ConversationStore | AsyncConversationStore) -> AsyncConversationStore:
        """Return an open store of this face to be called as an async one; closed with the face.

        Raises:
            TypeError: The store is of the other face.
        """
        if isinstance(store, AsyncConversationStore) != (self.name == "async"):
            raise TypeError(f"the store must be of the {self.name} face, got {store!r}")
        wrapped = awaitable_store(store)
        self._opened.append(wrapped)
        return wrapped

    @overload
    def run(self, result: Awaitable[T]) -> T: ...
    @overload
    def run(self, result: AsyncIterable[T]) -> list[T]: ...
    def run(self, result: Awaitable[T] | AsyncIterable[T]) -> T | list[T]:
        """Return the result of a coroutine, or the items of an async iterator as a list.

        Raises:
            AssertionError: On the sync face, something waited.
        """
        if isinstance(result, AsyncIterable):
            return self.run(collect(result))
        if self.name == "sync":
            return drive(result)
        if self._runner is None:  # made on first use: by then a clock may be installed
            autojump = clock.current()
            self._runner = asyncio.Runner(
                loop_factory=autojump.new_event_loop if autojump else None
            )
        return self._runner.run(_awaited(result))

    async def gather(self, calls: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        """Return the results of calls made side by side: in threads, or in tasks."""
        if self.name == "async":
            return list(await asyncio.gather(*[call() for call in calls]))
        with ThreadPoolExecutor(max_workers=8) as pool:
            return list(pool.map(lambda call: drive(call()), calls))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.run(self._close())
            if self.name == "async" and error is None:
                self.run(_check_no_task_is_left())
        finally:
            if self._runner is not None:
                self._runner.close()

    async def _close(self) -> None:
        for store in self._opened:
            await store.aclose()


def both_faces(test: Callable[..., Any]) -> Callable[..., None]:
    """Run a test once on the sync face and once on the async one.

    The test takes an argument `face`, a `StoreFace`, besides its fixtures; it may be a coroutine.

        @both_faces
        async def test_a_title_is_kept(face):
            store = face.open("memory://")
            made = await store.create_conversation(title="Tides")
            assert (await store.get_conversation(made.id)).title == "Tides"
    """
    signature = inspect.signature(test)
    if "face" not in signature.parameters:
        raise TypeError(f"{test.__name__} must take an argument named face")

    @functools.wraps(test)
    def on_face(*args: Any, face: Face, **kwargs: Any) -> None:
        with StoreFace(face) as opened:
            result = test(*args, face=opened, **kwargs)
            if inspect.iscoroutine(result):
                opened.run(result)

    on_face.__signature__ = signature  # type: ignore[attr-defined]  # pytest's own way to read it
    marked: Callable[..., None] = pytest.mark.parametrize("face", FACES)(on_face)
    return marked


async def _awaited(result: Awaitable[T]) -> T:
    return await result


async def _check_no_task_is_left() -> None:
    for _ in range(_TURNS):
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if not left:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"tasks are left at the end of the test: {left}")


def drive(awaitable: Awaitable[T]) -> T:
    """Run a coroutine of the sync face, without an event loop.

    Raises:
        AssertionError: It waits.
    """
    coroutine = _awaited(awaitable)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return cast("T", stop.value)
    coroutine.close()
    raise AssertionError("a call on the sync face must not wait")


def awaitable_store(store: ConversationStore | AsyncConversationStore) -> AsyncConversationStore:
    """Return a store of either face, to be called as an async one."""
    if isinstance(store, AsyncConversationStore):
        return store
    return cast("AsyncConversationStore", _AwaitableStore(store))


class _AwaitableStore:
    """A sync store whose methods are called as the async one's of the same name."""

    def __init__(self, store: ConversationStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._store, "close" if name == "aclose" else name)
        if not callable(member):
            return member
        if inspect.iscoroutinefunction(getattr(AsyncConversationStore, name, None)):
            return _awaitable(member)
        return lambda *args, **kwargs: _convert(member, args, kwargs)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._store.close()


def _awaitable(call: Callable[..., T]) -> Callable[..., Coroutine[Any, Any, T]]:
    async def awaitable(*args: object, **kwargs: object) -> T:
        return call(*args, **kwargs)

    return awaitable


def _convert(call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a method that is not a coroutine on the async face, and convert its result."""
    result = call(*args, **kwargs)
    if isinstance(result, ReplyStream):
        return awaitable_stream(result)
    if isinstance(result, ConversationStore):
        return awaitable_store(result)
    return _iterate(result) if isinstance(result, Iterator) else result


async def _iterate(items: Iterator[T]) -> AsyncIterator[T]:
    for item in items:
        yield item


def awaitable_stream(stream: ReplyStream | AsyncReplyStream) -> AsyncReplyStream:
    """Return a stream of either face, to be used as an async one."""
    if not isinstance(stream, ReplyStream):
        return stream
    return cast("AsyncReplyStream", _AwaitableStream(stream))


class _AwaitableStream:
    """A sync stream that is entered, iterated and closed as an async one."""

    def __init__(self, stream: ReplyStream) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        if name == "aclose":
            return _awaitable(self._stream.close)
        return getattr(self._stream, name)

    async def __aenter__(self) -> Self:
        self._stream.__enter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stream.__exit__(kind, error, traceback)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ReplyEvent:
        try:
            return next(self._stream)
        except StopIteration:
            raise StopAsyncIteration from None
