"""Statistics as bar charts for a terminal.

Nothing is counted here.
"""

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


def charts(statistics: Statistics) -> RenderableType:
    """Return all counts of a store as bar charts, one for each kind."""
    total, conversations = statistics.stores.total(), statistics.conversations.total()
    blocks: list[RenderableType] = [
        Text(f"{several(total, 'message')} in {several(conversations, 'conversation')}", "bold")
    ]
    unit, over_time = _rows_over_time(statistics.days)
    if statistics.undated:
        over_time = [*over_time, _Row("time not known", statistics.undated)]
    blocks += _chart(f"Messages a {unit}", over_time)
    blocks += _chart("Messages by role", _most(statistics.roles))
    blocks += _chart("Messages by model", _most(statistics.models))
    if len(statistics.conversations) > 1:
        blocks += _chart("Messages by store", _most(statistics.stores))
        blocks += _chart("Conversations by store", _most(statistics.conversations))
    return Group(*blocks)


def _rows_over_time(days: Counter[date]) -> tuple[Unit, list[_Row]]:
    """Return rows over time without gaps, by the smallest unit with few enough of them.

    Of too many years the last ones are shown, and all before them as one row.
    """
    groups = group_days(days, _MOST_ROWS)
    numbers = Counter[date]()
    for day, number in days.items():
        numbers[groups.start(day)] += number
    rows = [_Row(groups.name(start), numbers.pop(start, 0)) for start in groups.starts]
    return groups.unit, [_Row("before", numbers.total()), *rows] if numbers else rows


def _most(counts: Counter[str]) -> list[_Row]:
    """Return rows of the largest counts, and one of all others together."""
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
