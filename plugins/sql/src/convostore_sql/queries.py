"""Units: a flow's statements in one transaction, and what a transport needs to know of them.

A request is a `Query`, a compiled statement with its values; a reply is its rows. No driver and no
table may be known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from convostore.errors import StoreError, UnavailableError
from convostore.flow import Flow

T = TypeVar("T")

Row: TypeAlias = tuple[Any, ...]
"""Columns as the driver gives them; which are of what type, the statement knows."""


class Query(NamedTuple):
    """A statement with its values.

    Attributes:
        values: One set of them, or with `many` one for each time it is to be carried out.
        writes: Whether it needs a transaction that may write. A unit's first query decides for all.
    """

    sql: str
    values: Any
    many: bool
    writes: bool


class Reply(NamedTuple):
    """What a statement gave.

    Attributes:
        changed: How many rows it inserted, updated or deleted.
    """

    rows: list[Row]
    changed: int


SQLFlow: TypeAlias = Flow[Query, Reply, T]


@dataclass(frozen=True, slots=True)
class Statement:
    """A compiled statement; a call gives it values.

    Attributes:
        keys: The names of the values, in the order in which the driver takes them.
        constants: Those values that are the same in each call.
    """

    sql: str
    keys: tuple[str, ...]
    writes: bool
    constants: Mapping[str, object] = field(default_factory=dict)

    def __call__(self, **values: object) -> Query:
        if self.constants:
            values = {**self.constants, **values}
        return Query(self.sql, tuple([values[key] for key in self.keys]), False, self.writes)

    def many(self, rows: Iterable[Mapping[str, object]]) -> Query:
        """The statement once for each row; what a row holds beyond its values is not looked at."""
        values = [tuple([row[key] for key in self.keys]) for row in rows]
        if len(values) == 1:  # psycopg's `executemany` costs twice as much for one
            return Query(self.sql, values[0], False, True)
        return Query(self.sql, values, True, True)


def alone(query: Query) -> SQLFlow[Reply]:
    """A flow of one query."""
    return (yield query)


class Rerun(StoreError):  # noqa: N818  # what to do about it says more
    """The transaction came to nothing through no fault of the flow: it is to be run again."""


MOST_RUNS: Final = 10
"""How often a unit is run at the most."""


def given_up(last: Rerun) -> UnavailableError:
    """The error of a unit that others were in the way of each time."""
    return UnavailableError(f"{last}: each time anew, {MOST_RUNS} times; try again later")
