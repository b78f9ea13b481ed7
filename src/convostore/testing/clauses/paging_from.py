"""Clauses of lists that begin at an id, or come in the other order."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable
from datetime import timedelta
from typing import Literal, TypeVar

from ...adapters import Operation
from ...errors import InvalidError, NotFoundError, UnsupportedError
from ...models import Conversation, Message, Order, Page
from ...store import AsyncConversationStore
from .._assertions import (
    NotOffered,
    collect,
    open_filled,
    raises,
    read_pages,
)
from .._backend import Kit
from ..samples import START, dialogue, numbered_conversations

__all__ = ["PagingFromClauses"]

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

Item = TypeVar("Item", Conversation, Message)

_ABSENT = "there-is-no-such-conversation"
_ORDERS: tuple[Order, Order] = ("newest_first", "oldest_first")


class PagingFromClauses:
    """The clauses of `start` and of the order of conversations."""

    async def test_a_page_of_messages_begins_with_its_start(self, kit: Kit) -> None:
        """With `start`, a page of messages begins with that one, and the pages after it follow.

        An app opens a conversation at the message that a search has found.
        """
        store = await open_filled(kit, numbered_conversations(1, messages=7))
        _require_start(store, "messages")
        for order in _ORDERS:
            await _check_starts(
                store.messages("c0000", order=order),
                lambda start, cursor, order=order: store.list_messages(  # type: ignore[misc]
                    "c0000", limit=2, order=order, start=start, cursor=cursor
                ),
                lambda start, order=order: store.messages("c0000", order=order, start=start),  # type: ignore[misc]
            )
        json = await store.messages_as_json("c0000", limit=2, start=(await _ids(store))[3])
        assert len(json.items) == 2

    async def test_a_page_of_conversations_begins_with_its_start(self, kit: Kit) -> None:
        """With `start`, a page of conversations begins with that one, and the rest follows.

        An app continues where the user left the list, though others were deleted meanwhile.
        """
        store = await open_filled(kit, numbered_conversations(7, messages=1))
        _require_start(store, "conversations")
        for order in sorted(store.traits.orders):
            await _check_starts(
                store.conversations(order=order),
                lambda start, cursor, order=order: store.list_conversations(  # type: ignore[misc]
                    limit=2, order=order, start=start, cursor=cursor
                ),
                lambda start, order=order: store.conversations(order=order, start=start),  # type: ignore[misc]
            )

    async def test_a_start_that_is_not_listed_is_not_found(self, kit: Kit) -> None:
        """A `start` that is absent, or that a filter leaves out, is a `NotFoundError`.

        A page from somewhere else would look like the one that was asked for.
        """
        store = await open_filled(kit, [dialogue("one", "ab"), dialogue("two", "cdefg")])
        for name in _lists_with_start(store):
            if name == "messages":
                elsewhere = (await collect(store.messages("two")))[-1].id
                for start in ("no such message", elsewhere):
                    with raises(NotFoundError):
                        await store.list_messages("one", start=start)
            else:
                with raises(NotFoundError):
                    await store.list_conversations(start=_ABSENT)
                with raises(NotFoundError):
                    await store.list_conversations(
                        start="one", older_than=START - timedelta(days=1)
                    )

    async def test_a_start_and_a_cursor_are_not_taken_together(self, kit: Kit) -> None:
        """A `start` beside a cursor is an `InvalidError`: each is the place where a page begins.

        One of them would be overlooked silently.
        """
        store = await open_filled(kit, [dialogue("one", "ab"), dialogue("two", "cd")])
        for name in _lists_with_start(store):
            if name == "messages":
                message = (await collect(store.messages("one")))[0].id
                cursor = (await store.list_messages("one", limit=1)).cursor
                with raises(InvalidError):
                    await store.list_messages("one", start=message, cursor=cursor)
            else:
                cursor = (await store.list_conversations(limit=1)).cursor
                with raises(InvalidError):
                    await store.list_conversations(start="one", cursor=cursor)

    async def test_conversations_oldest_first_are_the_list_reversed(self, kit: Kit) -> None:
        """`order="oldest_first"` is exactly the list reversed, page by page as well.

        A page that is reversed by itself would show the newest conversations first again.
        """
        store = await open_filled(kit, numbered_conversations(5, messages=1))
        if "oldest_first" not in store.traits.orders:
            raise NotOffered("traits.orders lacks oldest_first")
        if "pinned" in store.traits.changes and store.offers(Operation.UPDATE_CONVERSATION):
            await store.update_conversation("c0002", pinned=True)
        listed = await collect(store.conversations())
        assert await collect(store.conversations(order="newest_first")) == listed
        assert await collect(store.conversations(order="oldest_first")) == listed[::-1]
        pages = await read_pages(
            lambda cursor: store.list_conversations(limit=2, cursor=cursor, order="oldest_first")
        )
        assert pages == listed[::-1]
        cursor = (await store.list_conversations(limit=2, order="oldest_first")).cursor
        with raises(InvalidError):
            await store.list_conversations(limit=2, cursor=cursor)

    async def test_what_the_traits_lack_is_unsupported_before_any_request(self, kit: Kit) -> None:
        """What `traits` does not name is an `UnsupportedError` before any request.

        A filter that is overlooked shows one user's conversations to another.
        """
        store = kit.open_refusing()
        calls = _undeclared(store)
        if not calls:
            raise NotOffered("its traits name everything")
        for call in calls:
            with raises(UnsupportedError):
                await call()


def _undeclared(store: AsyncConversationStore) -> list[Callable[[], Awaitable[object]]]:
    """Return calls of what the traits of a store do not name."""
    traits = store.traits
    calls: list[tuple[str, bool, Callable[[], Awaitable[object]]]] = [
        (
            "list_messages",
            "messages" in store.traits.starts,
            lambda: store.list_messages("c", start="m"),
        ),
        (
            "list_conversations",
            "conversations" in store.traits.starts,
            lambda: store.list_conversations(start="c"),
        ),
        (
            "list_conversations",
            "oldest_first" in store.traits.orders,
            lambda: store.list_conversations(order="oldest_first"),
        ),
        (
            "list_conversations",
            "owner" in traits.filters,
            lambda: store.list_conversations(owner="o"),
        ),
        (
            "list_conversations",
            "owner" in traits.filters,
            lambda: collect(store.conversations(owner=None)),
        ),
        ("search", "owner" in traits.filters, lambda: store.search("x", owner="o")),
        (
            "delete_conversations",
            "owner" in traits.filters,
            lambda: store.delete_conversations(owner="o"),
        ),
        (
            "create_conversation",
            "owner" in traits.changes,
            lambda: store.create_conversation(owner="o"),
        ),
        (
            "create_conversation",
            "metadata" in traits.changes,
            lambda: store.create_conversation(metadata={"k": "v"}),
        ),
        (
            "update_conversation",
            "owner" in traits.changes,
            lambda: store.update_conversation("c", owner=None),
        ),
        (
            "update_conversation",
            "metadata" in traits.changes,
            lambda: store.update_conversation("c", metadata={}),
        ),
        (
            "fork_conversation",
            "owner" in traits.changes,
            lambda: store.fork_conversation("c", "m", owner="o"),
        ),
        ("reply", "owner" in traits.changes, lambda: store.reply(None, "x", owner="o")),
    ]
    return [call for operation, there, call in calls if not there and store.offers(operation)]


def _require_start(
    store: AsyncConversationStore, name: Literal["conversations", "messages"]
) -> None:
    if name not in store.traits.starts:
        raise NotOffered(f"traits.starts lacks {name}")


def _lists_with_start(store: AsyncConversationStore) -> list[str]:
    if not store.traits.starts:
        raise NotOffered("traits.starts is empty")
    return sorted(store.traits.starts)


async def _check_starts(
    everything: AsyncIterable[Item],
    read: Callable[[str | None, str | None], Awaitable[Page[Item]]],
    iterate: Callable[[str], AsyncIterable[Item]],
) -> None:
    """Check that the lists from some items of a list are its rests."""
    listed = await collect(everything)
    for index in (0, 1, len(listed) // 2, len(listed) - 1):
        start: str = listed[index].id
        assert await _pages_from(start, read) == listed[index:]
        assert await collect(iterate(start)) == listed[index:]


async def _pages_from(
    start: str, read: Callable[[str | None, str | None], Awaitable[Page[Item]]]
) -> list[Item]:
    return await read_pages(lambda cursor: read(None if cursor else start, cursor))


async def _ids(store: AsyncConversationStore) -> list[str]:
    return [message.id for message in await collect(store.messages("c0000"))]
