"""Times in the local zone, as a terminal shows them.

Pipes and JSON have times in UTC, which are not made here.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

__all__ = ["when", "when_here", "zone_of"]

_ZONE: Final = re.compile(r"[A-Z][A-Za-z]{1,4}|[+-]\d\d(?:\d\d)?")
"""The name of a time zone that is short enough for people; Windows has sentences."""


def when(time: datetime | None) -> str:
    """Return a time in the local time zone, to the minute and with the zone; ``-`` for None."""
    return f"{when_here(time)} {zone_of(time)}" if time else "-"


def when_here(time: datetime | None) -> str:
    """Return a time in the local time zone, to the minute and without the zone."""
    return f"{_here(time):%Y-%m-%d %H:%M}" if time else "-"


def zone_of(time: datetime) -> str:
    """Return the local time zone at a time: a name such as ``CET``, or else the offset."""
    local = _here(time)
    name = local.tzname() or ""
    return name if _ZONE.fullmatch(name) else f"UTC{local:%z}"


def _here(time: datetime) -> datetime:
    try:
        return time.astimezone()
    except (OverflowError, ValueError):  # an end of the calendar, or a zone a day away
        return time
