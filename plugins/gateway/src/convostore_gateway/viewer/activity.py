"""Activity: how many conversations there were when, and of which backends, as a small chart.

Only the list is read, never a message, and no more of it than a bound. How it is drawn is the
template's matter, which gets whole numbers only.
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
"""How many conversations are counted."""
_PATIENCE: Final = 10.0
"""Seconds after which no further page of the list is asked for."""
_MOST_BARS: Final = 40
_MOST_BACKENDS: Final = 5
_OTHERS: Final = "others"
_HEIGHT: Final = 1000


@dataclass
class Counts:
    """What was counted.

    Attributes:
        days: Conversations by the day of their last activity, and the backend they come from.
        backends: Conversations by backend, those without a time included.
        is_whole: Whether those were all.
    """

    days: Counter[tuple[date, str]] = field(default_factory=Counter)
    backends: Counter[str] = field(default_factory=Counter)
    is_whole: bool = False

    def add(self, conversation: Conversation, label: str) -> None:
        """Counts a conversation of the store with this label."""
        backend = store_name(conversation.origin.store if conversation.origin else label)
        self.backends[backend] += 1
        if conversation.last_active_at is not None:
            self.days[conversation.last_active_at.date(), backend] += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of a bar, in thousandths of the chart's height.

    Attributes:
        series: The number of its backend.
    """

    series: int
    top: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A period, and its conversations by backend."""

    name: str
    total: int
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What the template draws.

    Attributes:
        backends: With the number of conversations of each; the place is the number of the series.
        earlier: Conversations of the time before the first bar.
        undated: Conversations of which no time is known.
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
    """Counts the conversations of a store, as far as the bounds go."""
    loop = asyncio.get_running_loop()
    counts, cursor = Counts(), None
    until = loop.time() + _PATIENCE
    while counts.backends.total() < most and loop.time() < until:
        page = await store.list_conversations(limit=size, cursor=cursor)
        for each in page.items:
            counts.add(each, store.label)
        cursor = page.cursor
        if cursor is None:
            counts.is_whole = True
            break
    return counts


def chart(counts: Counts) -> Chart:
    """Puts counts into bars."""
    series = {name: place for place, name in enumerate(_largest(counts.backends))}
    shown = group_days({day for day, _ in counts.days}, _MOST_BARS)
    numbers = _numbers(counts, shown, series)
    highest = max([each.total() for each in numbers.values()], default=0)
    total, dated = counts.backends.total(), counts.days.total()
    return Chart(
        unit=shown.unit,
        bars=[_bar(shown.name(start), numbers[start], highest) for start in shown.starts],
        backends=_legend(counts.backends, series),
        highest=highest,
        total=total,
        earlier=dated - sum(each.total() for each in numbers.values()),
        undated=total - dated,
        is_whole=counts.is_whole,
    )


def _largest(backends: Counter[str]) -> list[str]:
    """The backends with a series of their own; the last one may stand for all others."""
    if len(backends) <= _MOST_BACKENDS:
        return [name for name, _ in backends.most_common()]
    return [*[name for name, _ in backends.most_common(_MOST_BACKENDS - 1)], _OTHERS]


def _numbers(counts: Counts, shown: Periods, series: Mapping[str, int]) -> dict[date, Counter[int]]:
    numbers = {start: Counter[int]() for start in shown.starts}
    for (day, backend), number in counts.days.items():
        of_period = numbers.get(shown.start(day))
        if of_period is not None:
            of_period[series.get(backend, len(series) - 1)] += number
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
