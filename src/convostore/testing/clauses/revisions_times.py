"""Clauses of what a store notes of its writes: revisions, `stored_at`, and histories' times."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ...adapters import Operation
from ...models import ANY, Conversation, Feedback, Message, TextPart
from ...store import AsyncConversationStore
from .._assertions import NotOffered, collect, open_filled, require
from .._backend import Kit
from ..samples import START, numbered_conversations, text_message

__all__ = ["RevisionTimeClauses"]

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

_DAY: Final = timedelta(days=1)
_LONG_AGO: Final = datetime(2001, 1, 1, tzinfo=UTC)


class RevisionTimeClauses:
    """The clauses of revisions and of the times that a store notes."""

    async def test_every_write_changes_the_revision(self, kit: Kit) -> None:
        """Every write to a conversation or its messages gives it a `revision` it never had.

        An equal revision is a copy's proof that nothing has changed.
        """
        store = await _open_with_revisions(kit)
        seen = [await _revision(store, "c0000")]
        beside = await _revision(store, "c0001")
        for operation, write in _writes(store, await collect(store.messages("c0000"))).items():
            if store.offers(operation):
                await write()
                revision = await _revision(store, "c0000")
                assert revision not in seen, operation
                seen.append(revision)
        changes: list[dict[str, Any]] = [
            *({"title": "new"}, {"pinned": True}, {"owner": "o"}, {"metadata": {"k": 1}})
        ]
        for change in changes:
            if store.offers(Operation.UPDATE_CONVERSATION) and {*change} <= store.traits.changes:
                await store.update_conversation("c0000", **change)
                revision = await _revision(store, "c0000")
                assert revision not in seen, change
                seen.append(revision)
        if len(seen) == 1:
            raise NotOffered("no write is offered")
        assert await _revision(store, "c0001") == beside

    async def test_no_read_changes_the_revision(self, kit: Kit) -> None:
        """Reading leaves the `revision` as it is, and lists show the same one.

        A copy that reads would otherwise never be up to date.
        """
        store = await _open_with_revisions(kit)
        before = {c.id: c.revision for c in await collect(store.conversations())}
        assert before == {name: await _revision(store, name) for name in before}
        await collect(store.transcripts())
        await store.list_messages("c0000", order="newest_first")
        if store.offers(Operation.SEARCH):
            await store.search("text")
        if store.offers(Operation.FORK_CONVERSATION):
            tip = (await collect(store.messages("c0000")))[-1].id
            fork = await store.fork_conversation("c0000", tip)
            assert fork.revision not in before.values()
        for name, revision in before.items():
            assert await _revision(store, name) == revision

    async def test_a_revision_never_comes_again(self, kit: Kit) -> None:
        """A conversation that is deleted and created again has a `revision` that it never had.

        A counter that begins again would show that nothing has changed.
        """
        store = await _open_with_revisions(kit)
        require(store, Operation.CREATE_CONVERSATION, Operation.DELETE_CONVERSATION)
        seen: list[str | None] = []
        for _ in range(3):
            await store.delete_conversation("c0000")
            made = await store.create_conversation(id="c0000")
            assert made.revision not in seen
            seen.append(made.revision)
            if store.offers(Operation.APPEND_MESSAGES):
                await store.append_messages("c0000", [text_message("x", "user", 1)])
                revision = await _revision(store, "c0000")
                assert revision not in seen
                seen.append(revision)

    # Times

    async def test_the_time_of_storing_is_the_stores_own_or_unknown(self, kit: Kit) -> None:
        """`stored_at` is when the store stored the message, the same on each read; else None.

        A time that a caller passes, or that is made up while reading, says nothing.
        """
        store = await open_filled(kit, numbered_conversations(1))
        before = await collect(store.messages("c0000"))
        if store.offers(Operation.APPEND_MESSAGES):
            passed = text_message("x", "user", 900).model_copy(update={"stored_at": _LONG_AGO})
            (stored,) = await store.append_messages("c0000", [passed])
            before.append(stored)
            assert stored.stored_at != _LONG_AGO
        again = await collect(store.messages("c0000"))
        times = [message.stored_at for message in again]
        assert times == [message.stored_at for message in before]
        assert all(time.tzinfo is UTC for time in times if time is not None)
        if store.offers(Operation.SET_FEEDBACK):
            await store.set_feedback("c0000", again[1].id, Feedback(rating="good"))
            read = await collect(store.messages("c0000"))
            assert [message.stored_at for message in read] == times

    async def test_a_history_keeps_its_times(self, kit: Kit) -> None:
        """`updated_at` follows what is appended to a conversation made in the past, never back.

        It holds where the store fills `stored_at`; imported histories are sorted by when they were.
        """
        store = kit.open()
        require(store, Operation.CREATE_CONVERSATION, Operation.APPEND_MESSAGES)
        if store.traits.updated_at != "content":
            raise NotOffered("traits.updated_at is not content")
        await store.create_conversation(id="past", created_at=START)
        (first,) = await store.append_messages("past", [_at("first", START + _DAY)])
        if first.stored_at is None:
            raise NotOffered("it does not fill stored_at")
        assert await _updated_at(store, "past") == START + _DAY
        await store.append_messages("past", [_at("older", START)])
        assert await _updated_at(store, "past") == START + _DAY
        await store.append_messages(
            "past", [_at("newer", START + 3 * _DAY), _at("between", START + 2 * _DAY)]
        )
        assert await _updated_at(store, "past") == START + 3 * _DAY
        await store.append_messages("past", [_at("now", None)])
        now = await _updated_at(store, "past")
        assert now > START + 3 * _DAY
        await store.append_messages("past", [_at("older again", START)])
        assert await _updated_at(store, "past") >= now
        await store.create_conversation(id="present")
        before = await _updated_at(store, "present")
        await store.append_messages("present", [_at("old words", START)])
        assert await _updated_at(store, "present") > before


def _writes(
    store: AsyncConversationStore, messages: list[Message]
) -> dict[Operation, Callable[[], Awaitable[object]]]:
    """Return a write to the conversation of each kind, in an order in which all can be done."""
    one, two, *_ = messages
    edited = one.model_copy(update={"parts": (TextPart(text="edited"),)})
    new = [text_message(f"new {number}", "user", 900 + number) for number in range(2)]
    other: Any = text_message("replaced", "user", 950)
    return {
        Operation.APPEND_MESSAGES: lambda: store.append_messages("c0000", new),
        Operation.SET_FEEDBACK: lambda: store.set_feedback(
            "c0000", two.id, Feedback(rating="good")
        ),
        Operation.UPDATE_MESSAGE: lambda: store.update_message("c0000", edited),
        Operation.DELETE_MESSAGE: lambda: store.delete_message("c0000", two.id),
        Operation.POP_MESSAGE: lambda: store.pop_message("c0000", tip=ANY),
        Operation.REPLACE_MESSAGES: lambda: store.replace_messages("c0000", [other], after=None),
        Operation.PUT_CONVERSATION: lambda: store.put_conversation(
            Conversation(id="c0000", title="put")
        ),
    }


async def _open_with_revisions(kit: Kit) -> AsyncConversationStore:
    store = await open_filled(kit, numbered_conversations(2, messages=4))
    if await _revision(store, "c0000") is None:
        raise NotOffered("it has no revisions")
    return store


async def _revision(store: AsyncConversationStore, conversation_id: str) -> str | None:
    return (await store.get_conversation(conversation_id)).revision


async def _updated_at(store: AsyncConversationStore, conversation_id: str) -> datetime:
    time = (await store.get_conversation(conversation_id)).updated_at
    assert time is not None
    return time


def _at(text: str, time: datetime | None) -> Message:
    return Message(role="user", parts=(TextPart(text=text),), created_at=time)
