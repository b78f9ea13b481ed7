"""Driving: how steps are carried out, on either face of a store, or in a file on the other side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from ..errors import InvalidError
from ..store import AsyncConversationStore, ConversationStore
from ..store._operations import Operations
from ._steps import Side, Step

# One flow serves both faces: it needs what they have in common, which callers do not.


def plan_of(store: ConversationStore) -> Operations:
    """The operations of a store.

    Raises:
        InvalidError: It is none, or has the other face.
    """
    if not isinstance(store, ConversationStore):
        raise _another_face(store, "ConversationStore", "open")
    return store._operations  # noqa: SLF001


def async_plan_of(store: AsyncConversationStore) -> Operations:
    """The operations of an async store.

    Raises:
        InvalidError: It is none, or has the other face.
    """
    if not isinstance(store, AsyncConversationStore):
        raise _another_face(store, "AsyncConversationStore", "aopen")
    return store._operations  # noqa: SLF001


def _another_face(store: object, needed: str, opener: str) -> InvalidError:
    given = type(store).__name__
    return InvalidError(
        f"a store of the type {needed} is needed, as convostore.{opener} gives, not {given}"
    )


def concurrency_of(store: AsyncConversationStore) -> int:
    """How many requests the store's transport permits at a time."""
    return store._transport.concurrency  # noqa: SLF001


def sender(stores: Mapping[Side, ConversationStore]) -> Callable[[Step], object]:
    """Takes a step to the store of its side; where there is none, the step is a plain call."""

    def send(step: Step) -> object:
        store = stores.get(step.where)
        return step.make() if store is None else store._run(step.make)  # noqa: SLF001

    return send


def async_sender(
    stores: Mapping[Side, AsyncConversationStore],
) -> Callable[[Step], Awaitable[object]]:
    """The same for asyncio; a plain call is made in a thread."""

    async def send(step: Step) -> object:
        store = stores.get(step.where)
        if store is not None:
            return await store._run(step.make)  # noqa: SLF001
        return await _in_thread(step.make)

    return send


async def _in_thread(call: Callable[[], object]) -> object:
    """Makes a call in a thread; a cancellation waits until it has ended, as it holds the file."""
    import asyncio

    under_way = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(under_way)
    except asyncio.CancelledError:
        await asyncio.gather(under_way, return_exceptions=True)
        raise
