"""Mutants of lists that begin at an id, or come in the other order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

from convostore.adapters import Operation
from convostore.adapters.memory import Call, MemoryAdapter
from convostore.errors import NotFoundError
from convostore.flow import Flow
from convostore.models import Conversation, Listing, Message, Page
from convostore.store._operations import Operations

from .registry import in_memory, with_operations


@in_memory("test_a_page_of_messages_begins_with_its_start")
class BeginsAfterItsStart(MemoryAdapter):
    def list_messages(
        self, conversation_id: str, listing: Listing
    ) -> Flow[Call, object, Page[Message]]:
        page = yield from super().list_messages(conversation_id, listing)
        return page if listing.start is None else replace(page, items=page.items[1:])


@in_memory("test_a_page_of_conversations_begins_with_its_start")
class EndsWithThePageOfItsStart(MemoryAdapter):
    def list_conversations(self, listing: Listing) -> Flow[Call, object, Page[Conversation]]:
        page = yield from super().list_conversations(listing)
        return page if listing.start is None else replace(page, cursor=None)


@with_operations("test_a_start_that_is_not_listed_is_not_found")
class BeginsAtTheHeadInDoubt(Operations):
    def list_messages(self, conversation_id: str, listing: Listing) -> Any:
        listed = super().list_messages(conversation_id, listing)
        from_head = super().list_messages(conversation_id, replace(listing, start=None))

        def flow() -> Any:
            try:
                return (yield from listed())
            except NotFoundError:
                return (yield from from_head())

        return flow


@with_operations("test_a_start_and_a_cursor_are_not_taken_together")
class PrefersTheCursor(Operations):
    def page(self, operation: Operation, scope: str, listing: Listing, read: Any) -> Any:
        if listing.cursor is not None:
            listing = replace(listing, start=None)
        return super().page(operation, scope, listing, read)


@in_memory("test_conversations_oldest_first_are_the_list_reversed")
class ReversesThePageOfConversations(MemoryAdapter):
    def list_conversations(self, listing: Listing) -> Flow[Call, object, Page[Conversation]]:
        page = yield from super().list_conversations(replace(listing, reverse=False))
        return replace(page, items=page.items[::-1]) if listing.reverse else page


@with_operations("test_what_the_traits_lack_is_unsupported_before_any_request", knowing=False)
class TriesWhatItDoesNotKnow(Operations):
    def _require_filter(self, owner: object) -> None:
        pass

    def _require_list(self, name: Literal["conversations", "messages"], listing: Listing) -> None:
        pass

    def _require_changes(self, names: Iterable[str]) -> None:
        pass
