"""Clauses of writing: what is written is there, repeats do no harm, nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from ...adapters import Operation
from ...errors import ConflictError, InvalidError, NotFoundError, UnsupportedError
from ...models import Feedback, Message, Origin, TextPart
from ...store import AsyncConversationStore, WriteCall
from .._assertions import NotOffered, collected, filled, raises, require, role_text_pairs
from .._backend import Kit
from ..samples import BEYOND_UTF8, START, dialogue, everything, several, text_message

__all__ = ["WritingClauses"]

_ABSENT = "there-is-no-such-conversation"
_DELETED_MESSAGE = "m00001"


class WritingClauses:
    """What holds of the writing operations that a backend offers."""

    # Write, then read

    async def test_a_created_conversation_is_there(self, kit: Kit) -> None:
        store = kit.open()
        require(store, Operation.CREATE_CONVERSATION)
        origin = Origin(store="elsewhere://", conversation_id="x")
        made = await store.create_conversation(title="ʻ", created_at=START, origin=origin)
        assert (made.title, made.created_at, made.origin) == ("ʻ", START, origin)
        assert await store.get_conversation(made.id) == made
        assert await collected(store.messages(made.id)) == []
        other = await store.create_conversation(title="ʻ")
        assert other.id != made.id
        with raises(InvalidError):
            await store.create_conversation(id="")

    async def test_appended_messages_are_there(self, kit: Kit) -> None:
        store = await _with_one(kit, Operation.APPEND_MESSAGES)
        before = await collected(store.messages("c0000"))
        new = [text_message(f"new {each}", "user", 100 + each) for each in range(3)]
        stored = await store.append_messages("c0000", new)
        assert role_text_pairs(stored) == role_text_pairs(new)
        assert await collected(store.messages("c0000")) == [*before, *stored]

    async def test_replaced_messages_take_the_place_of_the_tail(self, kit: Kit) -> None:
        store = await _with_one(kit, Operation.REPLACE_MESSAGES, messages=5)
        before = await collected(store.messages("c0000"))
        new = [text_message("rewritten", "assistant", 100)]
        await store.replace_messages("c0000", new, after=before[1].id)
        after = await collected(store.messages("c0000"))
        assert role_text_pairs(after) == [*role_text_pairs(before[:2]), ("assistant", "rewritten")]
        await store.replace_messages("c0000", new, after=None)
        assert role_text_pairs(await collected(store.messages("c0000"))) == role_text_pairs(new)

    async def test_an_update_changes_what_is_named_and_no_more(self, kit: Kit) -> None:
        store = await _with_one(kit, Operation.UPDATE_CONVERSATION)
        await store.update_conversation("c0000", title="renamed")
        assert (await store.get_conversation("c0000")).title == "renamed"
        await store.update_conversation("c0000", pinned=True)
        got = await store.get_conversation("c0000")
        assert (got.title, got.pinned) == ("renamed", True)
        await store.update_conversation("c0000", pinned=False)
        assert not (await store.get_conversation("c0000")).pinned

    async def test_a_deleted_conversation_is_gone(self, kit: Kit) -> None:
        store = await filled(kit, several(3))
        require(store, Operation.DELETE_CONVERSATION)
        await store.delete_conversation("c0001")
        listed = {each.id for each in await collected(store.conversations())}
        assert listed == {"c0000", "c0002"}
        with raises(NotFoundError):
            await store.get_conversation("c0001")
        if not store.traits.deleted_readable:
            with raises(NotFoundError):
                await store.list_messages("c0001")

    async def test_cleared_conversations_are_gone(self, kit: Kit) -> None:
        store = await filled(kit, several(3))
        require(store, Operation.CLEAR_CONVERSATIONS)
        await store.clear_conversations()
        assert await collected(store.conversations()) == []
        await store.clear_conversations()

    async def test_a_clear_takes_what_is_listed_or_says_that_it_takes_more(self, kit: Kit) -> None:
        store = await filled(kit, several(2))
        require(store, Operation.CLEAR_CONVERSATIONS)
        if kit.backend.beside is None:
            raise NotOffered("there is nothing beside what the store lists")
        count = kit.backend.beside()
        before = count()
        assert before > 0
        await store.clear_conversations()
        assert await collected(store.conversations()) == []
        if store.traits.clears == "listed":
            assert count() == before

    async def test_a_deleted_message_is_gone(self, kit: Kit) -> None:
        store = await _with_one(kit, Operation.DELETE_MESSAGE, messages=6)
        before = await collected(store.messages("c0000"))
        gone = before[3]
        await store.delete_message("c0000", gone.id)
        left = await collected(store.messages("c0000"))
        assert gone.id not in {each.id for each in left}
        if store.traits.deletes == "message":
            assert left == [each for each in before if each != gone]
        else:
            assert len(before) - 2 <= len(left) < len(before)
        await store.delete_message("c0000", gone.id)
        assert await collected(store.messages("c0000")) == left
        assert (await store.list_messages("c0000", limit=1)).total in {None, len(left)}

    async def test_feedback_is_set_and_cleared(self, kit: Kit) -> None:
        store = await _with_one(kit, Operation.SET_FEEDBACK)
        answer = (await collected(store.messages("c0000")))[1]
        for feedback in (
            Feedback(rating="good"),
            Feedback(rating="bad", comment="not ʻhelpful"),
            None,
        ):
            await store.set_feedback("c0000", answer.id, feedback)
            read = (await collected(store.messages("c0000")))[1]
            assert read.feedback == feedback
            assert read.fingerprint() == answer.fingerprint()

    async def test_the_update_time_moves_as_promised(self, kit: Kit) -> None:
        store = await _with_one(kit, Operation.APPEND_MESSAGES)
        before = (await store.get_conversation("c0000")).updated_at
        if store.traits.updated_at == "none":
            assert before is None
            return
        assert before is not None
        if store.traits.updated_at == "content" and store.offers("update_conversation"):
            await store.update_conversation("c0000", pinned=True)
            assert (await store.get_conversation("c0000")).updated_at == before
        await store.append_messages("c0000", [text_message("new", "user", 100)])
        after = (await store.get_conversation("c0000")).updated_at
        assert after is not None
        assert after > before

    # Absence

    async def test_deleting_what_is_absent_is_done(self, kit: Kit) -> None:
        store = await filled(kit, several(1))
        require(store, Operation.DELETE_CONVERSATION)
        await store.delete_conversation(_ABSENT)
        await store.delete_conversation("c0000")
        await store.delete_conversation("c0000")
        if store.offers("delete_message"):
            await store.delete_message(_ABSENT, "a-message")

    async def test_writing_to_what_is_absent_raises_where_the_service_tells(self, kit: Kit) -> None:
        store = await filled(kit, several(1))
        writes: dict[Operation, Callable[[], Awaitable[Any]]] = {
            Operation.APPEND_MESSAGES: lambda: store.append_messages(_ABSENT, _two()),
            Operation.REPLACE_MESSAGES: lambda: store.replace_messages(_ABSENT, _two(), after=None),
            Operation.UPDATE_CONVERSATION: lambda: store.update_conversation(_ABSENT, title="x"),
            Operation.SET_FEEDBACK: lambda: store.set_feedback(
                _ABSENT, "m", Feedback(rating="good")
            ),
        }
        offered = [write for operation, write in writes.items() if store.offers(operation)]
        if not offered or not store.traits.reports_absent:
            raise NotOffered("no write tells whether the conversation is there")
        for write in offered:
            with raises(NotFoundError):
                await write()
        with raises(NotFoundError):
            await store.get_conversation(_ABSENT)

    # Idempotence and conflicts

    async def test_appending_the_same_again_changes_nothing(self, kit: Kit) -> None:
        store = await _with_one(kit, Operation.APPEND_MESSAGES)
        tip = (await collected(store.messages("c0000")))[-1].id
        first = await store.append_messages("c0000", _two(), after=tip)
        before = await collected(store.messages("c0000"))
        again = await store.append_messages("c0000", _two(), after=tip)
        assert again == first
        assert await collected(store.messages("c0000")) == before
        more = text_message("more", "user", 400)
        appended = await store.append_messages("c0000", [*_two(), more], after=tip)
        assert (appended[:-1], appended[-1].id) == (first, more.id)
        even_more = text_message("even more", "user", 401)
        appended += await store.append_messages("c0000", [*_two(), even_more])
        assert appended[3:5] == first
        whole = [*before, appended[2], appended[5]]
        assert await collected(store.messages("c0000")) == whole
        assert (await store.list_messages("c0000", limit=1)).total in {None, len(whole)}

    async def test_another_content_under_a_stored_id_is_a_conflict(self, kit: Kit) -> None:
        store = await _with_one(kit, Operation.APPEND_MESSAGES)
        await store.append_messages("c0000", _two())
        before = await collected(store.messages("c0000"))
        other = _two()[0].model_copy(update={"parts": (TextPart(text="something else"),)})
        new = text_message("new", "user", 300)
        with raises(ConflictError):
            await store.append_messages("c0000", [new, other])
        assert await collected(store.messages("c0000")) == before

    async def test_appending_behind_a_tip_that_moved_is_a_conflict(self, kit: Kit) -> None:
        store = await _with_one(kit, Operation.APPEND_MESSAGES, messages=3)
        before = await collected(store.messages("c0000"))
        for stale in (before[0].id, None, "never seen"):
            with raises(ConflictError):
                await store.append_messages("c0000", _two(), after=stale)
        assert await collected(store.messages("c0000")) == before
        stored = await store.append_messages("c0000", _two(), after=before[-1].id)
        assert len(stored) == 2

    async def test_replacing_behind_a_message_that_is_gone_is_a_conflict(self, kit: Kit) -> None:
        store = await _with_one(kit, Operation.REPLACE_MESSAGES, messages=3)
        before = await collected(store.messages("c0000"))
        with raises(ConflictError):
            await store.replace_messages("c0000", _two(), after="never seen")
        with raises(ConflictError):
            await store.replace_messages("c0000", [before[0]], after=before[0].id)
        assert await collected(store.messages("c0000")) == before

    async def test_creating_the_same_again_returns_it(self, kit: Kit) -> None:
        store = kit.open()
        require(store, Operation.CREATE_CONVERSATION)
        made = await store.create_conversation(id="mine", title="a", created_at=START)
        again = await store.create_conversation(id="mine", title="a", created_at=START)
        assert again.id == made.id
        assert len(await collected(store.conversations())) == 1
        with raises(ConflictError):
            await store.create_conversation(id="mine", title="another")
        assert (await store.get_conversation("mine")).title == "a"

    # Batches

    async def test_a_batch_is_stored_as_a_whole_or_not_at_all(self, kit: Kit) -> None:
        store = await _with_one(kit, Operation.APPEND_MESSAGES)
        before = await collected(store.messages("c0000"))
        first = WriteCall("append_messages", "c0000", _two())
        stale = WriteCall("append_messages", "c0000", [everything()], after="never seen")
        atomic = store.traits.batches == "atomic"
        with raises(ConflictError if atomic else UnsupportedError):
            await store.write_batch([first, stale])
        assert await collected(store.messages("c0000")) == before
        more = WriteCall("append_messages", "c0000", [text_message("more", "user", 300)])
        results = await store.write_batch([first, more], atomic=atomic)
        stored = [message for result in results for message in cast("list[Message]", result)]
        assert role_text_pairs(stored[-1:]) == [("user", "more")]
        assert await collected(store.messages("c0000")) == [*before, *stored]

    # Isolation

    async def test_conversations_do_not_mix(self, kit: Kit) -> None:
        samples = [dialogue("one", ["1a", "1b"]), dialogue("two", ["2a", "2b"])]
        store = await filled(kit, samples)
        for sample in samples:
            read = await collected(store.messages(sample.conversation_id))
            assert role_text_pairs(read) == role_text_pairs(sample.messages)
        if store.offers("delete_conversation"):
            await store.delete_conversation("one")
            assert role_text_pairs(await collected(store.messages("two"))) == role_text_pairs(
                samples[1].messages
            )

    async def test_a_message_id_is_free_in_every_conversation(self, kit: Kit) -> None:
        store = await filled(kit, several(2))
        require(store, Operation.APPEND_MESSAGES)
        same = text_message("first", "user", 500)
        other = same.model_copy(update={"parts": (TextPart(text="second"),)})
        await store.append_messages("c0000", [same])
        await store.append_messages("c0001", [other])
        assert (await collected(store.messages("c0000")))[-1].text == "first"
        assert (await collected(store.messages("c0001")))[-1].text == "second"

    # Side by side

    async def test_writers_side_by_side_lose_nothing(self, kit: Kit) -> None:
        store = await _with_one(kit, Operation.APPEND_MESSAGES)
        before = await collected(store.messages("c0000"))
        batches = [
            [text_message(f"{writer}.{each}", "user", 1000 * writer + each) for each in range(5)]
            for writer in range(1, 9)
        ]

        def writing(batch: list[Message]) -> Callable[[], Awaitable[object]]:
            return lambda: store.append_messages("c0000", batch)

        await kit.at_once([writing(batch) for batch in batches])
        read = [each.id for each in (await collected(store.messages("c0000")))[len(before) :]]
        for batch in batches:
            ids = [each.id for each in batch]
            start = read.index(ids[0])
            assert read[start : start + 5] == ids
        assert len(read) == 40

    async def test_one_of_two_writers_behind_the_same_tip_is_told(self, kit: Kit) -> None:
        store = await _with_one(kit, Operation.APPEND_MESSAGES)
        tip = (await collected(store.messages("c0000")))[-1].id

        async def write(number: int) -> bool:
            try:
                await store.append_messages(
                    "c0000", [text_message("mine", "user", number)], after=tip
                )
            except ConflictError:
                return False
            return True

        won = await kit.at_once([lambda n=n: write(n) for n in range(100, 108)])  # type: ignore[misc]
        assert sum(won) == 1
        assert len(await collected(store.messages("c0000"))) == 3

    async def test_a_walk_neither_repeats_nor_drops_while_others_write(self, kit: Kit) -> None:
        count = 2 * min(100, kit.open().traits.max_page or 100) + 10
        store = await filled(kit, several(count, messages=1))
        require(store, Operation.APPEND_MESSAGES, Operation.DELETE_CONVERSATION)
        listed = [each.id for each in await collected(store.conversations())]
        touched, deleted, made = listed[-5], listed[-7], "made-meanwhile"
        seen: list[str] = []
        async for conversation in store.conversations():
            if not seen:
                await store.append_messages(touched, [text_message("touch", "user", 900)])
                await store.delete_conversation(deleted)
                await store.create_conversation(id=made)
            seen.append(conversation.id)
        assert len(set(seen)) == len(seen)
        assert set(listed) - {deleted} <= set(seen)

    # Losslessness

    async def test_every_field_of_a_message_survives(self, kit: Kit) -> None:
        store = await _with_one(kit, Operation.APPEND_MESSAGES)
        sent = everything()
        await store.append_messages("c0000", [sent])
        read = (await collected(store.messages("c0000")))[-1]
        assert read.portable() == sent.portable()
        assert read.fingerprint() == sent.fingerprint()
        assert (read.id, read.parent_id) == (sent.id, sent.parent_id)

    async def test_raw_survives(self, kit: Kit) -> None:
        store = await _with_one(kit, Operation.APPEND_MESSAGES)
        sent = everything()
        await store.append_messages("c0000", [sent])
        read = (await collected(store.messages("c0000")))[-1]
        assert read.raw == sent.raw
        assert [source.raw for source in read.sources] == [source.raw for source in sent.sources]

    async def test_texts_beyond_utf8_survive(self, kit: Kit) -> None:
        store = await _with_one(kit, Operation.APPEND_MESSAGES)
        sent = [text_message(text, "user", 700 + n) for n, text in enumerate(BEYOND_UTF8)]
        await store.append_messages("c0000", sent)
        assert role_text_pairs(
            (await collected(store.messages("c0000")))[-len(sent) :]
        ) == role_text_pairs(sent)


async def _with_one(kit: Kit, operation: Operation, messages: int = 2) -> AsyncConversationStore:
    """A store with one conversation, for a clause of this operation."""
    store = await filled(kit, several(1, messages=messages))
    require(store, operation)
    return store


def _two() -> list[Message]:
    return [text_message("a new question", "user", 200), text_message("yes", "assistant", 201)]
