"""Clauses of edits: replacing with a tip, one message changed, popped, deleted or got."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ...adapters import Operation
from ...errors import ConflictError, NotFoundError, UnavailableError
from ...http import Request, Response
from ...models import ANY, Feedback, Message, OtherPart, TextPart
from ...store import AsyncConversationStore
from .._assertions import NotOffered, collect, open_filled, raises, require
from .._backend import Kit
from ..samples import START, dialogue, numbered_conversations, text_message

__all__ = ["EditingClauses"]

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

_ABSENT: Final = "there-is-no-such-conversation"
_POPPED: Final = 24
"""The number of messages that are popped side by side."""


class EditingClauses:
    """The clauses of operations that change or remove what is stored."""

    # Replace, with a tip

    async def test_a_replacement_with_another_tip_is_a_conflict(self, kit: Kit) -> None:
        """Replacing with a `tip` that is not the last message is a `ConflictError`.

        A message that somebody else appended since the caller has read must not be lost.
        """
        store = await _open_with(kit, Operation.REPLACE_MESSAGES, messages=3)
        read = await _messages(store)
        new = [text_message("rewritten", "assistant", 300)]
        if store.offers(Operation.APPEND_MESSAGES):
            await store.append_messages("c0000", [text_message("from another", "user", 301)])
        now = await _messages(store)
        stale = {None, "never seen", read[0].id, read[-1].id} - {now[-1].id}
        for tip in stale:
            with raises(ConflictError):
                await store.replace_messages("c0000", new, after=read[0].id, tip=tip)
        assert await _messages(store) == now
        stored = await store.replace_messages("c0000", new, after=read[0].id, tip=now[-1].id)
        assert await _messages(store) == [read[0], *stored]
        await store.replace_messages("c0000", [], after=None, tip=stored[-1].id)
        stored = await store.replace_messages("c0000", new, after=None, tip=None)
        assert await _messages(store) == list(stored)

    async def test_a_repeated_replacement_changes_nothing(self, kit: Kit) -> None:
        """A replacement that is there already is done, whatever its `tip` says.

        A caller who does not know whether it arrived repeats it, and its tip is gone by then.
        """
        store = await _open_with(kit, Operation.REPLACE_MESSAGES, messages=3)
        before = await _messages(store)
        new = [text_message("rewritten", "assistant", 300)]
        tip = before[-1].id
        stored = await store.replace_messages("c0000", new, after=before[0].id, tip=tip)
        made = await store.get_conversation("c0000")
        again = await store.replace_messages("c0000", new, after=before[0].id, tip=tip)
        assert again == stored
        assert await _messages(store) == [before[0], *stored]
        after = await store.get_conversation("c0000")
        assert (after.updated_at, after.revision) == (made.updated_at, made.revision)

    # One message

    async def test_a_message_is_got_by_its_id(self, kit: Kit) -> None:
        """`get_message` returns the message that the list shows, and no other conversation's.

        An id is unique within its conversation only.
        """
        store = await open_filled(kit, [dialogue("one", "ab"), dialogue("two", "cdefg")])
        require(store, Operation.GET_MESSAGE)
        listed = await collect(store.messages("two"))
        for message in listed:
            assert await store.get_message("two", message.id) == message
        with raises(NotFoundError):
            await store.get_message("one", listed[-1].id)
        with raises(NotFoundError):
            await store.get_message("two", "no such message")
        with raises(NotFoundError):
            await store.get_message(_ABSENT, listed[0].id)

    async def test_an_edited_message_keeps_its_place(self, kit: Kit) -> None:
        """`update_message` changes one message in its place, and leaves its neighbours alone.

        The stored feedback and `created_at` stay if the new value leaves them out.
        """
        store = await _open_with(kit, Operation.UPDATE_MESSAGE, messages=4)
        feedback = Feedback(rating="bad", comment="no")
        if store.offers(Operation.SET_FEEDBACK):
            await store.set_feedback("c0000", (await _messages(store))[1].id, feedback)
        before = await _messages(store)
        old = before[1]
        new = Message(id=old.id, role=old.role, parts=_text("edited"), model="another")
        edited = await store.update_message("c0000", new)
        kept = (edited.created_at, edited.stored_at, edited.feedback)
        assert kept == (old.created_at, old.stored_at, old.feedback)
        assert (edited.id, edited.text, edited.model) == (old.id, "edited", "another")
        assert await _messages(store) == [before[0], edited, *before[2:]]
        given = edited.model_copy(
            update={"created_at": START, "feedback": Feedback(rating="good"), "model": None}
        )
        assert await store.update_message("c0000", given) == given
        assert await _messages(store) == [before[0], given, *before[2:]]

    async def test_an_edit_of_what_was_changed_meanwhile_is_a_conflict(self, kit: Kit) -> None:
        """An edit of a message that is not as it `was` is a `ConflictError`, and changes nothing.

        If two people edit one message, the second must see what the first has written.
        """
        store = await _open_with(kit, Operation.UPDATE_MESSAGE)
        read = (await _messages(store))[1]
        first = read.model_copy(update={"parts": _text("the first")})
        second = read.model_copy(update={"parts": _text("the second")})
        await store.update_message("c0000", first, was=read)
        with raises(ConflictError):
            await store.update_message("c0000", second, was=read)
        stored = (await _messages(store))[1]
        assert stored.text == "the first"
        assert await store.update_message("c0000", first, was=read) == stored  # repeated
        assert (await store.update_message("c0000", second, was=stored)).text == "the second"

    async def test_an_edit_that_changes_nothing_is_no_write(self, kit: Kit) -> None:
        """An edit that equals what is stored moves neither `updated_at` nor `revision`; others do.

        Copies are compared by them.
        """
        store = await _open_with(kit, Operation.UPDATE_MESSAGE)
        message = (await _messages(store))[1]
        before = await store.get_conversation("c0000")
        assert await store.update_message("c0000", message) == message
        bare = message.model_copy(update={"feedback": None, "created_at": None})
        assert await store.update_message("c0000", bare) == message
        same = await store.get_conversation("c0000")
        assert (same.updated_at, same.revision) == (before.updated_at, before.revision)
        await store.update_message("c0000", message.model_copy(update={"model": "another"}))
        after = await store.get_conversation("c0000")
        assert before.revision is None or after.revision != before.revision
        if before.updated_at and after.updated_at:
            assert after.updated_at > before.updated_at

    async def test_an_edit_of_a_json_type_alone_is_a_write(self, kit: Kit) -> None:
        """An edit from 1 to True or 1.0 within JSON is stored; Python considers them equal."""
        store = await _open_with(kit, Operation.UPDATE_MESSAGE)
        message = (await _messages(store))[1]
        for number in (1, True, 1.0):
            data = {"number": number}
            part = OtherPart(type="numbers", data=data)
            await store.update_message("c0000", message.model_copy(update={"parts": (part,)}))
            (stored,) = (await _messages(store))[1].parts
            assert isinstance(stored, OtherPart)
            assert repr(stored.data) == repr(data)

    async def test_editing_what_is_absent_raises_not_found(self, kit: Kit) -> None:
        """Editing or popping in what is absent is a `NotFoundError`, and creates nothing.

        It must not look like an edit that was stored.
        """
        store = await _open_with(kit, Operation.UPDATE_MESSAGE)
        message = text_message("edited", "user", 900)
        before = await _messages(store)
        with raises(NotFoundError):
            await store.update_message("c0000", message)
        with raises(NotFoundError):
            await store.update_message(_ABSENT, message)
        if store.offers(Operation.POP_MESSAGE):
            with raises(NotFoundError):
                await store.pop_message(_ABSENT, tip=ANY)
        assert await _messages(store) == before
        with raises(NotFoundError):
            await store.get_conversation(_ABSENT)

    async def test_an_edited_message_is_found_by_its_new_words(self, kit: Kit) -> None:
        """A search finds an edited message by its new text, and no longer by the old one.

        Text that was taken back must not come up in a search.
        """
        store = await _open_with(kit, Operation.UPDATE_MESSAGE, messages=4)
        require(store, Operation.SEARCH)
        message = (await _messages(store))[1]
        await store.update_message("c0000", message.model_copy(update={"parts": _text("koholā")}))
        found = (await store.search("koholā")).items
        assert [hit.message and hit.message.id for hit in found] == [message.id]
        old = (await store.search(f'"{message.text}"')).items
        assert message.id not in {hit.message.id for hit in old if hit.message}

    # Pop

    async def test_the_last_message_is_popped(self, kit: Kit) -> None:
        """`pop_message` deletes the last message and returns it; None if there is none.

        To ask again, an app takes back the last answer.
        """
        store = await _open_with(kit, Operation.POP_MESSAGE, messages=3)
        before = await _messages(store)
        assert await store.pop_message("c0000", tip=before[-1].id) == before[-1]
        assert await _messages(store) == before[:-1]
        for message in reversed(before[:-1]):
            assert await store.pop_message("c0000", tip=ANY) == message
        assert await store.pop_message("c0000", tip=ANY) is None
        assert await _messages(store) == []
        with raises(ConflictError):
            await store.pop_message("c0000", tip=before[0].id)

    async def test_a_pop_with_another_tip_is_a_conflict(self, kit: Kit) -> None:
        """Popping with a `tip` that is not the last message is a `ConflictError`.

        The caller would take back what another has just written.
        """
        store = await _open_with(kit, Operation.POP_MESSAGE, messages=3)
        before = await _messages(store)
        for tip in (before[0].id, "never seen"):
            with raises(ConflictError):
                await store.pop_message("c0000", tip=tip)
        assert await _messages(store) == before

    async def test_pops_side_by_side_return_different_messages(self, kit: Kit) -> None:
        """Messages that are popped at the same time are each returned once.

        Reading the last one and deleting it are one step, or two callers take the same.
        """
        store = await _open_with(kit, Operation.POP_MESSAGE, messages=_POPPED)
        before = await _messages(store)
        popped = await kit.gather([lambda: store.pop_message("c0000", tip=ANY)] * (_POPPED - 4))
        ids = [message.id for message in popped if message is not None]
        assert sorted(ids) == sorted(message.id for message in before[4:])
        assert await _messages(store) == before[:4]

    async def test_a_pop_of_any_message_is_never_repeated(self, kit: Kit) -> None:
        """A pop with ANY that may have arrived is not sent again, and not `retryable`.

        Repeated, it would take another message.
        """
        store = await _open_with(kit, Operation.POP_MESSAGE)
        if kit.backend.service is None:
            raise NotOffered("no stand-in of an HTTP service can fail: pass Backend(service=…)")
        sent: list[Request] = []

        def failing(request: Request) -> Response:
            sent.append(request)
            return Response(503, {"content-type": "application/json"}, b"{}")

        failing_store = kit.open(service=failing)
        with raises(UnavailableError) as caught:
            await failing_store.pop_message("c0000", tip=ANY)
        assert not caught.error.retryable
        assert len(sent) == 1
        assert len(await _messages(store)) == 2

    async def test_a_deletion_of_a_message_says_whether_it_was_there(self, kit: Kit) -> None:
        """`delete_message` returns True for what was there and False for what was not.

        It returns None where the backend does not say.
        """
        store = await _open_with(kit, Operation.DELETE_MESSAGE, messages=4)
        deleted = (await _messages(store))[1].id
        assert await store.delete_message("c0000", deleted) in {True, None}
        assert await store.delete_message("c0000", deleted) in {False, None}
        assert await store.delete_message(_ABSENT, deleted) in {False, None}
        assert deleted not in {message.id for message in await _messages(store)}


async def _open_with(kit: Kit, operation: Operation, messages: int = 2) -> AsyncConversationStore:
    """Open a store that offers an operation and has one conversation."""
    store = await open_filled(kit, numbered_conversations(1, messages=messages))
    require(store, operation)
    return store


async def _messages(store: AsyncConversationStore) -> list[Message]:
    return await collect(store.messages("c0000"))


def _text(text: str) -> Sequence[TextPart]:
    return (TextPart(text=text),)
