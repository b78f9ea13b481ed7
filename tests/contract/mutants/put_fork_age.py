"""Mutants of keeping: of `put_conversation`, forks, and what goes by age."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from convostore.adapters import Operation
from convostore.adapters.memory import Call, MemoryAdapter
from convostore.dsn import DSN
from convostore.errors import ConflictError, NotFoundError
from convostore.flow import Flow
from convostore.models import (
    UNSET,
    Conversation,
    ConversationChange,
    ConversationFilter,
    Listing,
    NewConversation,
    Origin,
    Page,
)
from convostore.store._operations import Operations

from .registry import in_memory, with_operations

# Put


@in_memory("test_a_put_conversation_is_kept_with_every_field")
class ForgetsFiles(MemoryAdapter):
    def put_conversation(self, conversation: Conversation) -> Flow[Call, object, None]:
        return super().put_conversation(conversation.model_copy(update={"files": ()}))


@in_memory("test_a_put_origin_keeps_what_a_mirror_noted")
class ForgetsWhatAMirrorNoted(MemoryAdapter):
    def put_conversation(self, conversation: Conversation) -> Flow[Call, object, None]:
        origin = conversation.origin
        if origin is not None:
            origin = Origin(store=origin.store, conversation_id=origin.conversation_id)
        return super().put_conversation(conversation.model_copy(update={"origin": origin}))


@in_memory("test_a_put_title_comes_back_the_same")
class StripsPutTitles(MemoryAdapter):
    def put_conversation(self, conversation: Conversation) -> Flow[Call, object, None]:
        title = conversation.title and conversation.title.strip()
        return super().put_conversation(conversation.model_copy(update={"title": title}))


@in_memory("test_putting_a_conversation_leaves_its_messages_alone")
class PutsAnew(MemoryAdapter):
    def put_conversation(self, conversation: Conversation) -> Flow[Call, object, None]:
        yield from self.delete_conversation(conversation.id)
        yield from super().put_conversation(conversation)


@in_memory("test_a_put_conversation_takes_its_place_in_the_list")
class ListsLastWhatWasPutAgain(MemoryAdapter):
    def __init__(self, dsn: DSN, options: object) -> None:
        super().__init__(dsn, options)
        self._put: list[str] = []

    def put_conversation(self, conversation: Conversation) -> Flow[Call, object, None]:
        self._put.append(conversation.id)
        return super().put_conversation(conversation)

    def list_conversations(self, listing: Listing) -> Flow[Call, object, Page[Conversation]]:
        page = yield from super().list_conversations(listing)
        items = sorted(page.items, key=lambda each: self._put.count(each.id) > 1)
        return replace(page, items=tuple(items))


@in_memory("test_ids_beyond_utf8_survive")
class ReplacesSurrogatesInTitles(MemoryAdapter):
    def create_conversation(self, new: NewConversation) -> Flow[Call, object, Conversation]:
        title = new.title and new.title.encode("utf-8", "replace").decode()
        return super().create_conversation(replace(new, title=title))


@in_memory("test_what_has_an_id_beyond_utf8_is_written_to")
class OverlooksIdsWithANUL(MemoryAdapter):
    def delete_message(
        self, conversation_id: str, message_id: str
    ) -> Flow[Call, object, bool | None]:
        return super().delete_message(conversation_id, message_id.partition("\x00")[0])


# Fork


class _ChangesForks(MemoryAdapter):
    """Spoils a conversation when it is forked."""

    def spoil(self, original: str, message_id: str, fork: Conversation) -> Conversation:
        raise NotImplementedError

    def fork_conversation(
        self,
        conversation_id: str,
        message_id: str,
        new_id: str | None,
        change: ConversationChange,
    ) -> Flow[Call, object, Conversation]:
        fork = yield from super().fork_conversation(conversation_id, message_id, new_id, change)
        return self.spoil(conversation_id, message_id, fork)


@in_memory("test_a_fork_has_the_messages_up_to_the_one_that_is_named")
class ForksTheWhole(_ChangesForks):
    def spoil(self, original: str, message_id: str, fork: Conversation) -> Conversation:
        kept, forked = self._shelf[original], self._shelf[fork.id]
        forked.messages = dict(kept.messages)
        return fork


@in_memory("test_a_fork_has_the_messages_up_to_the_one_that_is_named")
class ForgetsWhatItForked(_ChangesForks):
    def spoil(self, original: str, message_id: str, fork: Conversation) -> Conversation:
        self._shelf[fork.id].conversation = fork.model_copy(update={"origin": None})
        return self._shelf[fork.id].conversation


@in_memory("test_a_fork_and_its_original_go_separate_ways")
class SharesMessages(_ChangesForks):
    def spoil(self, original: str, message_id: str, fork: Conversation) -> Conversation:
        kept = self._shelf[original]
        if kept.find(message_id) == max(kept.messages):
            self._shelf[fork.id].messages = kept.messages
        return fork


@in_memory("test_a_fork_has_the_id_and_the_title_it_is_given")
class TakesNoTitleForTheOriginals(MemoryAdapter):
    def fork_conversation(
        self,
        conversation_id: str,
        message_id: str,
        new_id: str | None,
        change: ConversationChange,
    ) -> Flow[Call, object, Conversation]:
        kept = replace(change, title=change.title or UNSET)
        return super().fork_conversation(conversation_id, message_id, new_id, kept)


@in_memory("test_forking_to_an_id_that_is_taken_is_a_conflict")
class ForksWhatIsThereAlready(MemoryAdapter):
    def fork_conversation(
        self,
        conversation_id: str,
        message_id: str,
        new_id: str | None,
        change: ConversationChange,
    ) -> Flow[Call, object, Conversation]:
        try:
            return (
                yield from super().fork_conversation(conversation_id, message_id, new_id, change)
            )
        except ConflictError:
            return (yield from self.get_conversation(new_id or ""))


@in_memory("test_forking_what_is_absent_raises_not_found")
class ForksTheWholeInDoubt(MemoryAdapter):
    def fork_conversation(
        self,
        conversation_id: str,
        message_id: str,
        new_id: str | None,
        change: ConversationChange,
    ) -> Flow[Call, object, Conversation]:
        try:
            return (
                yield from super().fork_conversation(conversation_id, message_id, new_id, change)
            )
        except NotFoundError:
            tip = list(self._shelf[conversation_id].messages.values())[-1].id
            return (yield from super().fork_conversation(conversation_id, tip, new_id, change))


# Age


@in_memory("test_a_list_by_age_is_of_what_was_last_active_before")
class TakesADayForYoung(MemoryAdapter):
    def _matching(self, older_than: datetime | None, owner: object) -> Iterator[Any]:
        return super()._matching(older_than and older_than - timedelta(days=1), owner)


@with_operations("test_an_age_without_a_time_zone_is_refused")
class TakesNaiveAges(Operations):
    def list_conversations(self, listing: Listing) -> Any:
        age = listing.older_than and _aware(listing.older_than)
        return super().list_conversations(replace(listing, older_than=age))

    def delete_conversations(self, which: ConversationFilter) -> Any:
        age = which.older_than and _aware(which.older_than)
        return super().delete_conversations(replace(which, older_than=age))


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


@with_operations("test_a_cursor_is_of_one_age")
class ForgetsTheAgeOfCursors(Operations):
    def page(self, operation: Operation, scope: str, listing: Listing, make: Any) -> Any:
        known = "" if operation is Operation.LIST_CONVERSATIONS else scope
        return super().page(operation, known, listing, make)


@in_memory("test_a_deletion_by_age_takes_what_a_list_by_age_shows")
class SparesThePinned(MemoryAdapter):
    def delete_conversations(self, which: ConversationFilter) -> Flow[Call, object, int]:
        old = yield from self.list_conversations(Listing(older_than=which.older_than))
        doomed = [each for each in old.items if not each.pinned]
        for each in doomed:
            yield from self.delete_conversation(each.id)
        return len(doomed)


@in_memory("test_a_deletion_by_age_takes_what_a_list_by_age_shows")
class MiscountsTheDeleted(MemoryAdapter):
    def delete_conversations(self, which: ConversationFilter) -> Flow[Call, object, int]:
        return (yield from super().delete_conversations(which)) + 1
