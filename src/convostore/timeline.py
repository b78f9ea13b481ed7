"""Periods: days put together into weeks, months or years, so that few of them tell of many days.

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
_UNITS: Final[tuple[Unit, ...]] = ("day", "week", "month", "year")


@dataclass(frozen=True, slots=True)
class Periods:
    """A run of periods without a gap.

    Attributes:
        starts: The first day of each, the oldest first.
    """

    unit: Unit
    starts: tuple[date, ...]

    def start(self, day: date) -> date:
        """The first day of the period of a day, be it one of the run or before it."""
        return _start(day, self.unit)

    def name(self, start: date) -> str:
        """What a period is called."""
        return start.isoformat()[: {"month": 7, "year": 4}.get(self.unit)]


def group_days(days: Collection[date], most: int) -> Periods:
    """Periods of the smallest unit of which at most so many reach from the first day to the last.

    Years that are too many are cut to the last ones.
    """
    unit: Unit = "day"
    starts: list[date] = []
    for unit in _UNITS:
        starts = list(islice(_backwards(days, unit), most + 1))
        if len(starts) <= most:
            break
    return Periods(unit, tuple(reversed(starts[:most])))


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
