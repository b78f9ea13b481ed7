"""Timelines: days grouped into weeks, months or years, to summarize many days in few rows.

Only dates are known here; what happened on them is the caller's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from typing import Final, Literal, TypeAlias

__all__ = ["Periods", "Unit", "group_days"]

Unit: TypeAlias = Literal["day", "week", "month", "year"]
"""The length of a period."""
_UNITS: Final[tuple[Unit, ...]] = ("day", "week", "month", "year")


@dataclass(frozen=True, slots=True)
class Periods:
    """Consecutive periods of time.

    Attributes:
        unit: The length of each.
        starts: The first day of each, the oldest first.
    """

    unit: Unit
    starts: tuple[date, ...]

    def start(self, day: date) -> date:
        """Return the first day of the period that contains a day, even before the first period."""
        return _start(day, self.unit)

    def name(self, start: date) -> str:
        """Return the name of a period: its first day, its month or its year."""
        return start.isoformat()[: {"month": 7, "year": 4}.get(self.unit)]


def group_days(days: Collection[date], most: int) -> Periods:
    """Group days into periods of the smallest unit that needs no more than `most` of them.

    If there are too many years, only the last `most` of them are kept.

    Args:
        days: The days, in any order.
        most: The maximum number of periods.
    """
    unit: Unit = "day"
    starts: list[date] = []
    for unit in _UNITS:
        starts = list(islice(_backwards(days, unit), most + 1))
        if len(starts) <= most:
            break
    return Periods(unit, tuple(reversed(starts[:most])))


def _backwards(days: Collection[date], unit: Unit) -> Iterator[date]:
    """Yield the first day of each period, from that of the last day back to that of the first."""
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
