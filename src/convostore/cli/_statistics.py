"""Statistics: counts of the messages of a store.

Nothing is read or printed here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..models import Message


@dataclass
class Statistics:
    """The counts; no message is kept.

    Attributes:
        days: Messages by the day on which they were created, in the local time zone.
        undated: Messages whose time is not known.
        models: Messages by the model that wrote them, if it is known.
        stores: Messages by the store that they come from: for copies, that of the original.
        conversations: Conversations by the same store.
        unreadable: Why a conversation was not counted, or not to its end, by its id.
    """

    days: Counter[date] = field(default_factory=Counter)
    undated: int = 0
    roles: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    stores: Counter[str] = field(default_factory=Counter)
    conversations: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)

    def add(self, message: Message, store: str) -> None:
        """Count a message."""
        if message.created_at is None:
            self.undated += 1
        else:
            self.days[_day(message.created_at)] += 1
        self.roles[message.role] += 1
        self.stores[store] += 1
        if message.model:
            self.models[message.model] += 1


def _day(time: datetime) -> date:
    try:
        return time.astimezone().date()
    except (OverflowError, ValueError):  # an end of the calendar, or a zone a day away
        return time.date()
