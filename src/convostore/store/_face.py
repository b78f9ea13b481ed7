"""The base of both classes of a store: what needs no request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ..adapters import Adapter, Operation, Traits
from ._operations import Operations

if TYPE_CHECKING:
    from ..search import Search
    from ._chat_operations import ChatOperations


T = TypeVar("T")


class BaseStore:
    """What both faces tell without asking the backend."""

    def __init__(self, adapter: Adapter) -> None:
        self._operations = Operations(adapter)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.label}>"

    @property
    def label(self) -> str:
        """The store's address without options and secrets."""
        return self._operations.adapter.label

    @property
    def traits(self) -> Traits:
        """How the backend behaves where no method shows it."""
        return self._operations.adapter.traits

    @property
    def reply_options(self) -> frozenset[str]:
        """The names of the options that `reply` and its kin take on this backend."""
        return frozenset(self._operations.adapter.ReplyOptions.model_fields)

    @property
    def _chat(self) -> ChatOperations:
        from ._chat_operations import ChatOperations

        return ChatOperations(self._operations)

    def offers(self, operation: Operation | str) -> bool:
        """Whether the backend can do an operation, named as its method is.

        Raises:
            InvalidError: There is no operation of that name.
        """
        return self._operations.offers(operation)


def search_of(*values: Any) -> Search:
    from ..search import Search  # what it cuts texts with takes its time to load

    return Search(*values)
