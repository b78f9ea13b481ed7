"""TypeErrors for the other face's syntax, such as ``async with`` on a sync store.

Type checkers see nothing of it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from functools import wraps
from typing import TYPE_CHECKING, Final, NoReturn, ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")

NOT_ASYNC: Final = (
    "this store is synchronous: write 'with' and no 'await', or open it with convostore.aopen"
)
NOT_SYNC: Final = "this store is for asyncio: write 'async with', or open it with convostore.open"
NOT_AWAITED: Final = (
    "convostore.aopen is a plain call: write it without 'await', or in 'async with'"
)
NOT_ITERATED: Final = (
    "this store is for asyncio: write 'async for', or open it with convostore.open"
)
NOT_ITERATED_ASYNC: Final = (
    "this store is synchronous: write 'for' without 'async', or open it with convostore.aopen"
)


def refuse(reason: str) -> Callable[..., NoReturn]:
    """Make a special method that raises a TypeError with this reason."""

    def refused(*_: object) -> NoReturn:
        raise TypeError(reason)

    return refused


class _AsyncItems(AsyncIterator[T]):
    """An async generator that says to ``for`` what to write.

    ``async for`` gets the generator itself, and so pays nothing for it.
    """

    def __init__(self, generator: AsyncGenerator[T]) -> None:
        self._generator = generator

    def __aiter__(self) -> AsyncGenerator[T]:
        return self._generator

    async def __anext__(self) -> T:
        return await anext(self._generator)

    async def aclose(self) -> None:
        await self._generator.aclose()

    if not TYPE_CHECKING:
        __iter__ = refuse(NOT_ITERATED)


def async_only(method: Callable[P, AsyncIterator[T]]) -> Callable[P, AsyncIterator[T]]:
    """Let an async generator method say to ``for`` what to write."""

    @wraps(method)
    def iterate(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        return _AsyncItems(cast("AsyncGenerator[T]", method(*args, **kwargs)))

    return iterate
