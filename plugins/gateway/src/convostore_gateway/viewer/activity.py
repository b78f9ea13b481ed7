"""Counts of conversations by time and backend, for a small chart.

Only the list is read, never a message, and only up to a bound. The template draws the chart and
gets whole numbers only.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from convostore.models import Conversation
from convostore.store import AsyncConversationStore
from convostore.timeline import Periods, Unit, group_days

from .render import store_name

MOST: Final = 20_000
"""The maximum number of conversations that are counted."""
_TIME_LIMIT: Final = 10.0
"""Seconds after which no further page of the list is asked for."""
_MOST_BARS: Final = 40
_MOST_BACKENDS: Final = 5
_OTHERS: Final = "others"
_HEIGHT: Final = 1000


@dataclass
class Counts:
    """Conversations counted by day and by backend.

    Attributes:
        days: Numbers by the day of the last activity and the backend.
        backends: Numbers by backend; conversations without a time are included.
        is_whole: Whether every conversation was counted.
    """

    days: Counter[tuple[date, str]] = field(default_factory=Counter)
    backends: Counter[str] = field(default_factory=Counter)
    is_whole: bool = False

    def add(self, conversation: Conversation, label: str) -> None:
        """Count a conversation of the store with this label."""
        backend = store_name(conversation.origin.store if conversation.origin else label)
        self.backends[backend] += 1
        if conversation.last_active_at is not None:
            self.days[conversation.last_active_at.date(), backend] += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A segment of a bar, in thousandths of the chart's height.

    Attributes:
        series: The index of its backend.
    """

    series: int
    top: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A period and its conversations by backend."""

    name: str
    total: int
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart as the template draws it.

    Attributes:
        backends: Names and numbers of conversations; the index is the number of the series.
        earlier: The number of conversations before the first bar.
        undated: The number of conversations without a time.
    """

    unit: Unit
    bars: Sequence[Bar]
    backends: Sequence[tuple[str, int]]
    highest: int
    total: int
    earlier: int
    undated: int
    is_whole: bool


async def count(store: AsyncConversationStore, size: int, most: int = MOST) -> Counts:
    """Count the conversations of a store, within the bounds."""
    loop = asyncio.get_running_loop()
    counts, cursor = Counts(), None
    until = loop.time() + _TIME_LIMIT
    while counts.backends.total() < most and loop.time() < until:
        page = await store.list_conversations(limit=size, cursor=cursor)
        for conversation in page.items:
            counts.add(conversation, store.label)
        cursor = page.cursor
        if cursor is None:
            counts.is_whole = True
            break
    return counts


def chart(counts: Counts) -> Chart:
    """Group counts into bars."""
    series = {name: place for place, name in enumerate(_largest(counts.backends))}
    periods = group_days({day for day, _ in counts.days}, _MOST_BARS)
    numbers = _numbers(counts, periods, series)
    highest = max([period.total() for period in numbers.values()], default=0)
    total, dated = counts.backends.total(), counts.days.total()
    return Chart(
        unit=periods.unit,
        bars=[_bar(periods.name(start), numbers[start], highest) for start in periods.starts],
        backends=_legend(counts.backends, series),
        highest=highest,
        total=total,
        earlier=dated - sum(period.total() for period in numbers.values()),
        undated=total - dated,
        is_whole=counts.is_whole,
    )


def _largest(backends: Counter[str]) -> list[str]:
    """Return the backends that get a series; the last series may count all others."""
    if len(backends) <= _MOST_BACKENDS:
        return [name for name, _ in backends.most_common()]
    return [*[name for name, _ in backends.most_common(_MOST_BACKENDS - 1)], _OTHERS]


def _numbers(
    counts: Counts, periods: Periods, series: Mapping[str, int]
) -> dict[date, Counter[int]]:
    numbers = {start: Counter[int]() for start in periods.starts}
    for (day, backend), number in counts.days.items():
        period_numbers = numbers.get(periods.start(day))
        if period_numbers is not None:
            period_numbers[series.get(backend, len(series) - 1)] += number
    return numbers


def _bar(name: str, numbers: Counter[int], highest: int) -> Bar:
    pieces, below = [], 0
    for series in sorted(numbers):
        edge = _HEIGHT - _HEIGHT * below // highest
        below += numbers[series]
        top = _HEIGHT - _HEIGHT * below // highest
        pieces.append(Piece(series=series, top=top, height=edge - top))
    return Bar(name=name, total=numbers.total(), pieces=pieces)


def _legend(backends: Counter[str], series: Mapping[str, int]) -> list[tuple[str, int]]:
    numbers = Counter[int]()
    for name, number in backends.items():
        numbers[series.get(name, len(series) - 1)] += number
    return [(name, numbers[place]) for name, place in series.items()]
