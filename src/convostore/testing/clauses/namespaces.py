"""Clauses of `with_namespace`: views of one store that share its connections and nothing else."""

from __future__ import annotations

import secrets
from typing import Any, Final

from ...adapters import Operation, WrappedAdapter, read_only
from ...errors import ForbiddenError, InvalidError, UnsupportedError
from ...models import Conversation
from ...store import AsyncConversationStore
from .._assertions import NotOffered, collect, conversation_ids, raises, require
from .._backend import Kit
from ..samples import BEYOND_UTF8, text_message

__all__ = ["NamespaceClauses"]

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

_NAMES: Final = ("a", "A", "a ", " ", "é", "e\u0301", "%", "a/b?c#d", "..", "夏威夷", *BEYOND_UTF8)
"""Ends of names of which some become one where they are escaped carelessly."""


class NamespaceClauses:
    """The clauses of namespaces."""

    async def test_namespaces_do_not_mix(self, kit: Kit) -> None:
        """Data written in a namespace shows in no other, whatever the names are.

        One user's words must never show to another.
        """
        store = _open_spacious(kit)
        own = _own_name()
        spaces = {name: store.with_namespace(own + name) for name in _NAMES} | {None: store}
        for name, space in spaces.items():
            await space.create_conversation(id="c", title=f"{name!r} words")
            await space.append_messages("c", [text_message(f"{name!r}", "user", 1)])
        for name, space in spaces.items():
            assert [c.title for c in await collect(space.conversations())] == [f"{name!r} words"]
            assert [message.text for message in await collect(space.messages("c"))] == [f"{name!r}"]
            if space.offers(Operation.SEARCH):
                assert len((await space.search("words")).items) == 1
        await spaces["a"].delete_conversation("c")
        assert await conversation_ids(spaces["a"]) == []
        await spaces["A"].clear_conversations()
        for name, space in spaces.items():
            assert await conversation_ids(space) == ([] if name in {"a", "A"} else ["c"])

    async def test_namespaces_are_written_to_side_by_side(self, kit: Kit) -> None:
        """Writes to many namespaces at the same time arrive each in its own.

        A server uses one for each request.
        """
        store = _open_spacious(kit)
        own = _own_name()

        async def use(number: int) -> list[str]:
            space = store.with_namespace(f"{own} {number}")
            await space.create_conversation(id=f"c{number}")
            return await conversation_ids(space)

        used = await kit.gather([lambda n=n: use(n) for n in range(24)])  # type: ignore[misc]
        assert used == [[f"c{number}"] for number in range(24)]
        assert await conversation_ids(store) == []

    async def test_a_namespace_is_made_without_a_request(self, kit: Kit) -> None:
        """`with_namespace` makes no request, and returns the same kind of store.

        It is called for each request of a server.
        """
        store = kit.open_refusing()
        _require_namespaces(store)
        for number in range(100):
            space = store.with_namespace(f"user {number}")
            assert {operation for operation in Operation if space.offers(operation)} == {
                operation for operation in Operation if store.offers(operation)
            }
            assert space.traits == store.traits

    async def test_a_namespace_is_the_same_store_by_its_name(self, kit: Kit) -> None:
        """Two views of one namespace are the same store; those of two, or of none, are not.

        A mirror refuses to copy a store into itself, and copies between namespaces.
        """
        store = _open_spacious(kit)
        own = _own_name()
        one, same, other = (store.with_namespace(own + name) for name in ("a", "a", "b"))
        await one.create_conversation(id="c")
        assert await conversation_ids(same) == ["c"]
        assert _is_same(one, same)
        assert not _is_same(one, other)
        assert not _is_same(one, store)
        assert len({one.label, other.label, store.label}) == 3

    async def test_closing_a_namespace_closes_nothing(self, kit: Kit) -> None:
        """Closing a namespace does nothing; once its store is closed, it raises `InvalidError`.

        The connections are the store's, and others use them.
        """
        store = _open_spacious(kit)
        space = store.with_namespace(_own_name())
        await space.aclose()
        async with space:
            await space.create_conversation(id="c")
        assert await conversation_ids(space) == ["c"]
        assert await conversation_ids(store) == []
        assert [space.closed, await _closed(store)] == [False, True]
        with raises(InvalidError):
            await space.list_conversations()
        with raises(InvalidError):
            store.with_namespace("b")

    async def test_a_namespace_has_no_further_ones(self, kit: Kit) -> None:
        """A namespace offers no others, and a store without them says so.

        A user who has one must not reach those of others.
        """
        store = kit.open_refusing()
        if store.has_namespaces:
            store = store.with_namespace("a")
        assert not store.has_namespaces
        for name in ("a", "b"):
            with raises(UnsupportedError):
                store.with_namespace(name)

    async def test_the_name_of_a_namespace_is_a_non_empty_text(self, kit: Kit) -> None:
        """A name of a namespace that is empty or not a string is an `InvalidError`.

        An empty one would be the namespace without a name: everybody's.
        """
        store = kit.open_refusing()
        _require_namespaces(store)
        wrong: tuple[Any, ...] = ("", None, 5, b"a", ["a"])
        for name in wrong:
            with raises(InvalidError):
                store.with_namespace(name)

    # Wrappers

    async def test_a_namespace_of_a_read_only_view_is_read_only(self, kit: Kit) -> None:
        """A namespace of a read-only view refuses writes, and so does a read-only view of one.

        A client that may only read must not evade this by a namespace.
        """
        store = _open_spacious(kit)
        own = _own_name()
        space = store.with_namespace(own)
        await space.create_conversation(id="c")
        for guarded in (space.view(read_only), store.view(read_only).with_namespace(own)):
            assert await conversation_ids(guarded) == ["c"]
            with raises(ForbiddenError):
                await guarded.create_conversation(id="d")
            with raises(ForbiddenError):
                await guarded.delete_conversation("c")
        assert await conversation_ids(space) == ["c"]

    async def test_a_wrapper_wraps_its_namespaces(self, kit: Kit) -> None:
        """A namespace of a wrapped store is wrapped as the store is.

        The changes of a wrapper apply to every user.
        """
        store = _open_spacious(kit)
        own = _own_name()
        await store.with_namespace(own).create_conversation(id="c", title="quiet")
        space = store.view(_Loud).with_namespace(own)
        assert (await space.get_conversation("c")).title == "QUIET"
        assert (await store.with_namespace(own).get_conversation("c")).title == "quiet"


class _Loud(WrappedAdapter):
    """Returns titles in capital letters."""

    def get_conversation(self, conversation_id: str) -> Any:
        got: Conversation = yield from self.inner.get_conversation(conversation_id)
        return got.model_copy(update={"title": (got.title or "").upper()})


def _own_name() -> str:
    """Return a name that no other clause uses: backends may share one place."""
    return secrets.token_hex(8)


def _require_namespaces(store: AsyncConversationStore) -> None:
    if not store.has_namespaces:
        raise NotOffered("it has no namespaces")


def _open_spacious(kit: Kit) -> AsyncConversationStore:
    """Open a store that has namespaces."""
    store = kit.open()
    _require_namespaces(store)
    require(store, Operation.CREATE_CONVERSATION, Operation.APPEND_MESSAGES)
    require(store, Operation.DELETE_CONVERSATION, Operation.CLEAR_CONVERSATIONS)
    return store


async def _closed(store: AsyncConversationStore) -> bool:
    """Close a store, and return whether its namespaces are closed."""
    space = store.with_namespace("a")
    await store.aclose()
    return space.closed


def _is_same(one: AsyncConversationStore, other: AsyncConversationStore) -> bool:
    return one.is_same_store(other)
