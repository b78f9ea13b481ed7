"""Statistics: what is counted of the messages of a store."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..models import Message


@dataclass
class Statistics:
    """What was counted; only counts are held, whatever there is to count.

    Attributes:
        days: Messages by the day here on which they were said.
        undated: Messages of which that is not known.
        models: Messages by the model that made them, where that is known.
        stores: Messages by the store that they come from: for copies, that of the original.
        conversations: Conversations by the same.
        unreadable: By the conversation's id, why it could not be counted, or not to its end.
    """

    days: Counter[date] = field(default_factory=Counter)
    undated: int = 0
    roles: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    stores: Counter[str] = field(default_factory=Counter)
    conversations: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)

    def add(self, message: Message, store: str) -> None:
        """Counts a message."""
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
    except OverflowError:  # the first or the last day of all, elsewhere
        return time.date()
