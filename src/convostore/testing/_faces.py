"""The sync face with the async one's manners, so that a clause is written once for both.

Nothing is checked here, and nothing waits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast

from ..store import AsyncConversationStore, ConversationStore

if TYPE_CHECKING:
    from ..models import ReplyEvent
    from ..store import AsyncReplyStream, ReplyStream

T = TypeVar("T")

_PLAIN: Final = frozenset(
    {
        "closed",
        "concurrency",
        "is_same_store",
        "keeps_json",
        "label",
        "offers",
        "reply_options",
        "require",
        "traits",
    }
)
_ITERATORS: Final = frozenset({"conversations", "messages", "transcripts"})
_STREAMS: Final = frozenset({"stream_reply", "stream_answer", "resume_reply"})


def awaited_store(store: ConversationStore) -> AsyncConversationStore:
    """A sync store with the async one's manners."""
    return cast("AsyncConversationStore", _Awaited(store))


class _Awaited:
    def __init__(self, store: ConversationStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        if name == "aclose":
            return _awaited(self._store.close)
        member = getattr(self._store, name)
        if name in _PLAIN:
            return member
        if name in _STREAMS:
            return _streamed(member)
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


def _streamed(call: Callable[..., ReplyStream]) -> Callable[..., AsyncReplyStream]:
    return lambda *args, **kwargs: awaited_stream(call(*args, **kwargs))


def awaited_stream(stream: ReplyStream | AsyncReplyStream) -> AsyncReplyStream:
    """A stream of either face with the async one's manners."""
    if hasattr(stream, "__aenter__"):
        return cast("AsyncReplyStream", stream)
    return cast("AsyncReplyStream", _AwaitedStream(stream))


class _AwaitedStream:
    """A sync stream with the async one's manners."""

    def __init__(self, stream: ReplyStream) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        if name == "aclose":
            return _awaited(self._stream.close)
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


def drive(awaitable: Awaitable[T]) -> T:
    """Runs a coroutine of the sync face: it never waits, so no event loop is needed."""
    coroutine = cast("Coroutine[Any, Any, T]", awaitable)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return cast("T", stop.value)
    coroutine.close()
    raise AssertionError("a sync call waited")
