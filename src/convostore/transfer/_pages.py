"""Conversations and messages read page by page, from a store or from a file.

How a page is asked for, and which messages are held meanwhile. Their use is decided
elsewhere.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Final, TypeAlias

from ..adapters._endless import EndlessListCheck
from ..errors import ProtocolError, StoreError
from ..models import Conversation, Listing, Message, Page
from ..store._base import adapter_of, count_of
from ..store._iteration import PageIterator
from ._calls import FileCall, SourceCall, Steps, Store, TargetCall

CHUNK: Final = 500
"""The maximum number of messages in one write, and in one page that is read from the target."""
_PAGE: Final = 100
_WHOLE: Final = sys.maxsize
"""The limit of a page of a store whose one answer holds everything."""
_AHEAD: Final = 1000
"""How many messages are held, rather than read again, to know which ids follow."""

Side: TypeAlias = type[SourceCall[Any]] | type[TargetCall[Any]]
Pages: TypeAlias = Callable[[], Steps[Sequence[Message] | None]]
"""Each call reads the next page of messages, oldest first; None after the last."""


class UnreadError(Exception):
    """An error of the source, carried past the handlers of the target's errors."""

    def __init__(self, error: StoreError) -> None:
        super().__init__(error)
        self.error = error


class ConversationReader:
    """The conversations of a store, page by page, while others may write to it.

    Args:
        store: The store.
        side: Its part in the transfer.
        counts: Whether to ask once for the total, where pages do not have it.

    Attributes:
        total: How many there are, where the store says so.
    """

    def __init__(self, store: Store, side: Side, *, counts: bool = False) -> None:
        self._pages = PageIterator[Conversation](adapter_of(store), Listing())
        self._side = side
        self._counts = counts and adapter_of(store).implements("count_conversations")
        self.total: int | None = None

    def next_page(self) -> Steps[list[Conversation] | None]:
        """Read the next conversations; None at the end of the list.

        Raises:
            ProtocolError: The list does not end.
        """
        listing = self._pages.listing
        if listing is None:
            return None
        limit = listing.limit or _WHOLE
        page: Page[Conversation] = yield self._side(
            lambda store: store.list_conversations(limit=limit, cursor=listing.cursor)
        )
        if page.total is not None:
            self.total = page.total
        elif self._counts and page.cursor is not None:
            with suppress(StoreError):  # progress is not worth a run
                self.total = yield self._side(count_of)
        self._counts = False
        return self._pages.accept(page)


def source_pages(
    store: Store, conversation_id: str, *, reached: Callable[[], None] | None = None
) -> Pages:
    """Return the pages of a conversation of the source.

    Args:
        store: The source.
        conversation_id: The conversation.
        reached: Called after each page. Where it is given, errors come as `UnreadError`.
    """
    return _pages_of_store(store, conversation_id, SourceCall, _PAGE, reached)


def target_pages(store: Store, conversation_id: str) -> Pages:
    """Return the pages of a conversation of the target, as large as its writes."""
    return _pages_of_store(store, conversation_id, TargetCall, CHUNK, None)


def file_pages(messages: Iterable[Message]) -> Pages:
    """Return pages of messages that are read from a file one by one."""
    rest = iter(messages)

    def next_page() -> Steps[Sequence[Message] | None]:
        return (yield FileCall(lambda: tuple(islice(rest, CHUNK)))) or None

    return next_page


def _pages_of_store(
    store: Store,
    conversation_id: str,
    side: Side,
    size: int,
    reached: Callable[[], None] | None,
) -> Pages:
    limit = _WHOLE if store.traits.paging == "whole" else size
    cursor: str | None = None
    ended = False
    before: set[str] = set()
    check = EndlessListCheck(adapter_of(store).name, conversation_id)

    def next_page() -> Steps[Sequence[Message] | None]:
        nonlocal cursor, ended, before
        if ended:
            return None
        try:
            page: Page[Message] = yield side(
                lambda store: store.list_messages(conversation_id, limit=limit, cursor=cursor)
            )
            fresh = [message for message in page.items if message.id not in before]
            check.accept(cursor, page, fresh=bool(fresh))
            if reached is not None:
                check_distinct_ids(page.items, set())
        except StoreError as error:
            if reached is None:
                raise
            raise UnreadError(error) from None
        if reached is not None:
            reached()
        before = {message.id for message in page.items}  # pages may overlap with the one before
        cursor, ended = page.cursor, page.cursor is None
        return fresh

    return next_page


def check_distinct_ids(messages: Iterable[Message], seen: set[str]) -> None:
    """Check that messages of the source have distinct ids.

    Args:
        messages: The messages.
        seen: The ids of those before them; theirs are added.

    Raises:
        ProtocolError: An id was seen before.
    """
    for message in messages:
        if message.id in seen:
            raise ProtocolError(
                f"message ids must be unique, but the source lists {message.id!r} twice"
            )
        seen.add(message.id)


class MessageReader:
    """Messages read ahead by a page.

    Attributes:
        held: The next messages, oldest first; empty before `fill` and at the end.
    """

    def __init__(self, begin: Callable[[], Pages]) -> None:
        self._begin = begin
        self._pages = begin()
        self._ended = False
        self.held: deque[Message] = deque()

    def fill(self) -> Steps[None]:
        """Read on until a message is held or there are no more."""
        while not self.held and not self._ended:
            yield from self._fetch()

    def chunk(self) -> Steps[list[Message]]:
        """Return the next messages, as many as one write takes; none at the end."""
        yield from self.fill()
        return [self.held.popleft() for _ in range(min(CHUNK, len(self.held)))]

    def ids(self) -> Steps[dict[str, None]]:
        """Return the ids of all that follow; of all there are, where too many follow to be held.

        They are in order, as the keys of a dict.
        """
        while not self._ended and len(self.held) < _AHEAD:
            yield from self._fetch()
        if self._ended:
            return dict.fromkeys([message.id for message in self.held])
        ids: dict[str, None] = {}
        pages = self._begin()
        while (page := (yield from pages())) is not None:
            ids.update(dict.fromkeys([message.id for message in page]))
        return ids

    def _fetch(self) -> Steps[None]:
        page = yield from self._pages()
        self._ended = page is None
        self.held.extend(page or ())


class MergedMessages:
    """Messages of the source, and those that only the target has after the ones they followed.

    Messages that the target has where the source has something new are the end that the source
    rewrote, and are left out, unless another writer has just put them there.

    Args:
        ours: What the source has.
        theirs: The ids of what the target has.
        surplus: What only the target has, by the id of the message before it; None before all.
        foreign: The ids of what another writer has just put there.
    """

    def __init__(
        self,
        ours: MessageReader,
        theirs: Container[str],
        surplus: Mapping[str | None, Sequence[Message]],
        foreign: Container[str],
    ) -> None:
        self._ours = ours
        self._theirs = theirs
        self._surplus = surplus
        self._foreign = foreign
        self._pending: Sequence[Message] = surplus.get(None, ())

    def chunk(self) -> Steps[list[Message]]:
        """Return the next messages, about as many as one write takes; none at the end."""
        merged: list[Message] = []
        for message in (yield from self._ours.chunk()):
            known = message.id in self._theirs
            merged += [item for item in self._pending if known or item.id in self._foreign]
            merged.append(message)
            self._pending = self._surplus.get(message.id, ())
        if not merged:
            merged, self._pending = list(self._pending), ()
        return merged
