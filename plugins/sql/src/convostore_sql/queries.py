"""Requests and replies of SQL flows: `Query`, a compiled statement with values, and `Reply`.

A transport runs a flow as one *unit*: all its queries in one transaction, or none of them. No
driver and no table may be known here.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from convostore.errors import StoreError, UnavailableError
from convostore.flow import Flow

T = TypeVar("T")

Row: TypeAlias = tuple[Any, ...]
"""Columns as the driver returns them; their types follow from the statement."""


class Query(NamedTuple):
    """A statement with its values.

    Attributes:
        sql: Text of the statement.
        values: Values of the statement, or with `many` a list of them, one per execution.
        many: Whether the statement is executed once for each item of `values`.
        writes: Whether it needs a transaction that may write; a unit's first query decides for all.
    """

    sql: str
    values: Any
    many: bool
    writes: bool


class Reply(NamedTuple):
    """Result of a statement.

    Attributes:
        rows: The rows that it returned.
        changed: Number of rows that it inserted, updated or deleted.
    """

    rows: list[Row]
    changed: int


SQLFlow: TypeAlias = Flow[Query, Reply, T]


@dataclass(frozen=True, slots=True)
class Statement:
    """A compiled statement; calling it with values makes a query.

    Attributes:
        sql: Text of the statement.
        keys: Names of the values, in the driver's order.
        writes: Whether the statement needs a transaction that may write.
        constants: Values that are the same in every call.
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
        """Make a query that executes the statement once for each row; other keys are ignored."""
        values = [tuple([row[key] for key in self.keys]) for row in rows]
        if len(values) == 1:  # psycopg's `executemany` costs twice as much for one
            return Query(self.sql, values[0], False, True)
        return Query(self.sql, values, True, True)


def alone(query: Query) -> SQLFlow[Reply]:
    """Make a flow of one query."""
    return (yield query)


class Rerun(StoreError):  # noqa: N818  # the name says what to do about it
    """The transaction failed through no fault of the flow: run it again."""


MOST_RUNS: Final = 10
"""Most runs of a unit."""
_FIRST_PAUSE: Final = 0.005
_LONGEST_PAUSE: Final = 1.0


def pause_after(run: int) -> float:
    """Return the seconds to wait after a run that failed, numbered from 0.

    They are drawn at random: two batches that deadlocked would else meet again at once.
    """
    longest = min(_FIRST_PAUSE * 2**run, _LONGEST_PAUSE)
    return random.uniform(0, longest)  # noqa: S311  # no secret depends on it


def too_many_runs(last: Rerun) -> UnavailableError:
    """Make the error of a unit that failed in each of its runs."""
    return UnavailableError(f"{last}, {MOST_RUNS} times in a row: try again later")
