"""Search as a flow: the index yields candidates, and `Search` decides which of them are hits.

Titles come first, then messages, each the newest first; a cursor is the place of the last hit. No
text is tokenized here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from convostore.adapters import read_position
from convostore.models import UNSET, Listing, Page, Unset
from convostore.search import Hit, Search

from .columns import encode_text, is_number, microseconds
from .places import Place
from .queries import Query, Row, SQLFlow
from .rows import conversation_of, namespace_mark, stored_message
from .statements import Statements
from .tables import CONVERSATION_COLUMNS

_MOST_AT_ONCE: Final = 1000
_MOST_CANDIDATES: Final = 10_000
_MOST_CHARACTERS: Final = 10_000_000
"""Bounds of one fetch: its candidates, and the characters of all their columns."""
_WIDTH: Final = len(CONVERSATION_COLUMNS)

_IN_TITLES: Final = (int, str)
_IN_MESSAGES: Final = (int, str, int)
"""Kinds of places: the time, the conversation, and the message in it; the latest first."""

_FoundHit = tuple[Place, list[Row], int, Hit]
"""The place before a fetch, the values that sort its rows, and the number of them up to a hit."""


@dataclass(frozen=True)
class Finder:
    """One search in one namespace."""

    statements: Statements
    namespace: str
    search: Search

    def page(self, listing: Listing) -> SQLFlow[Page[Hit]]:
        """Return one page of hits."""
        if not self.search.terms:
            return Page(items=())
        count = (listing.limit or _MOST_AT_ONCE) + 1
        place = _parse(listing.cursor)
        hits: list[_FoundHit] = []
        if place.kinds == _IN_TITLES:
            if self.search.role is None:
                yield from self._gather(hits, place, count, self._titles, self._title)
            place = Place(_IN_MESSAGES)
        yield from self._gather(hits, place, count, self._messages, self._message)
        page = hits[: count - 1]
        return Page(
            items=tuple(hit for *_, hit in page),
            cursor=_cursor(page[-1]) if len(hits) > len(page) else None,
        )

    def _gather(
        self,
        hits: list[_FoundHit],
        place: Place,
        count: int,
        ask: Callable[[Place, int], Query],
        read: Callable[[Row], tuple[Row, Hit | None]],
    ) -> SQLFlow[None]:
        """Add hits until there are `count` of them, or no more candidates."""
        at_once = min(count - len(hits), _MOST_AT_ONCE)
        while len(hits) < count:
            rows = (yield ask(place, at_once)).rows
            values: list[Row] = []
            for row in rows:
                row_values, hit = read(row)
                values.append(row_values)
                if hit is not None:
                    hits.append((place, values, len(values), hit))
            if len(rows) < at_once:
                return
            place = place.after(reversed(values))
            at_once = _more(at_once, rows)

    def _titles(self, place: Place, limit: int) -> Query:
        restrictions = self._restrictions
        statement = self.statements.search_titles(self._index_query[1], frozenset(restrictions))
        time, identity = place.values or (self.statements.tables.lowest, "")
        return statement(
            namespace=encode_text(self.namespace),
            after_time=time,
            after_id=identity,
            skipped=place.skipped,
            limit=limit,
            **self._index_query[0],
            **restrictions,
        )

    def _title(self, row: Row) -> tuple[Row, Hit | None]:
        *conversation, time = row
        hit = self.search.title_hit(conversation_of(tuple(conversation)))
        return (time, row[0]), hit

    def _messages(self, place: Place, limit: int) -> Query:
        restrictions = self._restrictions
        if self.search.role is not None:
            restrictions["role"] = self.search.role
        statement = self.statements.search_messages(self._index_query[1], frozenset(restrictions))
        lowest = self.statements.tables.lowest
        time, identity, seq = place.values or (lowest, "", lowest)
        return statement(
            namespace=encode_text(self.namespace),
            after_time=time,
            after_id=identity,
            after_seq=seq,
            skipped=place.skipped,
            limit=limit,
            **self._index_query[0],
            **restrictions,
        )

    def _message(self, row: Row) -> tuple[Row, Hit | None]:
        time, identity, *columns = row[_WIDTH:]
        place = (time, identity, -columns[0] if is_number(columns[0]) else None)
        if row[0] is None:
            return place, None
        message = stored_message(*columns)
        return place, self.search.message_hit(conversation_of(row[:_WIDTH]), message)

    @cached_property
    def _index_query(self) -> tuple[dict[str, Any], int]:
        return self.statements.index_query(self.search.terms, namespace_mark(self.namespace))

    @property
    def _restrictions(self) -> dict[str, Any]:
        within = self.search.conversation_id
        values = {
            "id": None if within is None else encode_text(within),
            "since": microseconds(self.search.since),
            "until": microseconds(self.search.until),
        }
        restrictions = {name: value for name, value in values.items() if value is not None}
        return restrictions | owner_values(self.search.owner)


def _parse(cursor: str | None) -> Place:
    if cursor is None:
        return Place(_IN_TITLES)
    is_in_titles, place = read_position(cursor, bool, str)
    return Place.parse(place, *(_IN_TITLES if is_in_titles else _IN_MESSAGES))


def _cursor(last: _FoundHit) -> str:
    place, values, number, _ = last
    return json.dumps([place.kinds == _IN_TITLES, str(place.after(reversed(values[:number])))])


def owner_values(owner: str | Unset | None) -> dict[str, Any]:
    """Return the values of the restriction to an owner, by the names of restrictions."""
    if owner is UNSET:
        return {}
    return {"unowned": None} if owner is None else {"owner": encode_text(owner)}


def _more(at_once: int, rows: Sequence[Row]) -> int:
    """Return the size of the next fetch: each one sorts all candidates, but memory is bounded."""
    characters = sum(len(value) for row in rows for value in row if isinstance(value, str))
    fitting = _MOST_CHARACTERS * len(rows) // max(characters, 1)
    return max(1, min(2 * at_once, _MOST_CANDIDATES, fitting))
