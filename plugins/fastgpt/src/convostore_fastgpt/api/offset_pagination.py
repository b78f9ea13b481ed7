"""Stable pages over a list that is served by offset while others write to it.

Rows are opaque here: what a row holds and what a list is sorted by, `lists` defines.
"""

# The problem. The service pages by offset, and an offset names a position, not a row. A row that
# is created or moved to the top between two requests shifts all others down, so that the next
# page repeats one; a deleted row shifts them up, so that the next page skips one. What iteration
# and mirrors need is: a row that stays where it is appears on exactly one page.
#
# The order. Every list is sorted by a *rank* that never decreases along it: (not pinned,
# -updateTime) for conversations, the number in `_id` for records. Whatever is inserted or
# deleted, a row of a higher rank stays beyond a row of a lower one. So a cursor (`Place`) keeps
# the rank of the last row of its page and, since several rows may share a rank, the ids of those
# rows that were seen. Whether a row was seen then depends on the row, not on its offset:
#
#     unseen(row)  =  rank(row) > place.rank,  or  rank(row) == place.rank and its id was not seen
#
# The index in the cursor is no more than a hint where to look first.
#
# The overlap. A page is requested one row *before* the hinted index, so that its first row should
# be the last one seen. Three things can come back:
#
#     seen   unseen unseen ...   the page joins the one before: its unseen rows are the result
#     unseen unseen unseen ...   rows before it were deleted, and unseen ones may lie further up:
#                                the window moves up by half its size
#     seen   seen   seen   ...   rows were inserted before it: the window moves down
#
# Moving up ends at offset 0, moving down at the end of the list, and each window overlaps the one
# before it, so nothing between two windows is missed. The first page has no place to join: every
# row is unseen, and it has to begin at offset 0. A list that changes faster than the window can
# follow ends in an UnavailableError after `_MOVES` moves.
#
# Rows that move. A conversation that is written to jumps to the top, before the place; no later
# page holds it. That is not mended here but by the iterators of the store, which read the head of
# the list again at the end. A record never moves.
#
# Counting from the other end. The service counts records from the newest on. Oldest first, the
# first request only finds out the total; from it follow the offsets, and where the total has
# changed by the time of the answer, `Slice.start` says which rows really came.
#
# Short pages. An answer may hold no row although its total promises more: that is taken for the
# end, or the window would move forever. A list may show only some of its rows (`shows`); the
# others count as seen, so a page without any shown row still has an end to go on from.
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
"""Moves of a window after which the list counts as unreadable."""
PAGE: Final = 100
"""Rows of a page where the caller sets no limit, and of a window that has lost its place."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Adjacent rows of a list, in the order of iteration.

    Attributes:
        start: Number of rows before them.
        total: Number of rows in the list.
    """

    rows: Sequence[JSON]
    start: int
    total: int


@dataclass(frozen=True, slots=True)
class Place:
    """The end of a page, as a cursor holds it.

    Attributes:
        index: Number of rows up to there.
        total: Number of rows that the list had.
        rank: Rank of the last row.
        ids: Ids of the rows of that rank that were seen.
    """

    index: int
    total: int
    rank: JSON
    ids: tuple[str, ...]

    def __str__(self) -> str:
        return json.dumps([self.index, self.total, self.rank, self.ids])

    @classmethod
    def parse(cls, cursor: str) -> Place:
        """Parse a cursor.

        Raises:
            InvalidError: The text is not a cursor.
        """
        try:
            index, total, rank, ids = json.loads(cursor)
            return cls(int(index), int(total), rank, tuple(map(str, ids)))
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise InvalidError("invalid cursor: pass page.cursor unchanged") from None


@dataclass(frozen=True, slots=True)
class Window:
    """A page of rows with its neighbours, in the order of iteration.

    Attributes:
        rows: The rows that are shown.
        start: Number of rows before the page.
        before: The row before the page, or None.
        after: The row after the page, or None.
        end: The end of the page; None for the last one.
        total: Number of rows in the list.
    """

    rows: Sequence[JSON]
    start: int
    before: JSON
    after: JSON
    end: Place | None
    total: int


class OffsetList(ABC):
    """A list of the service in one order of iteration.

    Attributes:
        ahead: Number of rows after a page that are requested with it, as its `after`.
        least: Smallest number of rows to request, where few of them may be shown.
    """

    ahead: int = 0
    least: int = 1

    @abstractmethod
    def fetch(self, start: int, size: int, total: int | None) -> HTTPFlow[Slice]:
        """Request `size` rows after the first `start`.

        Args:
            start: Number of rows to skip.
            size: Number of rows to return.
            total: Number of rows that the list had when last seen.
        """

    @abstractmethod
    def rank(self, row: JSON) -> JSON:
        """Return what the list is sorted by, in ascending order; None if the row lacks it."""

    @abstractmethod
    def key(self, row: JSON) -> str | None:
        """Return the row's id; None if the row lacks it."""

    def shows(self, row: JSON) -> bool:  # noqa: ARG002
        """Return whether pages contain the row; the others are skipped."""
        return True

    def page(self, cursor: str | None, limit: int) -> HTTPFlow[Window]:
        """Return up to `limit` shown rows after a cursor; perhaps none although more follow.

        Raises:
            InvalidError: The cursor is invalid.
            UnavailableError: The list changes faster than it can be read.
        """
        place = Place.parse(cursor) if cursor is not None else None
        start = max(0, place.index - 1) if place else 0
        size = max(limit, self.least) + self.ahead + (place is not None)
        total = place.total if place else None
        for _ in range(_MOVES):
            piece = yield from self.fetch(start, size, total)
            total = piece.total
            ranks = self._ranks(piece.rows)
            unseen = self._unseen(piece.rows, ranks, place)
            first = unseen[0] if unseen else len(piece.rows)
            more = piece.start + len(piece.rows) < total
            if not piece.rows and piece.start < total:  # it promised more than there is
                return self._window(piece, ranks, [], limit, place)
            if piece.start > 0 and first == 0:
                size = max(size, PAGE)
                start = max(0, min(piece.start, total) - size // 2) if place else 0
            elif not unseen and more:
                size = max(size, PAGE)
                start = piece.start + max(1, len(piece.rows) - 1)
            else:
                return self._window(piece, ranks, unseen, limit, place)
        raise UnavailableError("the list changes faster than it can be read: try again")

    def whole(self) -> HTTPFlow[list[JSON]]:
        """Return all rows, requested page by page."""
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
        """Return the indexes of the rows that lie beyond the place."""
        if place is None:
            return list(range(len(rows)))
        return [
            number
            for number, (row, rank) in enumerate(zip(rows, ranks, strict=True))
            if _beyond(rank, place.rank) and self._identity(row) not in place.ids
        ]

    def _identity(self, row: JSON) -> str:
        """Return the row's id, or a digest of the row where it lacks one."""
        return self.key(row) or "#" + sha256(json.dumps(row).encode("ascii")).hexdigest()

    def _ranks(self, rows: Sequence[JSON]) -> list[JSON]:
        """Return the ranks of the rows; a row without one gets its neighbour's."""
        ranks = [self.rank(row) for row in rows]
        known = next((rank for rank in ranks if rank is not None), None)
        for number, rank in enumerate(ranks):
            known = ranks[number] = known if rank is None else rank
        return ranks

    def _window(
        self,
        piece: Slice,
        ranks: Sequence[JSON],
        unseen: Sequence[int],
        limit: int,
        place: Place | None,
    ) -> Window:
        shown = [number for number in unseen if self.shows(piece.rows[number])][:limit]
        passed = unseen.index(shown[-1]) + 1 if len(shown) == limit else len(unseen)
        page = unseen[:passed]
        first = page[0] if page else len(piece.rows)
        more = len(unseen) > passed or piece.start + len(piece.rows) < piece.total
        return Window(
            rows=[piece.rows[number] for number in shown],
            start=piece.start + first,
            before=piece.rows[first - 1] if first else None,
            after=piece.rows[unseen[passed]] if len(unseen) > passed else None,
            end=self._end(piece, ranks, page, place) if more and page else None,
            total=piece.total,
        )

    def _end(
        self, piece: Slice, ranks: Sequence[JSON], page: Sequence[int], place: Place | None
    ) -> Place:
        last = page[-1]
        ids = [
            self._identity(piece.rows[number]) for number in page if ranks[number] == ranks[last]
        ]
        if place is not None and place.rank == ranks[last]:
            ids = [*place.ids, *ids]
        return Place(piece.start + last + 1, piece.total, ranks[last], tuple(ids))


def _beyond(rank: JSON, last: JSON) -> bool:
    """Return whether a row of this rank may be unseen; rows of the same rank are, by id."""
    if rank is None or last is None:
        return True
    try:
        return bool(rank >= last)
    except TypeError:
        raise InvalidError("the cursor belongs to another list: start again without one") from None
