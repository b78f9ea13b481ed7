"""Calls of a store as values: a flow yields them, and a store of either class carries them out.

A flow of store calls is written once and does no I/O; dialects and transfers are made of such
flows. Nothing here knows which operations there are.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, cast

from ..flow import Flow

if TYPE_CHECKING:
    from ._async import AsyncConversationStore
    from ._sync import ConversationStore

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoreCall(Generic[T]):
    """A call of a store, yielded by a flow; the flow is sent its result.

    Attributes:
        make: Calls a method of the store. It is written for the async class, whose methods have the
            names and arguments of the sync one's.
    """

    make: Callable[[AsyncConversationStore], Awaitable[T] | T]

    def run(self, store: ConversationStore) -> T:
        """Make the call on a store and return its result."""
        return cast("T", self.make(cast("AsyncConversationStore", store)))

    async def arun(self, store: AsyncConversationStore) -> T:
        """Make the call on an async store and return its result."""
        result = self.make(store)
        return await result if inspect.isawaitable(result) else result


StoreFlow: TypeAlias = Flow[StoreCall[Any], Any, T]  # Any: each call has a type of its own
"""A flow that yields calls of a store, is sent their results, and returns a `T`."""


def ask(make: Callable[[AsyncConversationStore], Awaitable[T]]) -> StoreFlow[T]:
    """Ask a store for the result of one operation: ``ask(lambda store: store.search(text))``."""
    return cast("T", (yield StoreCall(make)))


def look(make: Callable[[AsyncConversationStore], T]) -> StoreFlow[T]:
    """Read what a store knows without a request, such as what it `offers`."""
    return cast("T", (yield StoreCall(make)))
