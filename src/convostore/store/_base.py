"""The base of both classes of a store: what needs no request."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from ..adapters import Adapter, Operation, Traits
from ..errors import InvalidError
from ._operations import Operations
from ._values import shown

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from ..search import Search
    from ._async import AsyncConversationStore
    from ._batches import Batches
    from ._chat_operations import ChatOperations
    from ._observation import Observer


T = TypeVar("T")


class BaseStore:
    """The part of a store that is the same for both classes."""

    def __init__(self, adapter: Adapter, observe: Observer | None) -> None:
        self._operations = Operations(adapter, observe)

    @property
    def closed(self) -> bool:
        """Whether the store is closed; for a view, whether its store is."""
        return self._operations.closed

    @property
    def observer(self) -> Observer | None:
        """The callback that is called after each operation."""
        return self._operations.observe

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.label}>"

    @property
    def label(self) -> str:
        """The store's address without options and secrets."""
        return self._operations.adapter.label

    @property
    def has_namespaces(self) -> bool:
        """Whether `with_namespace` returns a store of another namespace."""
        return self._operations.adapter.has_namespaces

    @property
    def traits(self) -> Traits:
        """The behaviour of the backend that no method shows."""
        return self._operations.adapter.traits

    @property
    def reply_options(self) -> frozenset[str]:
        """The names of the options that `reply` and similar methods accept on this backend."""
        return frozenset(self._operations.adapter.ReplyOptions.model_fields)

    @property
    def concurrency(self) -> int:
        """The number of requests that may be under way at a time; 1 for a sync store."""
        return 1

    def is_same_store(self, other: BaseStore) -> bool:
        """Return whether another store, of either class, holds the same conversations.

        Raises:
            InvalidError: The other is not a store.
        """
        theirs: object = getattr(other, "_operations", None)
        if not isinstance(theirs, Operations):
            raise InvalidError(f"other must be a store, got {shown(other)}")
        return self._operations.adapter.store_key == theirs.adapter.store_key

    def require(self, *operations: Operation | str) -> None:
        """Check that operations are offered, before the first of several calls.

        Raises:
            UnsupportedError: The backend lacks one.
            ForbiddenError: The store is read-only, and one of them writes.
        """
        for operation in operations:
            if not self.offers(operation):
                raise self._operations.adapter.unsupported(Operation(operation))

    @cached_property
    def _batches(self) -> Batches:
        from ._batches import Batches

        return Batches(self._operations)

    @property
    def _chat(self) -> ChatOperations:
        from ._chat_operations import ChatOperations

        return ChatOperations(self._operations)

    def offers(self, operation: Operation | str) -> bool:
        """Return whether the backend can do an operation.

        Args:
            operation: Named as its method is.

        Raises:
            InvalidError: There is no operation of that name.
        """
        return self._operations.offers(operation)


def adapter_of(store: BaseStore) -> Adapter:
    """Return the adapter of a store, for other modules of this library."""
    return store._operations.adapter  # noqa: SLF001  # no caller of a store needs it


def count_of(store: AsyncConversationStore) -> Awaitable[int]:
    """Call `Adapter.count_conversations`; of a sync store, the result is returned at once."""
    return store._run(store._operations.count_conversations())  # noqa: SLF001  # as above


def search_of(*values: Any) -> Search:
    from ..search import Search  # what it cuts texts with takes its time to load

    return Search(*values)
