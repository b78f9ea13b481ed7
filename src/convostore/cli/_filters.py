"""Which conversations are meant: by the time of their last activity, title, and pin."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from ..models import Conversation

OlderThan = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="Not active since: an age (90d), a date, or a time."),
]
SaidSince = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="Said then or later: a date, time, or age (7d)."),
]
SaidUntil = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="Said then or earlier; a date includes its day."),
]

_AGE: Final = re.compile(r"(?P<number>\d+)(?P<unit>[mhdw])")
_UNITS: Final = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_DATE: Final = re.compile(r"\d{4}-?\d\d-?\d\d|\d{4}-?W\d\d(-?\d)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a conversation must have; nothing is asked where None, or False, stands."""

    since: datetime | None = None
    before: datetime | None = None
    title: str | None = None
    pinned: bool = False

    def takes(self, conversation: Conversation) -> bool:
        """Whether a conversation is meant; one without a time is outside of every span."""
        if self.pinned and not conversation.pinned:
            return False
        if self.title and self.title.casefold() not in (conversation.title or "").casefold():
            return False
        return self.takes_time(conversation.last_active_at)

    @property
    def is_open(self) -> bool:
        """Whether no time is outside of the span."""
        return self.since is None and self.before is None

    def takes_time(self, time: datetime | None) -> bool:
        """Whether a time is meant; one that is not known is outside of every span."""
        if time is None:
            return self.is_open
        return (self.since is None or time >= self.since) and (
            self.before is None or time < self.before
        )


def beginning(text: str | None) -> datetime | None:
    """The moment that ``--since`` names; of a day, its first."""
    return _moment(text, "--since", timedelta(0))


def end(text: str | None) -> datetime | None:
    """The moment that ``--until`` names; of a day, the first of the day after it."""
    return _moment(text, "--until", timedelta(days=1))


def age(text: str | None) -> datetime | None:
    """The moment that ``--older-than`` names; of a day, its first."""
    return _moment(text, "--older-than", timedelta(0))


def _moment(text: str | None, option: str, beyond_day: timedelta) -> datetime | None:
    """Reads a date, a time or an age; what names no time zone is meant in that of this machine."""
    if text is None:
        return None
    text = text.strip()
    try:
        if age := _AGE.fullmatch(text):
            return datetime.now(UTC) - int(age["number"]) * _UNITS[age["unit"]]
        if _DATE.fullmatch(text):
            day = date.fromisoformat(text) + beyond_day
            return datetime(day.year, day.month, day.day).astimezone(UTC)
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise typer.BadParameter(
            "write a date (2026-01-31), a time (2026-01-31T12:00) or an age (30m, 12h, 7d, 2w)",
            param_hint=option,
        ) from None
