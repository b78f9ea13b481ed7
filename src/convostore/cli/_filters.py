"""Filters of conversations: by the time of their last activity, title, and pin.

No store is asked here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from ..models import Conversation, Unset

OlderThan = Annotated[
    str | None,
    typer.Option(
        metavar="WHEN",
        help="Last active before WHEN: an age (90d), a date or a time.",
    ),
]
MessagesSince = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="Only messages since WHEN: a date, a time or an age (7d)."),
]
MessagesUntil = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="Only messages until WHEN; a date includes the whole day."),
]

Owner = Annotated[
    str | None, typer.Option(metavar="NAME", help="Only conversations of this owner.")
]
WithoutOwner = Annotated[
    bool, typer.Option("--without-owner", help="Only conversations without an owner.")
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
    """The filters of a list; None, or False, filters nothing.

    Attributes:
        since: The first moment.
        before: The first moment after the span.
        title: A part of the title, in any case.
        pinned: Whether only pinned ones match.
    """

    since: datetime | None = None
    before: datetime | None = None
    title: str | None = None
    pinned: bool = False

    def matches(self, conversation: Conversation) -> bool:
        """Return whether a conversation matches; one without a time is outside of every span."""
        if self.pinned and not conversation.pinned:
            return False
        if self.title and self.title.casefold() not in (conversation.title or "").casefold():
            return False
        return self.matches_time(conversation.last_active_at)

    @property
    def is_open(self) -> bool:
        """Whether the span holds all times."""
        return self.since is None and self.before is None

    def matches_time(self, time: datetime | None) -> bool:
        """Return whether a time is in the span; an unknown one is outside of every span."""
        if time is None:
            return self.is_open
        return (self.since is None or time >= self.since) and (
            self.before is None or time < self.before
        )


def parse_since(text: str | None) -> datetime | None:
    """Parse ``--since``; a day means its first moment."""
    return _moment(text, "--since", timedelta(0))


def parse_until(text: str | None) -> datetime | None:
    """Parse ``--until``; a day means the first moment of the next one."""
    return _moment(text, "--until", timedelta(days=1))


def parse_older_than(text: str | None) -> datetime | None:
    """Parse ``--older-than``; a day means its first moment."""
    return _moment(text, "--older-than", timedelta(0))


def parse_owner(owner: str | None, *, without: bool) -> str | Unset | None:
    """Return the owner to filter by: None for those without one, UNSET for any.

    Raises:
        typer.BadParameter: Both options are given.
    """
    from ..models import UNSET

    if owner is not None and without:
        raise typer.BadParameter("cannot be combined with --without-owner", param_hint="--owner")
    return None if without else UNSET if owner is None else owner


def _moment(text: str | None, option: str, beyond_day: timedelta) -> datetime | None:
    """Parse a date, a time or an age; the default time zone is that of this machine.

    Raises:
        typer.BadParameter: The text is none of these.
    """
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
            "must be a date (2026-01-31), a time (2026-01-31T12:00) or an age (30m, 12h, 7d, 2w)",
            param_hint=option,
        ) from None
