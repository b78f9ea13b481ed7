"""Places of rows in an order, and the cursors that name them.

SQLite lets another program write anything into any column, so that a row may have no place that a
cursor can express: it is counted from the row before it. No statement may be known here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

from convostore.adapters import read_position
from convostore.errors import InvalidError

from .columns import is_number
from .damage import damaged

__all__ = ["Place", "cursor_after"]


@dataclass(frozen=True, slots=True)
class Place:
    """A place in an order of rows, after which a page begins.

    Attributes:
        kinds: Classes of the values that the rows are sorted by: `int` or `str` each.
        values: The values of the last row before the place that has such ones; None if none has.
        skipped: The number of rows between that one and the place; 0 but in a damaged table of
            SQLite, the only database where a row can have other values.
    """

    kinds: tuple[type, ...]
    values: tuple[Any, ...] | None = None
    skipped: int = 0

    @classmethod
    def parse(cls, cursor: str | None, *kinds: type) -> Self:
        """Parse a cursor; None is the place before the first row.

        Raises:
            InvalidError: It is not one of rows that are sorted by such values.
        """
        place = cls(kinds)
        if cursor is None:
            return place
        try:
            return replace(place, values=tuple(read_position(cursor, *kinds)))
        except InvalidError:
            before, skipped = read_position(cursor, str, int)
        if before:
            place = replace(place, values=tuple(read_position(before, *kinds)))
        return replace(place, skipped=skipped)

    def __str__(self) -> str:
        values = "" if self.values is None else json.dumps(self.values)
        return json.dumps([values, self.skipped]) if self.skipped or not values else values

    def after(self, rows: Iterable[tuple[Any, ...]]) -> Self:
        """Return the place after some rows that follow this one.

        Args:
            rows: The values that they are sorted by; the last row first.
        """
        skipped = 0
        for values in rows:
            if all(map(_has_kind, values, self.kinds)):
                return type(self)(self.kinds, values, skipped)
            skipped += 1
        return type(self)(self.kinds, self.values, self.skipped + skipped)


def cursor_after(place: Place, rows: Iterable[tuple[Any, ...]], start: str | None) -> str:
    """Return the cursor of the page that follows another one.

    Args:
        place: The place before that one.
        rows: The values that its rows are sorted by; the last row first.
        start: Id of the item that it begins with, instead of after the place.

    Raises:
        ProtocolError: None of the rows has a place that a cursor can express, nor do they follow
            one.
    """
    after = place.after(rows)
    if start is not None and after.values is None:
        raise damaged(f"the item {start!r}", "its place in the list")
    return str(after)


def _has_kind(value: object, kind: type) -> bool:
    return is_number(value) if kind is int else type(value) is kind
