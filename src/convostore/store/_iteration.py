"""Iteration over all pages of a list while others may write to it.

It decides which page comes next, and which items of a page are new; nothing is carried out here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final, Generic, TypeVar

from ..adapters import Adapter
from ..adapters._endless import EndlessListCheck
from ..models import UNSET, Conversation, Listing, Message, Page

T = TypeVar("T")

_PAGE_SIZE: Final = 100


class PageIterator(Generic[T]):
    """The pages of a list, from its head to its end.

    The order of conversations moves (one that is written to goes to the top), so their head is
    read again after the end, down to an item that has not moved since it was seen, until that shows
    nothing new. So nothing comes twice, and what was there throughout is not missed.

    Args:
        adapter: The adapter whose list it is.
        head: How the list is read; its limit is set here.
        conversation_id: The conversation whose messages are listed; None if conversations are.

    Attributes:
        listing: The page to read next; None at the end.
    """

    def __init__(
        self,
        adapter: Adapter,
        head: Listing,
        conversation_id: str | None = None,
    ) -> None:
        traits = adapter.traits
        filtered = head.older_than is not None or head.owner is not UNSET
        self._check = EndlessListCheck(adapter.name, conversation_id, filtered=filtered)
        self._whole = traits.paging == "whole"
        self._moves = conversation_id is None and not self._whole
        self._again_from_head = self._moves and head.start is None
        self._seen: dict[str, datetime | None] = {}
        self._rereading = False
        self._found_new = False
        self._pages = 0
        limit = None if self._whole else min(_PAGE_SIZE, traits.max_page or _PAGE_SIZE)
        self.listing: Listing | None = replace(head, limit=limit)

    def accept(self, page: Page[T]) -> list[T]:
        """Accept a page, and return its items that were not seen before.

        Raises:
            ProtocolError: The list does not end.
        """
        assert self.listing is not None  # noqa: S101  # else no page was asked for
        fresh: list[T] = []
        settled = False
        shown: dict[str, datetime | None] = {}
        for item in page.items:
            item_id, moved_at = _id_and_time(item)
            if item_id not in self._seen and item_id not in shown:
                fresh.append(item)
            elif moved_at == self._seen.get(item_id) and not getattr(item, "pinned", False):
                settled = True
            shown[item_id] = moved_at
        self._check.accept(self.listing.cursor, page, fresh=bool(fresh))
        if self._moves:
            self._seen |= shown
        else:
            self._seen = shown  # pages overlap with the one before; a long list is not kept
        self._pages += 1
        self._found_new |= bool(fresh)
        if page.cursor is not None and not (self._rereading and settled and not fresh):
            self.listing = replace(self.listing, cursor=page.cursor, start=None)
        elif self._again_from_head and self._pages > 1 and self._found_new:
            self.listing = replace(self.listing, cursor=None)
            self._rereading, self._found_new = True, False
            self._check.restart()
        else:
            self.listing = None
        return fresh


def _id_and_time(item: object) -> tuple[str, datetime | None]:
    """Return an item's id, and the time that moves it to the top of its list."""
    if isinstance(item, Conversation):
        return item.id, item.last_active_at
    assert isinstance(item, Message)  # noqa: S101  # the two kinds that are listed
    return item.id, None
