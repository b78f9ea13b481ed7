"""Mutants of arguments: what is wrong gets in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from convostore.adapters import Operation
from convostore.adapters.memory import Call, MemoryAdapter
from convostore.errors import InvalidError
from convostore.flow import Flow
from convostore.models import ConversationChange, Listing
from convostore.search import Search
from convostore.store._operations import Operations

from .registry import in_memory, with_operations


@with_operations("test_a_wrong_value_written_is_invalid_and_changes_nothing")
class TakesAnyChange(Operations):
    def update_conversation(self, conversation_id: str, change: ConversationChange) -> Any:
        return self.bind(
            Operation.UPDATE_CONVERSATION,
            partial(self.adapter.update_conversation, conversation_id, change),
        )


@with_operations("test_a_wrong_value_read_with_is_invalid")
class SearchesForAnything(Operations):
    def search(self, search: Search, listing: Listing) -> Any:
        return self.bind(Operation.SEARCH, partial(self.adapter.search, search, listing))


@in_memory("test_a_wrong_value_in_a_batch_changes_nothing")
class StoresTheRestOfABatch(MemoryAdapter):
    def batch(
        self, flows: Sequence[Flow[Call, object, Any]]
    ) -> Flow[Call, object, tuple[Any, ...]]:
        results = []
        for flow in flows:
            try:
                results.append((yield from flow))
            except InvalidError:
                results.append(None)
        return tuple(results)
