"""Calls of a transfer, on its source, its target and its file, and the two drivers of them.

A transfer is a flow of such calls, written once for both classes of a store. Which calls there are
and what is done with their results is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from ..errors import InvalidError
from ..store import AsyncConversationStore, ConversationStore, StoreCall

T = TypeVar("T")

Store: TypeAlias = ConversationStore | AsyncConversationStore
"""A store of either class, of which a flow reads only what needs no request."""


class SourceCall(StoreCall[T]):
    """A call of the store that is read."""


class TargetCall(StoreCall[T]):
    """A call of the store that is written."""


@dataclass(frozen=True, slots=True)
class FileCall(Generic[T]):
    """A call that reads or writes a file; the async driver makes it in a thread."""

    make: Callable[[], T]


Call: TypeAlias = SourceCall[Any] | TargetCall[Any] | FileCall[Any]
Steps: TypeAlias = Generator[Call, Any, T]  # Any: each call has a result of its own
"""A flow that yields calls and is sent their results; `flow.run` and `flow.arun` drive it."""


def sender(
    stores: Mapping[type[StoreCall[Any]], ConversationStore],
) -> Callable[[Call], object]:
    """Return a function that makes the calls of a flow.

    Args:
        stores: By `SourceCall` and `TargetCall`.

    Raises:
        InvalidError: One is not a `ConversationStore`.
    """
    for store in stores.values():
        _check_class(store, ConversationStore, "open")

    def send(call: Call) -> object:
        return call.make() if isinstance(call, FileCall) else call.run(stores[type(call)])

    return send


def async_sender(
    stores: Mapping[type[StoreCall[Any]], AsyncConversationStore],
) -> Callable[[Call], Awaitable[object]]:
    """Return a function that makes the calls of a flow, for asyncio; see `sender`."""
    for store in stores.values():
        _check_class(store, AsyncConversationStore, "aopen")

    async def send(call: Call) -> object:
        if isinstance(call, FileCall):
            return await _in_thread(call.make)
        return await call.arun(stores[type(call)])

    return send


def _check_class(store: object, needed: type[Store], opener: str) -> None:
    if not isinstance(store, needed):
        other = isinstance(store, ConversationStore | AsyncConversationStore)
        name = "begins" if needed is ConversationStore else "does not begin"
        advice = f", or call the function whose name {name} with 'a'" if other else ""
        raise InvalidError(
            f"the store must be what convostore.{opener} returns, got {type(store).__name__}"
            f"{advice}"
        )


async def _in_thread(call: Callable[[], object]) -> object:
    """Make a call in a thread; a cancellation waits until it has ended, as it holds the file."""
    import asyncio

    under_way = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(under_way)
    except asyncio.CancelledError:
        await asyncio.gather(under_way, return_exceptions=True)
        raise
