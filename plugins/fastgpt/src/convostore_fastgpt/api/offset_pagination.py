"""Pages of a list that is served by offset while others write to it.

An offset means another row as soon as one is made, moved or deleted before it. So a page begins one
row early and is joined to the one before by what the list is sorted by; where it does not join, the
window moves until it does. What rows hold is the business of the lists that are defined elsewhere.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from convostore.errors import InvalidError, UnavailableError
from convostore.http import HTTPFlow
from convostore.models import JSON

_MOVES: Final = 200
"""How often a window moves before the list counts as one that cannot be read."""
PAGE: Final = 100
"""Rows of a page where the caller leaves it open, and of a window that has lost its place."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows of a list in the order of the walk.

    Attributes:
        start: How many rows stand before them.
        total: How many rows the list has.
    """

    rows: Sequence[JSON]
    start: int
    total: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: what a cursor holds.

    Attributes:
        index: How many rows stood up to there.
        total: How many rows the list had.
        rank: What the list is sorted by, of the last row.
        ids: The rows of that rank that were seen.
    """

    index: int
    total: int
    rank: JSON
    ids: tuple[str, ...]

    def __str__(self) -> str:
        return json.dumps([self.index, self.total, self.rank, self.ids])

    @classmethod
    def parse(cls, cursor: str) -> Place:
        """Reads a cursor.

        Raises:
            InvalidError: It is none.
        """
        try:
            index, total, rank, ids = json.loads(cursor)
            return cls(int(index), int(total), rank, tuple(map(str, ids)))
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise InvalidError("invalid cursor: pass page.cursor unchanged") from None


@dataclass(frozen=True, slots=True)
class Window:
    """A page of rows with its neighbours in the order of the walk; None where there is none.

    Attributes:
        end: Where the page ended; None when it is the last.
    """

    rows: Sequence[JSON]
    start: int
    before: JSON
    after: JSON
    end: Place | None
    total: int


class OffsetList(ABC):
    """A list of the service in one order, and how its rows are told apart.

    Attributes:
        ahead: How many rows behind a page are brought with it, to be looked at.
        least: How many rows are asked for at the least, where few of them may be shown.
    """

    ahead: int = 0
    least: int = 1

    @abstractmethod
    def fetch(self, start: int, size: int, total: int | None) -> HTTPFlow[Slice]:
        """Asks for `size` rows behind the first `start`.

        Args:
            start: How many rows to leave out.
            size: How many to bring.
            total: How many rows the list had when last seen.
        """

    @abstractmethod
    def rank(self, row: JSON) -> JSON:
        """What the list is sorted by, growing along the walk; None where it cannot be read."""

    @abstractmethod
    def key(self, row: JSON) -> str | None:
        """The row's id; None when it is lost."""

    def shows(self, row: JSON) -> bool:  # noqa: ARG002
        """Whether a row is one of those that pages are made of; the others are passed over."""
        return True

    def page(self, cursor: str | None, limit: int) -> HTTPFlow[Window]:
        """The rows behind a cursor, up to `limit` of those that are shown; perhaps none yet.

        Raises:
            InvalidError: The cursor is none.
            UnavailableError: The list changes faster than it can be read.
        """
        place = Place.parse(cursor) if cursor is not None else None
        start = max(0, place.index - 1) if place else 0
        size = max(limit, self.least) + self.ahead + (place is not None)
        total = place.total if place else None
        for _ in range(_MOVES):
            found = yield from self.fetch(start, size, total)
            total = found.total
            ranks = self._ranks(found.rows)
            unseen = self._unseen(found.rows, ranks, place)
            first = unseen[0] if unseen else len(found.rows)
            more = found.start + len(found.rows) < total
            if not found.rows and found.start < total:  # it promised more than there is
                return self._window(found, ranks, [], limit, place)
            if found.start > 0 and first == 0:
                size = max(size, PAGE)
                start = max(0, min(found.start, total) - size // 2) if place else 0
            elif not unseen and more:
                size = max(size, PAGE)
                start = found.start + max(1, len(found.rows) - 1)
            else:
                return self._window(found, ranks, unseen, limit, place)
        raise UnavailableError("the list changes faster than it can be read: try again")

    def whole(self) -> HTTPFlow[list[JSON]]:
        """All rows, page by page."""
        rows: list[JSON] = []
        window = yield from self.page(None, PAGE)
        rows += window.rows
        while window.end is not None:
            window = yield from self.page(str(window.end), PAGE)
            rows += window.rows
        return rows

    def _unseen(
        self, rows: Sequence[JSON], ranks: Sequence[JSON], place: Place | None
    ) -> list[int]:
        """Which of the rows stand behind the place."""
        if place is None:
            return list(range(len(rows)))
        return [
            number
            for number, (row, rank) in enumerate(zip(rows, ranks, strict=True))
            if _beyond(rank, place.rank) and self._told_apart(row) not in place.ids
        ]

    def _told_apart(self, row: JSON) -> str:
        """The row's id or, where that is lost, what else tells it from the others."""
        return self.key(row) or "#" + sha256(json.dumps(row).encode("ascii")).hexdigest()

    def _ranks(self, rows: Sequence[JSON]) -> list[JSON]:
        """The rows' ranks; a row without one has its neighbour's."""
        ranks = [self.rank(row) for row in rows]
        known = next((rank for rank in ranks if rank is not None), None)
        for number, rank in enumerate(ranks):
            known = ranks[number] = known if rank is None else rank
        return ranks

    def _window(
        self,
        found: Slice,
        ranks: Sequence[JSON],
        unseen: Sequence[int],
        limit: int,
        place: Place | None,
    ) -> Window:
        shown = [number for number in unseen if self.shows(found.rows[number])][:limit]
        passed = unseen.index(shown[-1]) + 1 if len(shown) == limit else len(unseen)
        page = unseen[:passed]
        first = page[0] if page else len(found.rows)
        more = len(unseen) > passed or found.start + len(found.rows) < found.total
        return Window(
            rows=[found.rows[number] for number in shown],
            start=found.start + first,
            before=found.rows[first - 1] if first else None,
            after=found.rows[unseen[passed]] if len(unseen) > passed else None,
            end=self._end(found, ranks, page, place) if more and page else None,
            total=found.total,
        )

    def _end(
        self, found: Slice, ranks: Sequence[JSON], page: Sequence[int], place: Place | None
    ) -> Place:
        last = page[-1]
        ids = [self._told_apart(found.rows[each]) for each in page if ranks[each] == ranks[last]]
        if place is not None and place.rank == ranks[last]:
            ids = [*place.ids, *ids]
        return Place(found.start + last + 1, found.total, ranks[last], tuple(ids))


def _beyond(rank: JSON, last: JSON) -> bool:
    """Whether a row may stand behind the last one seen; those of its own rank are told by id."""
    if rank is None or last is None:
        return True
    try:
        return bool(rank >= last)
    except TypeError:
        raise InvalidError("this is no cursor of this list: start again without one") from None
