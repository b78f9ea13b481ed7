"""Queries: what the pages show, read from a store. No HTML and no request is known here."""

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
    """Conversations whose titles match a query.

    Attributes:
        searched: The number of conversations that were searched.
        is_whole: Whether these are all matches.
    """

    conversations: Sequence[Conversation]
    searched: int
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePage:
    """A page of a conversation's messages.

    Attributes:
        is_head: Whether it is the first page.
    """

    page: Page[Message]
    order: Order
    is_head: bool = True


async def conversations(
    store: AsyncConversationStore, size: int, cursor: str | None
) -> Page[Conversation]:
    """Return a page of the list, its pinned conversations first, whatever the backend does."""
    page = await store.list_conversations(limit=size, cursor=cursor)
    items = tuple(sorted(page.items, key=lambda conversation: not conversation.pinned))
    return Page(items=items, cursor=page.cursor, total=page.total)


async def search_titles(store: AsyncConversationStore, query: str, size: int) -> Titles:
    """Return the conversations whose titles have all words of a query."""
    words = fold(query).split()
    matches: list[Conversation] = []
    searched, cursor = 0, None
    while searched < _MOST_TITLES and len(matches) < _MOST_MATCHES:
        page = await store.list_conversations(limit=size, cursor=cursor)
        searched += len(page.items)
        matches += [item for item in page.items if _has_words(item.title, words)]
        cursor = page.cursor
        if cursor is None:
            break
    return Titles(
        conversations=matches[:_MOST_MATCHES],
        searched=searched,
        is_whole=cursor is None and len(matches) <= _MOST_MATCHES,
    )


async def message_page(
    store: AsyncConversationStore,
    conversation_id: str,
    size: int,
    *,
    order: Order = "oldest_first",
    cursor: str | None = None,
) -> MessagePage:
    """Return a page of messages, at a cursor or at the head."""
    page = await store.list_messages(conversation_id, limit=size, cursor=cursor, order=order)
    return MessagePage(page=page, order=order, is_head=cursor is None)


async def page_with(
    store: AsyncConversationStore, conversation_id: str, size: int, message_id: str
) -> MessagePage:
    """Return the page that has a message; the first page when it is not found.

    Raises:
        NotFoundError: The conversation does not exist.
    """
    head = current = await message_page(store, conversation_id, size)
    for _ in range(_MOST_PAGES):
        if any(message.id == message_id for message in current.page.items):
            return current
        if current.page.cursor is None:
            break
        current = await message_page(store, conversation_id, size, cursor=current.page.cursor)
    return head


def _has_words(title: str | None, words: Sequence[str]) -> bool:
    folded = fold(title or "")
    return all(word in folded for word in words)
