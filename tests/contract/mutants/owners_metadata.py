"""Mutants of owners and metadata."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from convostore.adapters import Operation, Turn
from convostore.adapters.echo import EchoAdapter
from convostore.adapters.memory import Call, MemoryAdapter
from convostore.flow import Flow
from convostore.models import (
    UNSET,
    Conversation,
    ConversationChange,
    Listing,
    NewConversation,
    Page,
)
from convostore.store._operations import Operations

from .put_fork_age import _ChangesForks
from .registry import in_echo, in_memory, with_operations


@in_memory("test_a_conversation_has_only_what_is_declared")
class DoesNotDeclareItsPins(MemoryAdapter):
    traits = replace(
        MemoryAdapter.traits,
        keeps=frozenset({"owner", "metadata"}),
        changes=frozenset({"title", "owner", "metadata"}),
    )

    def list_conversations(self, listing: Listing) -> Flow[Call, object, Page[Conversation]]:
        page = yield from super().list_conversations(listing)
        return replace(page, items=tuple([item.trusted_copy(pinned=True) for item in page.items]))


@in_memory("test_an_owner_is_given_changed_and_taken_away")
class ForgetsOwners(MemoryAdapter):
    def create_conversation(self, new: NewConversation) -> Flow[Call, object, Conversation]:
        return super().create_conversation(replace(new, owner=None))


@in_memory("test_a_list_by_owner_is_of_that_owner")
class TakesNobodyForAnybody(MemoryAdapter):
    def _matching(self, older_than: datetime | None, owner: object) -> Iterator[Any]:
        matching = list(super()._matching(older_than, owner))
        return iter(matching if owner is not None else matching[1:])


@with_operations("test_a_cursor_is_of_one_owner")
class ForgetsTheOwnerOfCursors(Operations):
    def page(self, operation: Operation, scope: str, listing: Listing, make: Any) -> Any:
        return super().page(operation, scope.partition(" owner=")[0], listing, make)


@in_memory(
    "test_a_search_by_owner_is_in_that_owners_conversations",
    "test_a_deletion_by_owner_takes_what_its_list_shows",
)
class TakesOwnersInAnyCase(MemoryAdapter):
    def _matching(self, older_than: datetime | None, owner: object) -> Iterator[Any]:
        if not isinstance(owner, str):
            return super()._matching(older_than, owner)
        return (
            entry
            for entry in super()._matching(older_than, UNSET)
            if (entry.conversation.owner or "").casefold() == owner.casefold()
        )


@in_memory("test_metadata_comes_back_the_same")
class TakesMetadataForTexts(MemoryAdapter):
    def create_conversation(self, new: NewConversation) -> Flow[Call, object, Conversation]:
        texts = {key: str(value) for key, value in new.metadata.items()}
        return super().create_conversation(replace(new, metadata=texts))


class _MergesAnotherWay(MemoryAdapter):
    """Stores the metadata that `merge` returns."""

    def merge(self, stored: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def update_conversation(
        self, conversation_id: str, change: ConversationChange
    ) -> Flow[Call, object, None]:
        stored = dict(self._shelf[conversation_id].conversation.metadata)
        yield from super().update_conversation(conversation_id, replace(change, metadata=UNSET))
        if change.metadata is not UNSET:
            merged = self.merge(stored, dict(change.metadata))
            self._shelf[conversation_id].revise(
                metadata={key: value for key, value in merged.items() if value is not None}
            )


@in_memory("test_metadata_is_merged_by_key")
class MergesAllTheWayDown(_MergesAnotherWay):
    def merge(self, stored: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
        both = {key: value for key, value in change.items() if isinstance(value, dict)}
        merged = {key: {**(stored.get(key) or {}), **value} for key, value in both.items()}
        return {**stored, **change, **merged}


@in_memory("test_merges_side_by_side_all_hold")
class ReplacesMetadata(_MergesAnotherWay):
    def merge(self, stored: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
        return change


@in_memory("test_metadata_that_grows_too_large_is_refused")
class KeepsAnyAmount(_MergesAnotherWay):
    def merge(self, stored: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
        return {**stored, **change}


@in_memory("test_metadata_is_copied_in_and_out")
class HandsOutItsOwn(MemoryAdapter):
    def get_conversation(self, conversation_id: str) -> Flow[Call, object, Conversation]:
        yield from super().get_conversation(conversation_id)
        return self._shelf[conversation_id].conversation


@in_memory("test_a_fork_keeps_the_owner_and_the_metadata")
class ForksForNobody(_ChangesForks):
    def spoil(self, original: str, message_id: str, fork: Conversation) -> Conversation:
        self._shelf[fork.id].revise(owner=None)
        return self._shelf[fork.id].conversation


@in_echo("test_a_conversation_that_a_turn_begins_has_its_owner")
class BeginsForNobody(EchoAdapter):
    def stream_reply(self, turn: Turn) -> Any:
        return super().stream_reply(replace(turn, owner=None))
