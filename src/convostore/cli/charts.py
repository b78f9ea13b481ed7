"""Counts as what a terminal shows: bars beside numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import date, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .text import one_line, several

if TYPE_CHECKING:
    from .statistics import Statistics

_MOST_ROWS: Final = 31
_MOST_NAMES: Final = 15
_LONGEST_NAME: Final = 40
Unit: TypeAlias = Literal["day", "week", "month", "year"]
_UNITS: Final[tuple[Unit, ...]] = ("day", "week", "month", "year")


class Row(NamedTuple):
    """A bar."""

    name: str
    number: int


def charts(counted: Statistics) -> RenderableType:
    """All counts of a store, each kind as bars."""
    total, conversations = counted.stores.total(), counted.conversations.total()
    blocks: list[RenderableType] = [
        Text(f"{several(total, 'message')} in {several(conversations, 'conversation')}", "bold")
    ]
    unit, over_time = by_time(counted.days)
    if counted.undated:
        over_time = [*over_time, Row("time not known", counted.undated)]
    blocks += _chart(f"Messages a {unit}", over_time)
    blocks += _chart("Messages by role", _most(counted.roles))
    blocks += _chart("Messages by model", _most(counted.models))
    if len(counted.conversations) > 1:
        blocks += _chart("Messages by store", _most(counted.stores))
        blocks += _chart("Conversations by store", _most(counted.conversations))
    return Group(*blocks)


def by_time(days: Counter[date]) -> tuple[Unit, list[Row]]:
    """Bars over time without a gap, by the smallest unit that has few enough of them.

    Years that are too many are cut to the last ones, and those before are one bar.
    """
    unit: Unit = "day"
    starts: list[date] = []
    for unit in _UNITS:
        starts = list(islice(_backwards(days, unit), _MOST_ROWS + 1))
        if len(starts) <= _MOST_ROWS:
            break
    numbers = Counter[date]()
    for day, number in days.items():
        numbers[_start(day, unit)] += number
    shown = starts[_MOST_ROWS - 1 :: -1]
    rows = [Row(_name(start, unit), numbers.pop(start, 0)) for start in shown]
    return unit, [Row("before", numbers.total()), *rows] if numbers else rows


def _backwards(days: Collection[date], unit: Unit) -> Iterator[date]:
    """Where each unit of time begins, from that of the last day to that of the first."""
    if not days:
        return
    first, start = _start(min(days), unit), _start(max(days), unit)
    while start > first:
        yield start
        start = _start(start - timedelta(days=1), unit)
    yield first


def _start(day: date, unit: Unit) -> date:
    match unit:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "year":
            return day.replace(month=1, day=1)


def _name(start: date, unit: Unit) -> str:
    return start.isoformat()[: {"month": 7, "year": 4}.get(unit)]


def _most(counts: Counter[str]) -> list[Row]:
    """The largest, and what all others come to."""
    largest = [Row(one_line(name), number) for name, number in counts.most_common(_MOST_NAMES)]
    others = counts.total() - sum(row.number for row in largest)
    return [*largest, Row("others", others)] if others else largest


def _chart(title: str, rows: list[Row]) -> Iterator[RenderableType]:
    if not rows:
        return
    size = max(row.number for row in rows)
    table = Table(box=None, show_header=False, pad_edge=False, expand=True)
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=_LONGEST_NAME)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(ratio=1)
    for row in rows:
        bar = Bar(size, 0, row.number, color="cyan")
        table.add_row(Text(row.name, "dim"), f"{row.number:,}", bar)
    yield Text(f"\n{title}", "bold")
    yield table
