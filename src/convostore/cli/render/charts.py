"""Counts as what a terminal shows: bars beside numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...timeline import Unit, group_days
from .text import one_line, several

if TYPE_CHECKING:
    from .._statistics import Statistics

__all__ = ["charts"]

_MOST_ROWS: Final = 31
_MOST_NAMES: Final = 15
_LONGEST_NAME: Final = 40


class _Row(NamedTuple):
    """A bar."""

    name: str
    number: int


def charts(counted: Statistics) -> RenderableType:
    """All counts of a store, each kind as bars."""
    total, conversations = counted.stores.total(), counted.conversations.total()
    blocks: list[RenderableType] = [
        Text(f"{several(total, 'message')} in {several(conversations, 'conversation')}", "bold")
    ]
    unit, over_time = _rows_over_time(counted.days)
    if counted.undated:
        over_time = [*over_time, _Row("time not known", counted.undated)]
    blocks += _chart(f"Messages a {unit}", over_time)
    blocks += _chart("Messages by role", _most(counted.roles))
    blocks += _chart("Messages by model", _most(counted.models))
    if len(counted.conversations) > 1:
        blocks += _chart("Messages by store", _most(counted.stores))
        blocks += _chart("Conversations by store", _most(counted.conversations))
    return Group(*blocks)


def _rows_over_time(days: Counter[date]) -> tuple[Unit, list[_Row]]:
    """Bars over time without a gap, by the smallest unit that has few enough of them.

    Years that are too many are cut to the last ones, and those before are one bar.
    """
    shown = group_days(days, _MOST_ROWS)
    numbers = Counter[date]()
    for day, number in days.items():
        numbers[shown.start(day)] += number
    rows = [_Row(shown.name(start), numbers.pop(start, 0)) for start in shown.starts]
    return shown.unit, [_Row("before", numbers.total()), *rows] if numbers else rows


def _most(counts: Counter[str]) -> list[_Row]:
    """The largest, and what all others come to."""
    largest = [_Row(one_line(name), number) for name, number in counts.most_common(_MOST_NAMES)]
    others = counts.total() - sum(row.number for row in largest)
    return [*largest, _Row("others", others)] if others else largest


def _chart(title: str, rows: list[_Row]) -> Iterator[RenderableType]:
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
