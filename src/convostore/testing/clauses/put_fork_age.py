"""Clauses of put, fork, `older_than`, and ids of any text."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta, timezone

from ...adapters import Operation
from ...errors import ConflictError, InvalidError, NotFoundError
from ...models import Conversation, Feedback, FilePart, Message, Origin, Problem
from ...store import AsyncConversationStore
from .._assertions import (
    NotOffered,
    PageReader,
    collect,
    conversation_ids,
    open_filled,
    pinned_then_active_key,
    raises,
    read_pages,
    require,
)
from .._backend import Kit
from ..samples import (
    BEYOND_UTF8,
    HOSTILE_TEXTS,
    START,
    dialogue,
    numbered_conversations,
    text_message,
)

__all__ = ["PutForkAgeClauses", "full_conversation"]

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

_ABSENT = "there-is-no-such-conversation"
_DAY = timedelta(days=1)
_NAIVE = START.replace(tzinfo=None)
_LATER = datetime(2999, 1, 1, tzinfo=UTC)
_AWKWARD_IDS = (
    *BEYOND_UTF8,
    *(text for text in HOSTILE_TEXTS if 0 < len(text) < 1000),
    "NUL \\x00 inside",
    "NUL \\\\x00 inside",
    "NUL \\u0000 inside",
    "a lone surrogate \\ud800 inside",
    "a lone surrogate \udfff inside",
    "A",
    "a",
    "a ",
    "a\\",
    "\\a",
    "e\u0301",
    "é",
    "%",
    "_",
    "a/b?c#d",
    "..",
)
"""Ids of which some become one where they are escaped carelessly."""


class PutForkAgeClauses:
    """The clauses of the operations that copies and clean-up need."""

    # Put

    async def test_a_put_conversation_is_kept_with_every_field(self, kit: Kit) -> None:
        """`put_conversation` stores every field as given, and replaces all of them.

        Copies are compared field by field; one that is not kept is written again each time.
        """
        store = kit.open()
        require(store, Operation.PUT_CONVERSATION)
        whole = full_conversation("put", store.traits.keeps)
        await store.put_conversation(whole)
        assert await store.get_conversation("put") == whole
        assert await collect(store.conversations()) == [whole]
        assert await collect(store.messages("put")) == []
        bare = Conversation(id="put")
        await store.put_conversation(bare)
        assert await store.get_conversation("put") == bare

    async def test_a_put_origin_keeps_what_a_mirror_noted(self, kit: Kit) -> None:
        """`put_conversation` keeps an origin's `revision` and `metadata_keys`.

        Without them the next run reads every conversation again, and takes its own keys for the
        archive's.
        """
        store = kit.open()
        require(store, Operation.PUT_CONVERSATION)
        origin = Origin(
            store="s", conversation_id="c", revision="r \x00", metadata_keys=("", "\ud800", "a")
        )
        await store.put_conversation(Conversation(id="put", origin=origin))
        for conversation in (
            await store.get_conversation("put"),
            *await collect(store.conversations()),
        ):
            kept = conversation.origin
            assert kept is not None
            assert (kept.revision, kept.metadata_keys) == (origin.revision, origin.metadata_keys)

    async def test_a_put_title_comes_back_the_same(self, kit: Kit) -> None:
        """A title that was put comes back character for character, None included.

        A copy whose title differs is taken for changed at each run.
        """
        store = kit.open()
        require(store, Operation.PUT_CONVERSATION)
        for title in (None, *HOSTILE_TEXTS, *BEYOND_UTF8):
            await store.put_conversation(Conversation(id="put", title=title))
            assert (await store.get_conversation("put")).title == title

    async def test_putting_a_conversation_leaves_its_messages_alone(self, kit: Kit) -> None:
        """`put_conversation` does not touch messages.

        A mirror puts the conversation first and its messages after; neither may undo the other.
        """
        store = await open_filled(kit, numbered_conversations(2, messages=3))
        require(store, Operation.PUT_CONVERSATION)
        before = await collect(store.messages("c0000"))
        await store.put_conversation(full_conversation("c0000"))
        assert await collect(store.messages("c0000")) == before
        assert len(await collect(store.messages("c0001"))) == 3
        if store.offers(Operation.APPEND_MESSAGES):
            new = text_message("new", "user", 900)
            await store.append_messages("c0000", [new], after=before[-1].id)
            assert await collect(store.messages("c0000")) == [*before, new]

    async def test_a_put_conversation_takes_its_place_in_the_list(self, kit: Kit) -> None:
        """A conversation that is put moves to where its times and its pin belong.

        It holds where `traits.order` is `pinned_then_active`; a copied list must read as its
        source's does.
        """
        store = kit.open()
        require(store, Operation.PUT_CONVERSATION)
        if store.traits.order != "pinned_then_active":
            raise NotOffered("traits.order is not pinned_then_active")
        for number in range(6):
            time = START + number * _DAY
            await store.put_conversation(Conversation(id=f"c{number}", updated_at=time))
        await store.put_conversation(Conversation(id="c0", updated_at=START + 9 * _DAY))
        await store.put_conversation(Conversation(id="c5", created_at=START - _DAY))
        await store.put_conversation(Conversation(id="c4", updated_at=START + 2 * _DAY))
        await store.put_conversation(Conversation(id="c1", pinned=True))
        listed = await collect(store.conversations())
        assert [conversation.id for conversation in listed] == ["c1", "c0", "c3", "c2", "c4", "c5"]
        assert listed == sorted(listed, key=pinned_then_active_key)
        assert await read_pages(lambda at: store.list_conversations(limit=1, cursor=at)) == listed

    async def test_ids_beyond_utf8_survive(self, kit: Kit) -> None:
        """Ids of any text, even if it is not UTF-8, are kept and stay distinct.

        Copies keep the ids of other programs; careless escaping would make two ids one.
        """
        store = kit.open()
        require(store, Operation.CREATE_CONVERSATION, Operation.APPEND_MESSAGES)
        messages = tuple(
            text_message(name, "user", number).model_copy(update={"id": name})
            for number, name in enumerate(_AWKWARD_IDS)
        )
        for name in _AWKWARD_IDS:
            assert (await store.create_conversation(id=name, title=name)).id == name
            assert await store.append_messages(name, messages) == messages
        listed = await read_pages(lambda cursor: store.list_conversations(limit=3, cursor=cursor))
        assert sorted(conversation.id for conversation in listed) == sorted(_AWKWARD_IDS)
        for name in _AWKWARD_IDS:
            got = await store.get_conversation(name)
            assert (got.id, got.title) == (name, name)
            read = await read_pages(_message_pages(store, name))
            assert [message.id for message in read] == list(_AWKWARD_IDS)

    async def test_what_has_an_id_beyond_utf8_is_written_to(self, kit: Kit) -> None:
        """Every write works under any id.

        An id that can be stored but not deleted stays forever.
        """
        store = kit.open()
        require(store, Operation.CREATE_CONVERSATION, Operation.APPEND_MESSAGES)
        require(store, Operation.SET_FEEDBACK, Operation.DELETE_MESSAGE)
        require(store, Operation.REPLACE_MESSAGES, Operation.DELETE_CONVERSATION)
        left = set(_AWKWARD_IDS)
        for name in _AWKWARD_IDS:
            await store.create_conversation(id=name)
        for name in _AWKWARD_IDS:
            first = text_message("first", "user", 1).model_copy(update={"id": name})
            second = text_message("second", "assistant", 2)
            await store.append_messages(name, [first], after=None)
            await store.append_messages(name, [second], after=name)
            await store.set_feedback(name, name, Feedback(rating="good", comment=name))
            await store.replace_messages(name, [], after=name)
            (kept,) = await collect(store.messages(name))
            assert (kept.id, kept.feedback) == (name, Feedback(rating="good", comment=name))
            await store.delete_message(name, name)
            assert await collect(store.messages(name)) == []
            await store.delete_conversation(name)
            left.remove(name)
            assert set(await conversation_ids(store)) == left

    # Fork

    async def test_a_fork_has_the_messages_up_to_the_one_that_is_named(self, kit: Kit) -> None:
        """A fork has the messages up to the named one, the title, and its `origin`.

        The original stays as it is: a fork is how users try another way.
        """
        store = await _open_forkable(kit)
        before = await collect(store.messages("c0000"))
        original = await store.get_conversation("c0000")
        for place in (0, 2, 4):
            fork = await store.fork_conversation("c0000", before[place].id)
            assert await collect(store.messages(fork.id)) == before[: place + 1]
            assert await store.get_conversation(fork.id) == fork
            assert fork.title == original.title
            assert fork.origin == Origin(store=store.label, conversation_id="c0000")
        assert await collect(store.messages("c0000")) == before
        assert await store.get_conversation("c0000") == original
        assert len(await collect(store.conversations())) == 5

    async def test_a_fork_and_its_original_go_separate_ways(self, kit: Kit) -> None:
        """A write to a fork, or a deletion from its original, does not show in the other.

        Shared rows would lose a user's branch with the original.
        """
        store = await _open_forkable(kit)
        before = await collect(store.messages("c0000"))
        fork = (await store.fork_conversation("c0000", before[-1].id)).id
        new = text_message("only in the fork", "user", 900)
        await store.append_messages(fork, [new], after=before[-1].id)
        assert await collect(store.messages("c0000")) == before
        other = text_message("only in the original", "user", 901)
        await store.append_messages("c0000", [other], after=before[-1].id)
        assert await collect(store.messages(fork)) == [*before, new]
        if store.offers(Operation.DELETE_MESSAGE):
            await store.delete_message("c0000", before[0].id)
            assert await collect(store.messages(fork)) == [*before, new]
        if store.offers(Operation.DELETE_CONVERSATION):
            await store.delete_conversation("c0000")
            assert await collect(store.messages(fork)) == [*before, new]

    async def test_a_fork_has_the_id_and_the_title_it_is_given(self, kit: Kit) -> None:
        """A fork has the id and the title that were passed, None included.

        The app may have linked to it already.
        """
        store = await _open_forkable(kit)
        tip = (await collect(store.messages("c0000")))[-1].id
        for number, title in enumerate(("a fork", "", None)):
            fork = await store.fork_conversation("c0000", tip, id=f"fork {number}", title=title)
            assert (fork.id, fork.title) == (f"fork {number}", title)
            assert await store.get_conversation(fork.id) == fork

    async def test_forking_to_an_id_that_is_taken_is_a_conflict(self, kit: Kit) -> None:
        """Forking to an id that is taken is a `ConflictError`, and changes nothing.

        It would write into somebody's conversation.
        """
        store = await _open_forkable(kit)
        tip = (await collect(store.messages("c0000")))[-1].id
        before = await collect(store.transcripts())
        for used_id in ("c0001", "c0000"):
            with raises(ConflictError):
                await store.fork_conversation("c0000", tip, id=used_id)
        assert await collect(store.transcripts()) == before

    async def test_forking_what_is_absent_raises_not_found(self, kit: Kit) -> None:
        """Forking an absent conversation, or at a message of another one, is a `NotFoundError`.

        An empty fork would remain.
        """
        store = await _open_forkable(kit)
        tip = (await collect(store.messages("c0000")))[-1].id
        await store.append_messages("c0001", [text_message("elsewhere", "user", 950)])
        elsewhere = (await collect(store.messages("c0001")))[-1].id
        for conversation_id, message_id in (
            (_ABSENT, tip),
            ("c0000", "no such message"),
            ("c0000", elsewhere),
        ):
            with raises(NotFoundError):
                await store.fork_conversation(conversation_id, message_id, id="fork")
        assert set(await conversation_ids(store)) == {
            "c0000",
            "c0001",
        }

    # Age

    async def test_a_list_by_age_is_of_what_was_last_active_before(self, kit: Kit) -> None:
        """A list with `older_than` has what was last active before that time, in the list's order.

        A conversation without a time is never old: it would be deleted by mistake.
        """
        store = await _open_with_ages(kit)
        listed = await collect(store.conversations())
        times = sorted(
            {conversation.last_active_at for conversation in listed if conversation.last_active_at}
        )
        for age in (START - _DAY, *times, _LATER):
            older = [
                conversation
                for conversation in listed
                if conversation.last_active_at and conversation.last_active_at < age
            ]
            assert await collect(store.conversations(older_than=age)) == older
            assert await read_pages(_pages_by_age(store, age)) == older

    async def test_an_age_without_a_time_zone_is_refused(self, kit: Kit) -> None:
        """A time without a time zone is an `InvalidError`, for lists and for deletions.

        Read as local time it would delete some hours too much.
        """
        store = await _open_with_ages(kit)
        with raises(InvalidError):
            await store.list_conversations(older_than=_NAIVE)
        with raises(InvalidError):
            await collect(store.conversations(older_than=_NAIVE))
        if store.offers(Operation.DELETE_CONVERSATIONS):
            with raises(InvalidError):
                await store.delete_conversations(older_than=_NAIVE)
        assert len(await collect(store.conversations())) == 5

    async def test_a_cursor_is_of_one_age(self, kit: Kit) -> None:
        """A cursor of a list by age works for the same instant, and for no other list.

        Taken for another age it would silently skip or repeat.
        """
        store = await _open_with_ages(kit)
        of_age = (await store.list_conversations(limit=2, older_than=_LATER)).cursor
        of_all = (await store.list_conversations(limit=2)).cursor
        if of_age is None:
            raise NotOffered("its conversations have no times")
        with raises(InvalidError):
            await store.list_conversations(cursor=of_age)
        with raises(InvalidError):
            await store.list_conversations(cursor=of_age, older_than=_LATER - _DAY)
        with raises(InvalidError):
            await store.list_conversations(cursor=of_all, older_than=_LATER)
        the_same = _LATER.astimezone(timezone(timedelta(hours=8)))
        await store.list_conversations(cursor=of_age, older_than=the_same)

    async def test_a_deletion_by_age_takes_what_a_list_by_age_shows(self, kit: Kit) -> None:
        """`delete_conversations` deletes what the same `older_than` lists, and returns how many.

        Apps show the list before they ask whether to delete it.
        """
        store = await _open_with_ages(kit)
        require(store, Operation.DELETE_CONVERSATIONS)
        listed = await collect(store.conversations())
        times = sorted(
            {conversation.last_active_at for conversation in listed if conversation.last_active_at}
        )
        if not times:
            raise NotOffered("its conversations have no times")
        age = times[len(times) // 2]
        old = await collect(store.conversations(older_than=age))
        left = [conversation for conversation in listed if conversation not in old]
        messages = [await collect(store.messages(conversation.id)) for conversation in left]
        assert await store.delete_conversations(older_than=age) == len(old)
        assert await collect(store.conversations()) == left
        assert [await collect(store.messages(conversation.id)) for conversation in left] == messages
        for conversation in old:
            with raises(NotFoundError):
                await store.get_conversation(conversation.id)
        assert await store.delete_conversations(older_than=age) == 0


def full_conversation(
    conversation_id: str, keeps: Collection[str] = ("owner", "metadata")
) -> Conversation:
    """Return a conversation that uses every field.

    Args:
        conversation_id: Its id.
        keeps: Which of owner and metadata it has; see `Traits.keeps`.
    """
    return Conversation(
        id=conversation_id,
        title="ʻ \x00 \ud800 \\ 夏威夷",
        created_at=START,
        updated_at=START + timedelta(microseconds=1),
        pinned=True,
        owner="ʻ \x00 \ud800" if "owner" in keeps else None,
        metadata={"ʻ \x00": ["\ud800", {"nested": None}]} if "metadata" in keeps else {},
        origin=Origin(store="elsewhere://", conversation_id="\x00\udfff\\"),
        files=(FilePart(name="a.pdf", url="https://example.org/f?sign=1", media_type="image/*"),),
        problems=(Problem(where="metadata", what="is not JSON"),),
        raw={"as": ["it", "came", {"x": None}], "\x00": "\ud800"},
    )


async def _open_forkable(kit: Kit) -> AsyncConversationStore:
    store = await open_filled(kit, numbered_conversations(2, messages=5))
    require(store, Operation.FORK_CONVERSATION, Operation.APPEND_MESSAGES)
    return store


async def _open_with_ages(kit: Kit) -> AsyncConversationStore:
    """Open a store of five conversations; a day apart and one pinned, if it can put."""
    samples = [dialogue(f"c{number}", [f"text {number}"]) for number in range(5)]
    store = await open_filled(kit, samples)
    if store.offers(Operation.PUT_CONVERSATION):
        for number in range(5):
            time = START + number * _DAY
            await store.put_conversation(
                Conversation(id=f"c{number}", updated_at=time, pinned=number == 1)
            )
    return store


def _pages_by_age(store: AsyncConversationStore, age: datetime) -> PageReader[Conversation]:
    """Return a reader of pages of two, by age."""
    return lambda cursor: store.list_conversations(limit=2, cursor=cursor, older_than=age)


def _message_pages(store: AsyncConversationStore, conversation_id: str) -> PageReader[Message]:
    """Return a reader of pages of seven messages."""
    return lambda cursor: store.list_messages(conversation_id, limit=7, cursor=cursor)
