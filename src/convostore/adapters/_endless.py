"""A check that a list which is read page by page comes to an end, in constant memory.

A backend's pages may be empty, short, or overlap, and a list that others write to may show a page
again. A list whose cursors or pages recur forever has no end. No request is made here.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final

from ..errors import ProtocolError
from ..models import Conversation, Message, Page

_FORGIVEN: Final = 2
"""How often a cursor or a page may come again, as it may where others write to the list."""
_BARREN: Final = 1_000
"""How many pages in a row may be without anything new, beyond as many as had something."""
_BARREN_FILTERED: Final = 100_000
"""The same where what does not match a filter is left out: 10,000,000 items in pages of 100."""


class _Recurrence:
    """The number of times that a value of a long sequence came again, by Brent's algorithm.

    One value is held at a time, each for twice as many steps as the one before; so a cycle of any
    length is found within a few times that length.
    """

    def __init__(self) -> None:
        self._held: Hashable = None
        self._left = 1
        self._term = 1
        self._times = 0

    def count(self, value: Hashable) -> int:
        """Return how often the value came again while it was held; 0 if another one is."""
        self._left -= 1
        if value == self._held:
            self._times += 1
            return self._times
        if self._left <= 0:
            self._term *= 2
            self._held, self._left, self._times = value, self._term, 0
        return 0


class EndlessListCheck:
    """A check of one walk through a list; pass each page to `accept`.

    A list that invents new items forever cannot be distinguished from a long one.

    Args:
        adapter: The name of the adapter whose list it is.
        conversation_id: The conversation whose messages are listed; None if conversations are.
        filtered: Whether pages leave out what does not match, so that many may be empty.
    """

    def __init__(
        self, adapter: str, conversation_id: str | None = None, *, filtered: bool = False
    ) -> None:
        self._adapter = adapter
        self._conversation_id = conversation_id
        self._most_barren = _BARREN_FILTERED if filtered else _BARREN
        self._fruitful = self._barren = 0
        self.restart()

    def restart(self) -> None:
        """Begin at the head of the list again, whose cursors and pages may recur then."""
        self._cursors, self._pages = _Recurrence(), _Recurrence()

    def accept(self, asked: str | None, page: Page[Any], *, fresh: bool) -> None:
        """Check that a page leads on.

        Args:
            asked: The cursor that the page was asked for by; None at the head of the list.
            page: The page.
            fresh: Whether it shows anything new, as far as the caller remembers.

        Raises:
            ProtocolError: The list has no end.
        """
        if page.cursor is None:
            return
        if page.cursor == asked:
            raise self._error("a page's cursor leads to the same page again")
        if self._cursors.count(page.cursor) > _FORGIVEN:
            raise self._error("its cursors form a loop")
        if page.items and self._pages.count(_ids(page)) > _FORGIVEN:
            raise self._error("the same pages come back under other cursors")
        self._fruitful += fresh
        self._barren = 0 if fresh else self._barren + 1
        if self._barren > self._most_barren + self._fruitful:
            raise self._error(f"{self._barren:,} pages in a row show nothing new")

    def _error(self, reason: str) -> ProtocolError:
        what, operation = "list of conversations", "list_conversations"
        if self._conversation_id is not None:
            what, operation = f"list of messages in {self._conversation_id!r}", "list_messages"
        return ProtocolError(
            f"the {what} of {self._adapter} does not end: {reason}",
            adapter=self._adapter,
            operation=operation,
        )


def _ids(page: Page[Conversation] | Page[Message]) -> tuple[str, ...]:
    return tuple(item.id for item in page.items)
