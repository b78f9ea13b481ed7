"""Reading: what the pages show, as the store has it; no HTML and no request is known here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from convostore.models import Conversation, Message, Order, Page
from convostore.search import fold
from convostore.store import AsyncConversationStore

_MOST_TITLES: Final = 5_000
_MOST_MATCHES: Final = 100
_MOST_PAGES: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Titles:
    """Conversations found by their titles alone.

    Attributes:
        looked_at: How many were.
        is_whole: Whether those were all.
    """

    conversations: Sequence[Conversation]
    looked_at: int
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A page of a conversation's messages.

    Attributes:
        is_head: Whether it is the first.
    """

    page: Page[Message]
    order: Order
    is_head: bool = True


async def conversations(
    store: AsyncConversationStore, size: int, cursor: str | None
) -> Page[Conversation]:
    """A page of the list; those that are pinned stand first in it, whatever the backend does."""
    page = await store.list_conversations(limit=size, cursor=cursor)
    items = tuple(sorted(page.items, key=lambda each: not each.pinned))
    return Page(items=items, cursor=page.cursor, total=page.total)


async def titled(store: AsyncConversationStore, query: str, size: int) -> Titles:
    """The conversations whose titles hold all words of a query, where the store cannot search."""
    wanted = fold(query).split()
    found: list[Conversation] = []
    looked_at, cursor = 0, None
    while looked_at < _MOST_TITLES and len(found) < _MOST_MATCHES:
        page = await store.list_conversations(limit=size, cursor=cursor)
        looked_at += len(page.items)
        found += [each for each in page.items if _holds(each.title, wanted)]
        cursor = page.cursor
        if cursor is None:
            break
    return Titles(
        conversations=found[:_MOST_MATCHES],
        looked_at=looked_at,
        is_whole=cursor is None and len(found) <= _MOST_MATCHES,
    )


async def stretch(
    store: AsyncConversationStore,
    conversation_id: str,
    size: int,
    *,
    order: Order = "oldest_first",
    cursor: str | None = None,
) -> Stretch:
    """A page of messages, from where a cursor leads."""
    page = await store.list_messages(conversation_id, limit=size, cursor=cursor, order=order)
    return Stretch(page=page, order=order, is_head=cursor is None)


async def stretch_with(
    store: AsyncConversationStore, conversation_id: str, size: int, message_id: str
) -> Stretch:
    """The page of messages that one stands on; the first page when it is not found.

    Raises:
        NotFoundError: The conversation is not there.
    """
    head = found = await stretch(store, conversation_id, size)
    for _ in range(_MOST_PAGES):
        if any(each.id == message_id for each in found.page.items):
            return found
        if found.page.cursor is None:
            break
        found = await stretch(store, conversation_id, size, cursor=found.page.cursor)
    return head


def _holds(title: str | None, wanted: Sequence[str]) -> bool:
    folded = fold(title or "")
    return all(word in folded for word in wanted)
