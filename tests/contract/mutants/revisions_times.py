"""Mutants of revisions and of the times that a store notes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from convostore.adapters.memory import Call, MemoryAdapter
from convostore.flow import Flow
from convostore.models import AnyTip, Conversation, Feedback, Message, NewConversation

from .reading_writing import _ChangesMessages
from .registry import in_memory


@in_memory("test_every_write_changes_the_revision")
class TakesFeedbackForNoWrite(MemoryAdapter):
    def set_feedback(
        self, conversation_id: str, message_id: str, feedback: Feedback | None
    ) -> Flow[Call, object, None]:
        before = self._shelf[conversation_id].conversation
        yield from super().set_feedback(conversation_id, message_id, feedback)
        self._shelf[conversation_id].conversation = before


@in_memory("test_no_read_changes_the_revision")
class CountsItsReaders(MemoryAdapter):
    def get_conversation(self, conversation_id: str) -> Flow[Call, object, Conversation]:
        self._shelf[conversation_id].revise()
        return super().get_conversation(conversation_id)


@in_memory("test_a_revision_never_comes_again")
class BeginsToCountAnew(MemoryAdapter):
    def create_conversation(self, new: NewConversation) -> Flow[Call, object, Conversation]:
        made = yield from super().create_conversation(new)
        entry = self._shelf[made.id]
        entry.conversation = made.trusted_copy(revision="1")
        return entry.conversation


@in_memory("test_the_time_of_storing_is_the_stores_own_or_unknown")
class MakesUpTimes(_ChangesMessages):
    def spoil(self, message: Message) -> Message:
        return message.trusted_copy(stored_at=datetime.now(UTC))


@in_memory("test_a_history_keeps_its_times")
class TakesTheHourOfItsImport(MemoryAdapter):
    def append_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | AnyTip | None
    ) -> Flow[Call, object, tuple[Message, ...]]:
        stored = yield from super().append_messages(conversation_id, messages, after)
        self._shelf[conversation_id].revise(updated_at=datetime.now(UTC))
        return stored
