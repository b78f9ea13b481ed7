"""Clauses of what an application adds to a conversation: its owner and its metadata."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from ...adapters import Operation
from ...errors import InvalidError, NotFoundError
from ...models import UNSET, Conversation, Unset
from ...store import AsyncConversationStore
from .._assertions import (
    NotOffered,
    collect,
    conversation_ids,
    open_filled,
    raises,
    read_pages,
    require,
)
from .._backend import Kit
from ..samples import BEYOND_UTF8, HOSTILE_TEXTS, START, numbered_conversations, text_message

__all__ = ["OwnerMetadataClauses"]

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

_LATER: Final = datetime(2999, 1, 1, tzinfo=UTC)
_OWNERS: Final = {"a1": "ann", "a2": "ann", "a3": "ann", "b1": "Ann", "b2": "ʻ bob", "n1": None}
"""The owners of the conversations of `_open_owned`, by the conversation's id."""
_NESTED: Final[dict[str, Any]] = {"list": [1, 2.5, None, {"deep": "er"}], "flag": True, "": ""}


class OwnerMetadataClauses:
    """The clauses of owners and metadata."""

    async def test_a_conversation_has_only_what_is_declared(self, kit: Kit) -> None:
        """A pin, an owner or metadata is there only where `traits.keeps` names it.

        A mirror takes over what its source keeps; of what the source does not, the copy's stays.
        """
        store = await open_filled(kit, numbered_conversations(3))
        changes: dict[str, Any] = {"pinned": True, "owner": "ann", "metadata": {"key": "value"}}
        changed = [name for name in sorted(changes) if name in store.traits.changes]
        if store.offers(Operation.UPDATE_CONVERSATION) and changed:
            await store.update_conversation("c0001", **{name: changes[name] for name in changed})
            got = await store.get_conversation("c0001")
            assert {name: getattr(got, name) for name in changed} == {
                name: changes[name] for name in changed
            }
        undeclared = [name for name in sorted(changes) if name not in store.traits.keeps]
        nothing = Conversation(id="c")
        for conversation in await collect(store.conversations()):
            for name in undeclared:
                assert getattr(conversation, name) == getattr(nothing, name), name

    # Owners

    async def test_an_owner_is_given_changed_and_taken_away(self, kit: Kit) -> None:
        """An owner comes back as it was given, is changed by an update, and by None taken away.

        It distinguishes the conversations of many users.
        """
        store = kit.open()
        _require_change(store, "owner", Operation.CREATE_CONVERSATION)
        made = await store.create_conversation(id="c", title="a title", owner="ann")
        assert made.owner == "ann"
        assert await store.get_conversation("c") == made
        assert (await store.create_conversation(title="no owner")).owner is None
        if store.offers(Operation.UPDATE_CONVERSATION):
            for owner in ("ʻ bob", None, *BEYOND_UTF8):
                await store.update_conversation("c", owner=owner)
                got = await store.get_conversation("c")
                assert (got.owner, got.title) == (owner, "a title")

    async def test_a_list_by_owner_is_of_that_owner(self, kit: Kit) -> None:
        """A list with `owner` has that owner's conversations only; with None, those without one.

        One user must not see what belongs to another.
        """
        store = await _open_owned(kit)
        listed = await collect(store.conversations())
        for owner in (*set(_OWNERS.values()), "nobody"):
            owned = [conversation for conversation in listed if conversation.owner == owner]
            assert {conversation.id for conversation in owned} == {
                i for i, of in _OWNERS.items() if of == owner
            }
            assert await collect(store.conversations(owner=owner)) == owned
            pages = await read_pages(
                lambda cursor, owner=owner: store.list_conversations(  # type: ignore[misc]
                    limit=1, cursor=cursor, owner=owner
                )
            )
            assert pages == owned
            assert await collect(store.conversations(owner=owner, older_than=_LATER)) == owned
            assert await collect(store.conversations(owner=owner, older_than=START)) == []
        with raises(InvalidError):
            await store.list_conversations(owner="")
        if "conversations" in store.traits.starts:
            with raises(NotFoundError):
                await store.list_conversations(owner="ann", start="b1")

    async def test_a_cursor_is_of_one_owner(self, kit: Kit) -> None:
        """A cursor of a list by owner is refused by the list of another owner, and of all.

        It would show where in another user's list something is.
        """
        store = await _open_owned(kit)
        cursor = (await store.list_conversations(limit=1, owner="ann")).cursor
        others: tuple[str | Unset | None, ...] = ("Ann", None, UNSET)
        for other in others:
            with raises(InvalidError):
                await store.list_conversations(limit=1, cursor=cursor, owner=other)

    async def test_a_search_by_owner_is_in_that_owners_conversations(self, kit: Kit) -> None:
        """A search with `owner` finds only what is in that owner's conversations.

        One user must not find what another has written.
        """
        store = await _open_owned(kit)
        require(store, Operation.SEARCH)
        for owner in set(_OWNERS.values()):
            hits = await read_pages(
                lambda cursor, owner=owner: store.search(  # type: ignore[misc]
                    "shared", limit=2, cursor=cursor, owner=owner
                )
            )
            found = {hit.conversation.id for hit in hits}
            assert found == {name for name, of in _OWNERS.items() if of == owner}
            assert all(hit.conversation.owner == owner for hit in hits)
        assert len((await store.search("shared", limit=50)).items) == len(_OWNERS)

    async def test_a_deletion_by_owner_takes_what_its_list_shows(self, kit: Kit) -> None:
        """`delete_conversations` with `owner` deletes what the list by owner shows, and no more.

        When a user leaves, what was theirs goes, and nothing else.
        """
        store = await _open_owned(kit)
        require(store, Operation.DELETE_CONVERSATIONS)
        assert await store.delete_conversations(owner="ann", older_than=START) == 0
        assert await store.delete_conversations(owner="ann") == 3
        assert set(await conversation_ids(store)) == {"b1", "b2", "n1"}
        assert await store.delete_conversations(owner="ann") == 0
        assert await store.delete_conversations(owner=None, older_than=_LATER) == 1
        assert set(await conversation_ids(store)) == {"b1", "b2"}
        with raises(InvalidError):
            await store.delete_conversations()
        assert len(await conversation_ids(store)) == 2

    # Metadata

    async def test_metadata_comes_back_the_same(self, kit: Kit) -> None:
        """Metadata comes back as it was given, nested values and any text included.

        It is the application's own, and nothing reads it on the way.
        """
        store = kit.open()
        _require_change(store, "metadata", Operation.CREATE_CONVERSATION)
        texts = {text[:250]: text[:2000] for text in (*HOSTILE_TEXTS, *BEYOND_UTF8)}
        for metadata in ({}, _NESTED, texts):
            made = await store.create_conversation(metadata=metadata)
            assert made.metadata == metadata
            assert await store.get_conversation(made.id) == made
            assert made in await collect(store.conversations())
        with raises(InvalidError):
            await store.create_conversation(metadata={"key": None})

    async def test_metadata_is_merged_by_key(self, kit: Kit) -> None:
        """An update merges metadata by top-level key: a value replaces whole, None takes away.

        Two parts of an application keep their own keys without reading the other's.
        """
        store = kit.open()
        _require_change(
            store, "metadata", Operation.CREATE_CONVERSATION, Operation.UPDATE_CONVERSATION
        )
        made = await store.create_conversation(title="t", metadata={"a": {"x": 1, "y": 2}, "b": 1})
        for change, expected in (
            ({}, {"a": {"x": 1, "y": 2}, "b": 1}),
            ({"c": [1]}, {"a": {"x": 1, "y": 2}, "b": 1, "c": [1]}),
            ({"a": {"x": None}, "b": None}, {"a": {"x": None}, "c": [1]}),
            ({"absent": None, "c": []}, {"a": {"x": None}, "c": []}),
        ):
            await store.update_conversation(made.id, metadata=change)
            got = await store.get_conversation(made.id)
            assert (got.metadata, got.title, got.updated_at) == (expected, "t", made.updated_at)

    async def test_merges_side_by_side_all_hold(self, kit: Kit) -> None:
        """Merges of different keys at the same time all hold.

        A merge that reads, then writes, loses what was written in between.
        """
        store = kit.open()
        _require_change(
            store, "metadata", Operation.CREATE_CONVERSATION, Operation.UPDATE_CONVERSATION
        )
        made = await store.create_conversation(metadata={"kept": True})
        await kit.gather(
            [
                lambda key=f"k{number}": store.update_conversation(made.id, metadata={key: 1})  # type: ignore[misc]
                for number in range(16)
            ]
        )
        expected = {f"k{number}": 1 for number in range(16)} | {"kept": True}
        assert (await store.get_conversation(made.id)).metadata == expected

    async def test_metadata_that_grows_too_large_is_refused(self, kit: Kit) -> None:
        """A merge whose result exceeds 64 KiB is an `InvalidError`, and changes nothing.

        Lists show metadata; one conversation must not make them slow.
        """
        store = kit.open()
        _require_change(
            store, "metadata", Operation.CREATE_CONVERSATION, Operation.UPDATE_CONVERSATION
        )
        made = await store.create_conversation(metadata={"a": "x" * 60_000})
        with raises(InvalidError):
            await store.update_conversation(made.id, metadata={"b": "x" * 6_000}, title="too large")
        assert await store.get_conversation(made.id) == made
        await store.update_conversation(made.id, metadata={"a": None, "b": "x" * 60_000})
        assert (await store.get_conversation(made.id)).metadata == {"b": "x" * 60_000}

    async def test_metadata_is_copied_in_and_out(self, kit: Kit) -> None:
        """Changing metadata that was passed or returned changes nothing that is stored.

        A dictionary is easily shared by accident.
        """
        store = kit.open()
        _require_change(store, "metadata", Operation.CREATE_CONVERSATION)
        passed: dict[str, Any] = {"list": ["kept"]}
        made = await store.create_conversation(id="c", metadata=passed)
        passed["list"].append("later")
        if store.offers(Operation.UPDATE_CONVERSATION):
            changed: dict[str, Any] = {"more": ["kept"]}
            await store.update_conversation("c", metadata=changed)
            changed["more"].append("later")
        kept = {name: ["kept"] for name in (await store.get_conversation("c")).metadata}
        for conversation in (
            made,
            await store.get_conversation("c"),
            *(await collect(store.conversations())),
        ):
            _spoil(conversation)
            assert (await store.get_conversation("c")).metadata == kept
        if store.offers(Operation.PUT_CONVERSATION):
            put: dict[str, Any] = {"put": ["kept"]}
            await store.put_conversation(Conversation.model_construct(id="c", metadata=put))
            put["put"].append("later")
            assert (await store.get_conversation("c")).metadata == {"put": ["kept"]}

    async def test_a_fork_keeps_the_owner_and_the_metadata(self, kit: Kit) -> None:
        """A fork has its original's owner and metadata, except where it is given others.

        Otherwise a user's own branch would belong to nobody.
        """
        store = kit.open()
        _require_change(store, "owner", Operation.CREATE_CONVERSATION, Operation.FORK_CONVERSATION)
        _require_change(store, "metadata", Operation.APPEND_MESSAGES)
        await store.create_conversation(id="c", owner="ann", metadata={"a": [1], "b": 2})
        (message,) = await store.append_messages("c", [text_message("x", "user", 1)])
        fork = await store.fork_conversation("c", message.id)
        assert (fork.owner, fork.metadata) == ("ann", {"a": [1], "b": 2})
        _spoil(fork)
        other = await store.fork_conversation(
            "c", message.id, owner=None, metadata={"b": None, "c": 3}
        )
        assert (other.owner, other.metadata) == (None, {"a": [1], "c": 3})
        assert await store.get_conversation(other.id) == other
        original = await store.get_conversation("c")
        assert (original.owner, original.metadata) == ("ann", {"a": [1], "b": 2})

    async def test_a_conversation_that_a_turn_begins_has_its_owner(self, kit: Kit) -> None:
        """`reply` gives the conversation that it begins an owner and metadata; others keep theirs.

        If they were set afterwards, a crash in between would leave an ownerless conversation.
        """
        store = kit.open()
        _require_change(store, "owner", Operation.REPLY)
        _require_change(store, "metadata", Operation.REPLY)
        if kit.backend.prompts is None:
            raise NotOffered("there are no prompts: see Backend(prompts=…)")
        options = kit.backend.prompts.options
        reply = await store.reply(None, "hello", owner="ann", metadata={"k": [1]}, **options)
        got = await store.get_conversation(reply.conversation_id)
        assert (got.owner, got.metadata) == ("ann", {"k": [1]})
        async with store.stream_reply(got.id, "again", owner="bob", **options) as stream:
            await collect(stream)
        assert (await store.get_conversation(got.id)).owner == "ann"


def _require_change(store: AsyncConversationStore, name: str, *operations: Operation) -> None:
    if name not in store.traits.changes:
        raise NotOffered(f"traits.changes lacks {name}")
    require(store, *operations)


async def _open_owned(kit: Kit) -> AsyncConversationStore:
    """Open a store with conversations of several owners, and with a message each."""
    store = kit.open()
    if "owner" not in store.traits.filters:
        raise NotOffered("traits.filters lacks owner")
    _require_change(store, "owner", Operation.CREATE_CONVERSATION, Operation.APPEND_MESSAGES)
    for number, (name, owner) in enumerate(_OWNERS.items()):
        await store.create_conversation(id=name, owner=owner)
        await store.append_messages(name, [text_message("shared words", "user", number)])
    return store


def _spoil(conversation: Conversation) -> None:
    """Change a conversation's metadata at every depth, as far as it can be changed."""
    metadata: Any = conversation.metadata
    for value in metadata.values():
        if isinstance(value, list):
            value.append("spoiled")
    if isinstance(metadata, dict):
        metadata["spoiled"] = True
