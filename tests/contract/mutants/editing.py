"""Mutants of edits: of replacing with a tip, and of one message changed, popped, deleted or got."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convostore.adapters.memory import Call, MemoryAdapter
from convostore.dsn import DSN
from convostore.errors import ConflictError, NotFoundError
from convostore.flow import Flow
from convostore.http import HTTPFlow, Request, path
from convostore.models import ANY, AnyTip, Listing, Message, TextPart
from convostore.search import Hit, Search, searchable_text

from .registry import in_memory, over_http
from .sample_service import SampleAdapter
from .search import Ranked


@in_memory("test_a_replacement_with_another_tip_is_a_conflict")
class ReplacesWhateverTheTip(MemoryAdapter):
    def replace_messages(
        self,
        conversation_id: str,
        messages: Sequence[Message],
        after: str | None,
        tip: str | AnyTip | None,
    ) -> Flow[Call, object, tuple[Message, ...]]:
        return super().replace_messages(conversation_id, messages, after, ANY)


@in_memory("test_a_repeated_replacement_changes_nothing")
class RefusesARepeatedReplacement(MemoryAdapter):
    def replace_messages(
        self,
        conversation_id: str,
        messages: Sequence[Message],
        after: str | None,
        tip: str | AnyTip | None,
    ) -> Flow[Call, object, tuple[Message, ...]]:
        stored = (yield from self.list_messages(conversation_id, Listing())).items
        if tip is not ANY and tip != (stored[-1].id if stored else None):
            raise ConflictError("the tip has moved")
        return (yield from super().replace_messages(conversation_id, messages, after, ANY))


@in_memory("test_a_message_is_got_by_its_id")
class GetsTheMessageOfAnotherConversation(MemoryAdapter):
    def get_message(self, conversation_id: str, message_id: str) -> Flow[Call, object, Message]:
        try:
            return (yield from super().get_message(conversation_id, message_id))
        except NotFoundError:
            for other in self._shelf.kept:
                listed = yield from self.list_messages(other, Listing())
                for message in listed.items:
                    if message.id == message_id:
                        return message
            raise


class _ChangesEdits(MemoryAdapter):
    """Spoils a conversation when one of its messages is edited."""

    def spoil(self, conversation_id: str, edited: Message) -> None:
        raise NotImplementedError

    def update_message(
        self, conversation_id: str, message: Message, was: Message | AnyTip
    ) -> Flow[Call, object, Message]:
        edited = yield from super().update_message(conversation_id, message, was)
        self.spoil(conversation_id, edited)
        return edited


@in_memory("test_an_edited_message_keeps_its_place")
class MovesWhatIsEditedToTheEnd(_ChangesEdits):
    def spoil(self, conversation_id: str, edited: Message) -> None:
        entry = self._shelf[conversation_id]
        sequence = entry.find(edited.id)
        assert sequence is not None
        entry.messages[entry.next_sequence] = entry.messages.pop(sequence)
        entry.next_sequence += 1


@in_memory("test_an_edit_of_what_was_changed_meanwhile_is_a_conflict")
class OverlooksWhatItWas(MemoryAdapter):
    def update_message(
        self, conversation_id: str, message: Message, was: Message | AnyTip
    ) -> Flow[Call, object, Message]:
        return super().update_message(conversation_id, message, ANY)


@in_memory("test_an_edit_that_changes_nothing_is_no_write")
class TakesEveryEditForAWrite(_ChangesEdits):
    def spoil(self, conversation_id: str, edited: Message) -> None:
        self._shelf[conversation_id].touch()


@in_memory("test_an_edit_of_a_json_type_alone_is_a_write")
class TakesWhatPythonTakesForEqual(MemoryAdapter):
    def update_message(
        self, conversation_id: str, message: Message, was: Message | AnyTip
    ) -> Flow[Call, object, Message]:
        stored = yield from self.get_message(conversation_id, message.id)
        if stored == message:
            return stored
        return (yield from super().update_message(conversation_id, message, was))


@in_memory("test_editing_what_is_absent_raises_not_found")
class OverlooksEditsOfWhatIsAbsent(MemoryAdapter):
    def update_message(
        self, conversation_id: str, message: Message, was: Message | AnyTip
    ) -> Flow[Call, object, Message]:
        try:
            return (yield from super().update_message(conversation_id, message, was))
        except NotFoundError:
            return message


@in_memory("test_an_edited_message_is_found_by_its_new_words")
class IndexesNoEdits(MemoryAdapter):
    def __init__(self, dsn: DSN, options: object) -> None:
        super().__init__(dsn, options)
        self._texts: dict[str, str] = {}

    def update_message(
        self, conversation_id: str, message: Message, was: Message | AnyTip
    ) -> Flow[Call, object, Message]:
        stored = yield from self.get_message(conversation_id, message.id)
        self._texts[message.id] = searchable_text(stored)
        return (yield from super().update_message(conversation_id, message, was))

    def _found(self, search: Search) -> Iterator[Ranked]:
        return (ranked for ranked in super()._found(search) if self._sees(search, ranked[1]))

    def _sees(self, search: Search, hit: Hit) -> bool:
        known = self._texts.get(hit.message.id) if hit.message else None
        return known is None or bool(search.find(known))


# Pop


@in_memory("test_the_last_message_is_popped")
class PopsTheFirst(MemoryAdapter):
    def pop_message(
        self, conversation_id: str, tip: str | AnyTip
    ) -> Flow[Call, object, Message | None]:
        stored = (yield from self.list_messages(conversation_id, Listing())).items
        if tip is not ANY or not stored:
            return (yield from super().pop_message(conversation_id, tip))
        yield from self.delete_message(conversation_id, stored[0].id)
        return stored[0]


@in_memory("test_a_pop_with_another_tip_is_a_conflict")
class PopsWhateverTheTip(MemoryAdapter):
    def pop_message(
        self, conversation_id: str, tip: str | AnyTip
    ) -> Flow[Call, object, Message | None]:
        return super().pop_message(conversation_id, ANY)


@in_memory("test_pops_side_by_side_return_different_messages")
class GivesOneMessageToTwo(MemoryAdapter):
    def __init__(self, dsn: DSN, options: object) -> None:
        super().__init__(dsn, options)
        self._popped: list[Message | None] = []

    def pop_message(
        self, conversation_id: str, tip: str | AnyTip
    ) -> Flow[Call, object, Message | None]:
        message = yield from super().pop_message(conversation_id, tip)
        self._popped.append(message)
        return self._popped[0] if self._popped.index(message) == 1 else message


@over_http("test_a_pop_of_any_message_is_never_repeated")
class RepeatsPops(SampleAdapter):
    def pop_message(self, conversation_id: str, tip: str | AnyTip) -> HTTPFlow[Message | None]:
        yield Request("POST", path("/chats/{}/pop", conversation_id), json={}, idempotent=True)
        return Message(role="user", parts=(TextPart(text="popped"),))


@in_memory("test_a_deletion_of_a_message_says_whether_it_was_there")
class SaysThatItDeletedAnything(MemoryAdapter):
    def delete_message(
        self, conversation_id: str, message_id: str
    ) -> Flow[Call, object, bool | None]:
        yield from super().delete_message(conversation_id, message_id)
        return True
