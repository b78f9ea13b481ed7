"""Clauses of writing: what is written is there, repeats do no harm, nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from ...adapters import Operation
from ...errors import ConflictError, InvalidError, NotFoundError, UnsupportedError
from ...models import Feedback, Message, Origin, TextPart
from ...store import AsyncConversationStore, WriteCall
from .._assertions import (
    NotOffered,
    collect,
    conversation_ids,
    open_filled,
    raises,
    require,
    role_text_pairs,
)
from .._backend import Kit
from ..samples import (
    BEYOND_UTF8,
    START,
    dialogue,
    full_message,
    numbered_conversations,
    text_message,
)

__all__ = ["WritingClauses"]

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

_ABSENT = "there-is-no-such-conversation"
_DELETED_MESSAGE = "m00001"


class WritingClauses:
    """The clauses of the writing operations."""

    # Write, then read

    async def test_a_created_conversation_is_there(self, kit: Kit) -> None:
        """A created conversation is there, with its values and a new id.

        The returned conversation must be the stored one, or the next call fails.
        """
        store = kit.open()
        require(store, Operation.CREATE_CONVERSATION)
        origin = Origin(store="elsewhere://", conversation_id="x")
        made = await store.create_conversation(title="ʻ", created_at=START, origin=origin)
        assert (made.title, made.created_at, made.origin) == ("ʻ", START, origin)
        assert await store.get_conversation(made.id) == made
        assert await collect(store.messages(made.id)) == []
        other = await store.create_conversation(title="ʻ")
        assert other.id != made.id
        with raises(InvalidError):
            await store.create_conversation(id="")

    async def test_appended_messages_are_there(self, kit: Kit) -> None:
        """Appended messages are at the end, as they were returned.

        The caller continues with the returned ids.
        """
        store = await _open_with_conversation(kit, Operation.APPEND_MESSAGES)
        before = await collect(store.messages("c0000"))
        new = [text_message(f"new {number}", "user", 100 + number) for number in range(3)]
        stored = await store.append_messages("c0000", new)
        assert role_text_pairs(stored) == role_text_pairs(new)
        assert await collect(store.messages("c0000")) == [*before, *stored]

    async def test_replaced_messages_take_the_place_of_the_tail(self, kit: Kit) -> None:
        """`replace_messages` replaces all messages after the named one, or all.

        An edited question must take the answers to the old one with it.
        """
        store = await _open_with_conversation(kit, Operation.REPLACE_MESSAGES, messages=5)
        before = await collect(store.messages("c0000"))
        new = [text_message("rewritten", "assistant", 100)]
        await store.replace_messages("c0000", new, after=before[1].id)
        after = await collect(store.messages("c0000"))
        assert role_text_pairs(after) == [*role_text_pairs(before[:2]), ("assistant", "rewritten")]
        await store.replace_messages("c0000", new, after=None)
        assert role_text_pairs(await collect(store.messages("c0000"))) == role_text_pairs(new)

    async def test_an_update_changes_what_is_named_and_no_more(self, kit: Kit) -> None:
        """An update changes the fields that are passed, and no other.

        Pinning a conversation must not lose its title.
        """
        store = await _open_with_conversation(kit, Operation.UPDATE_CONVERSATION)
        await store.update_conversation("c0000", title="renamed")
        assert (await store.get_conversation("c0000")).title == "renamed"
        await store.update_conversation("c0000", pinned=True)
        got = await store.get_conversation("c0000")
        assert (got.title, got.pinned) == ("renamed", True)
        await store.update_conversation("c0000", pinned=False)
        assert not (await store.get_conversation("c0000")).pinned

    async def test_a_deleted_conversation_is_gone(self, kit: Kit) -> None:
        """A deleted conversation is neither listed nor found, and no other is touched.

        Users delete personal things; the messages may be read only if `traits.deleted_readable`.
        """
        store = await open_filled(kit, numbered_conversations(3))
        require(store, Operation.DELETE_CONVERSATION)
        await store.delete_conversation("c0001")
        listed = set(await conversation_ids(store))
        assert listed == {"c0000", "c0002"}
        with raises(NotFoundError):
            await store.get_conversation("c0001")
        if not store.traits.deleted_readable:
            with raises(NotFoundError):
                await store.list_messages("c0001")

    async def test_cleared_conversations_are_gone(self, kit: Kit) -> None:
        """After `clear_conversations` the list is empty; clearing again is harmless.

        A caller who is not sure that it was done repeats it.
        """
        store = await open_filled(kit, numbered_conversations(3))
        require(store, Operation.CLEAR_CONVERSATIONS)
        await store.clear_conversations()
        assert await collect(store.conversations()) == []
        await store.clear_conversations()

    async def test_a_clear_takes_what_is_listed_or_says_that_it_takes_more(self, kit: Kit) -> None:
        """A clear leaves alone what the store does not list, or `traits.clears` says otherwise.

        Apps warn before a clear that takes other users' conversations as well.
        """
        store = await open_filled(kit, numbered_conversations(2))
        require(store, Operation.CLEAR_CONVERSATIONS)
        if kit.backend.unlisted is None:
            raise NotOffered("the store lists everything: see Backend(unlisted=…)")
        count = kit.backend.unlisted()
        before = count()
        assert before > 0
        await store.clear_conversations()
        assert await collect(store.conversations()) == []
        if store.traits.clears == "listed":
            assert count() == before

    async def test_a_deleted_message_is_gone(self, kit: Kit) -> None:
        """A deleted message is gone, alone or with its turn as `traits.deletes` says.

        Deleting it again changes nothing, and the total follows.
        """
        store = await _open_with_conversation(kit, Operation.DELETE_MESSAGE, messages=6)
        before = await collect(store.messages("c0000"))
        deleted = before[3]
        await store.delete_message("c0000", deleted.id)
        left = await collect(store.messages("c0000"))
        assert deleted.id not in {message.id for message in left}
        if store.traits.deletes == "message":
            assert left == [message for message in before if message != deleted]
        else:
            assert len(before) - 2 <= len(left) < len(before)
        await store.delete_message("c0000", deleted.id)
        assert await collect(store.messages("c0000")) == left
        assert (await store.list_messages("c0000", limit=1)).total in {None, len(left)}

    async def test_feedback_is_set_and_cleared(self, kit: Kit) -> None:
        """Feedback is stored, replaced and cleared, and does not change the fingerprint.

        The fingerprint decides whether a copy is up to date; a thumb is not new content.
        """
        store = await _open_with_conversation(kit, Operation.SET_FEEDBACK)
        answer = (await collect(store.messages("c0000")))[1]
        for feedback in (
            Feedback(rating="good"),
            Feedback(rating="bad", comment="not ʻhelpful"),
            None,
        ):
            await store.set_feedback("c0000", answer.id, feedback)
            read = (await collect(store.messages("c0000")))[1]
            assert read.feedback == feedback
            assert read.fingerprint() == answer.fingerprint()

    async def test_the_update_time_moves_as_promised(self, kit: Kit) -> None:
        """`updated_at` moves with new messages, and otherwise only as `traits.updated_at` says.

        Lists are sorted, and copies skipped, by it.
        """
        store = await _open_with_conversation(kit, Operation.APPEND_MESSAGES)
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
        """Deleting what is not there succeeds.

        A delete whose answer was lost is repeated.
        """
        store = await open_filled(kit, numbered_conversations(1))
        require(store, Operation.DELETE_CONVERSATION)
        await store.delete_conversation(_ABSENT)
        await store.delete_conversation("c0000")
        await store.delete_conversation("c0000")
        if store.offers("delete_message"):
            await store.delete_message(_ABSENT, "a-message")

    async def test_writing_to_what_is_absent_raises_where_the_service_tells(self, kit: Kit) -> None:
        """Writing to an absent conversation is a `NotFoundError`, and does not create it.

        It holds where `traits.reports_absent`: a write that goes nowhere must not look like one
        that was stored.
        """
        store = await open_filled(kit, numbered_conversations(1))
        writes: dict[Operation, Callable[[], Awaitable[Any]]] = {
            Operation.APPEND_MESSAGES: lambda: store.append_messages(_ABSENT, _two_messages()),
            Operation.REPLACE_MESSAGES: lambda: store.replace_messages(
                _ABSENT, _two_messages(), after=None
            ),
            Operation.UPDATE_CONVERSATION: lambda: store.update_conversation(_ABSENT, title="x"),
            Operation.SET_FEEDBACK: lambda: store.set_feedback(
                _ABSENT, "m", Feedback(rating="good")
            ),
        }
        offered = [write for operation, write in writes.items() if store.offers(operation)]
        if not offered or not store.traits.reports_absent:
            raise NotOffered("no write reports an absent conversation")
        for write in offered:
            with raises(NotFoundError):
                await write()
        with raises(NotFoundError):
            await store.get_conversation(_ABSENT)

    # Idempotence and conflicts

    async def test_appending_the_same_again_changes_nothing(self, kit: Kit) -> None:
        """Appending messages that are stored already returns them and changes nothing.

        A caller who does not know whether a write arrived can simply repeat it.
        """
        store = await _open_with_conversation(kit, Operation.APPEND_MESSAGES)
        tip = (await collect(store.messages("c0000")))[-1].id
        first = await store.append_messages("c0000", _two_messages(), after=tip)
        before = await collect(store.messages("c0000"))
        again = await store.append_messages("c0000", _two_messages(), after=tip)
        assert again == first
        assert await collect(store.messages("c0000")) == before
        more = text_message("more", "user", 400)
        appended = await store.append_messages("c0000", [*_two_messages(), more], after=tip)
        assert (appended[:-1], appended[-1].id) == (first, more.id)
        even_more = text_message("even more", "user", 401)
        appended += await store.append_messages("c0000", [*_two_messages(), even_more])
        assert appended[3:5] == first
        whole = [*before, appended[2], appended[5]]
        assert await collect(store.messages("c0000")) == whole
        assert (await store.list_messages("c0000", limit=1)).total in {None, len(whole)}

    async def test_another_content_under_a_stored_id_is_a_conflict(self, kit: Kit) -> None:
        """Other content under a stored id is a `ConflictError`, and nothing is written.

        A write is all or nothing, and never overwrites a message silently.
        """
        store = await _open_with_conversation(kit, Operation.APPEND_MESSAGES)
        await store.append_messages("c0000", _two_messages())
        before = await collect(store.messages("c0000"))
        other = _two_messages()[0].model_copy(update={"parts": (TextPart(text="something else"),)})
        new = text_message("new", "user", 300)
        with raises(ConflictError):
            await store.append_messages("c0000", [new, other])
        assert await collect(store.messages("c0000")) == before

    async def test_appending_behind_a_tip_that_moved_is_a_conflict(self, kit: Kit) -> None:
        """Appending after a message that is not the last is a `ConflictError`.

        Somebody else has written meanwhile; two answers to one question would be mixed.
        """
        store = await _open_with_conversation(kit, Operation.APPEND_MESSAGES, messages=3)
        before = await collect(store.messages("c0000"))
        for stale in (before[0].id, None, "never seen"):
            with raises(ConflictError):
                await store.append_messages("c0000", _two_messages(), after=stale)
        assert await collect(store.messages("c0000")) == before
        stored = await store.append_messages("c0000", _two_messages(), after=before[-1].id)
        assert len(stored) == 2

    async def test_replacing_behind_a_message_that_is_gone_is_a_conflict(self, kit: Kit) -> None:
        """Replacing after a message that is not there is a `ConflictError`.

        Without its anchor a replacement would delete what nobody meant.
        """
        store = await _open_with_conversation(kit, Operation.REPLACE_MESSAGES, messages=3)
        before = await collect(store.messages("c0000"))
        with raises(ConflictError):
            await store.replace_messages("c0000", _two_messages(), after="never seen")
        with raises(ConflictError):
            await store.replace_messages("c0000", [before[0]], after=before[0].id)
        assert await collect(store.messages("c0000")) == before

    async def test_creating_the_same_again_returns_it(self, kit: Kit) -> None:
        """Creating a conversation again with the same values returns it.

        A lost answer is repeated; other values under the same id are a `ConflictError`.
        """
        store = kit.open()
        require(store, Operation.CREATE_CONVERSATION)
        made = await store.create_conversation(id="mine", title="a", created_at=START)
        again = await store.create_conversation(id="mine", title="a", created_at=START)
        assert again.id == made.id
        assert len(await collect(store.conversations())) == 1
        with raises(ConflictError):
            await store.create_conversation(id="mine", title="another")
        assert (await store.get_conversation("mine")).title == "a"

    # Batches

    async def test_a_batch_is_stored_as_a_whole_or_not_at_all(self, kit: Kit) -> None:
        """A batch of writes is stored whole or not at all, where the trait `batches` promises it.

        A caller who writes several things together must never find half of them.
        """
        store = await _open_with_conversation(kit, Operation.APPEND_MESSAGES)
        before = await collect(store.messages("c0000"))
        first = WriteCall("append_messages", "c0000", _two_messages())
        stale = WriteCall("append_messages", "c0000", [full_message()], after="never seen")
        atomic = store.traits.batches == "atomic"
        with raises(ConflictError if atomic else UnsupportedError):
            await store.write_batch([first, stale])
        assert await collect(store.messages("c0000")) == before
        more = WriteCall("append_messages", "c0000", [text_message("more", "user", 300)])
        results = await store.write_batch([first, more], atomic=atomic)
        stored = [message for result in results for message in cast("list[Message]", result)]
        assert role_text_pairs(stored[-1:]) == [("user", "more")]
        assert await collect(store.messages("c0000")) == [*before, *stored]

    async def test_a_failed_batch_brings_back_what_it_deleted(self, kit: Kit) -> None:
        """A conversation that a failed batch deleted and made again is as it was before.

        Otherwise an app that replaces a conversation with a batch could lose it.
        """
        store = await _open_with_conversation(kit, Operation.APPEND_MESSAGES)
        require(store, Operation.DELETE_CONVERSATION, Operation.CREATE_CONVERSATION)
        if store.traits.batches != "atomic":
            raise NotOffered("an atomic batch is not offered")
        before = await collect(store.messages("c0000"))
        with raises(ConflictError):
            await store.write_batch(
                [
                    WriteCall("delete_conversation", "c0000"),
                    WriteCall("create_conversation", id="c0000", title="another"),
                    WriteCall("append_messages", "c0000", [text_message("x", "user", 300)]),
                    WriteCall("append_messages", "c0000", _two_messages(), after="never seen"),
                ]
            )
        assert await collect(store.messages("c0000")) == before
        assert (await store.get_conversation("c0000")).title != "another"

    # Isolation

    async def test_conversations_do_not_mix(self, kit: Kit) -> None:
        """Messages of one conversation never show in another, and deleting one leaves others.

        A mix-up shows one person's words to another.
        """
        samples = [dialogue("one", ["1a", "1b"]), dialogue("two", ["2a", "2b"])]
        store = await open_filled(kit, samples)
        for sample in samples:
            read = await collect(store.messages(sample.conversation_id))
            assert role_text_pairs(read) == role_text_pairs(sample.messages)
        if store.offers("delete_conversation"):
            await store.delete_conversation("one")
            assert role_text_pairs(await collect(store.messages("two"))) == role_text_pairs(
                samples[1].messages
            )

    async def test_a_message_id_is_free_in_every_conversation(self, kit: Kit) -> None:
        """The same message id may be used in several conversations.

        Forks and copies keep their messages' ids.
        """
        store = await open_filled(kit, numbered_conversations(2))
        require(store, Operation.APPEND_MESSAGES)
        same = text_message("first", "user", 500)
        other = same.model_copy(update={"parts": (TextPart(text="second"),)})
        await store.append_messages("c0000", [same])
        await store.append_messages("c0001", [other])
        assert (await collect(store.messages("c0000")))[-1].text == "first"
        assert (await collect(store.messages("c0001")))[-1].text == "second"

    # Side by side

    async def test_writers_side_by_side_lose_nothing(self, kit: Kit) -> None:
        """Appends made at the same time all arrive, each batch in one piece.

        Servers write to one conversation from several requests.
        """
        store = await _open_with_conversation(kit, Operation.APPEND_MESSAGES)
        before = await collect(store.messages("c0000"))
        batches = [
            [
                text_message(f"{writer}.{number}", "user", 1000 * writer + number)
                for number in range(5)
            ]
            for writer in range(1, 9)
        ]

        def writing(batch: list[Message]) -> Callable[[], Awaitable[object]]:
            return lambda: store.append_messages("c0000", batch)

        await kit.gather([writing(batch) for batch in batches])
        read = [message.id for message in (await collect(store.messages("c0000")))[len(before) :]]
        for batch in batches:
            ids = [message.id for message in batch]
            start = read.index(ids[0])
            assert read[start : start + 5] == ids
        assert len(read) == 40

    async def test_one_of_two_writers_behind_the_same_tip_is_told(self, kit: Kit) -> None:
        """If several write after the same message, one succeeds; the others get a `ConflictError`.

        The check and the write must be one step, or two answers follow one question.
        """
        store = await _open_with_conversation(kit, Operation.APPEND_MESSAGES)
        tip = (await collect(store.messages("c0000")))[-1].id

        async def write(number: int) -> bool:
            try:
                await store.append_messages(
                    "c0000", [text_message("mine", "user", number)], after=tip
                )
            except ConflictError:
                return False
            return True

        results = await kit.gather([lambda n=n: write(n) for n in range(100, 108)])  # type: ignore[misc]
        assert sum(results) == 1
        assert len(await collect(store.messages("c0000"))) == 3

    async def test_a_walk_neither_repeats_nor_drops_while_others_write(self, kit: Kit) -> None:
        """Iterating shows each conversation once although others write meanwhile.

        A mirror would lose what moved to the front while it was reading.
        """
        count = 2 * min(100, kit.open().traits.max_page or 100) + 10
        store = await open_filled(kit, numbered_conversations(count, messages=1))
        require(store, Operation.APPEND_MESSAGES, Operation.DELETE_CONVERSATION)
        listed = await conversation_ids(store)
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
        """Every field and every kind of part comes back as it was appended.

        If an archive drops something, it is lost for good.
        """
        store = await _open_with_conversation(kit, Operation.APPEND_MESSAGES)
        sent = full_message()
        await store.append_messages("c0000", [sent])
        read = (await collect(store.messages("c0000")))[-1]
        assert read.portable() == sent.portable()
        assert read.fingerprint() == sent.fingerprint()
        assert (read.id, read.parent_id) == (sent.id, sent.parent_id)

    async def test_raw_survives(self, kit: Kit) -> None:
        """The backend's own object, `raw`, comes back as it was appended.

        It holds what the schema has no field for.
        """
        store = await _open_with_conversation(kit, Operation.APPEND_MESSAGES)
        sent = full_message()
        await store.append_messages("c0000", [sent])
        read = (await collect(store.messages("c0000")))[-1]
        assert read.raw == sent.raw
        assert [source.raw for source in read.sources] == [source.raw for source in sent.sources]

    async def test_texts_beyond_utf8_survive(self, kit: Kit) -> None:
        """NUL and lone surrogates in a text survive.

        Services have sent both; your own store must not be the place where they are lost.
        """
        store = await _open_with_conversation(kit, Operation.APPEND_MESSAGES)
        sent = [text_message(text, "user", 700 + n) for n, text in enumerate(BEYOND_UTF8)]
        await store.append_messages("c0000", sent)
        assert role_text_pairs(
            (await collect(store.messages("c0000")))[-len(sent) :]
        ) == role_text_pairs(sent)


async def _open_with_conversation(
    kit: Kit, operation: Operation, messages: int = 2
) -> AsyncConversationStore:
    """Open a store that offers an operation and has one conversation."""
    store = await open_filled(kit, numbered_conversations(1, messages=messages))
    require(store, operation)
    return store


def _two_messages() -> list[Message]:
    return [text_message("a new question", "user", 200), text_message("yes", "assistant", 201)]
