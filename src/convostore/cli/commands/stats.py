"""`stats`: how much was said, on which days, by whom, and with which models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import typer

from ..errors import NotFoundError, StoreError
from .agreeing import if_only_broken
from .arguments import Given, Target, opened
from .output import AsJSON, Form, display, form, waiting, write, write_json
from .rim import ExitCode, say
from .selecting import SaidSince, SaidUntil, Selection, beginning, end
from .text import one_line, tabbed

if TYPE_CHECKING:
    from ..models import Conversation, Message
    from ..store import ConversationStore


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


def stats(
    target: Target,
    since: SaidSince = None,
    until: SaidUntil = None,
    as_json: AsJSON = False,
    given: Given = None,
) -> None:
    """Counts messages: by day, role, model and store.

    Charts on a terminal; in a pipe a line for each count, of what is counted, its name and the
    number with tabs between. Copies count for the store that they come from.

    Ends with 1 when a conversation could not be read.
    """
    wanted = form(as_json=as_json)
    span = Selection(since=beginning(since), before=end(until))
    with opened(target, given) as store, waiting("messages") as tell:
        counted = Statistics()
        for number in _counting(store, span, counted):
            tell(number)
    _show(counted, wanted)
    for conversation_id, reason in counted.unreadable.items():
        say(f"not counted: {one_line(conversation_id)}: {one_line(reason)}")
    if counted.unreadable:
        raise typer.Exit(ExitCode.FAILED)


def _counting(store: ConversationStore, span: Selection, counted: Statistics) -> Iterator[int]:
    """Counts conversation by conversation; yields how many messages that makes so far."""
    for conversation in store.conversations():
        if _ended_before(store, conversation, span):
            continue
        origin = conversation.origin.store if conversation.origin else store.label
        before, is_there = counted.stores[origin], True
        try:
            for message in store.messages(conversation.id):
                if span.takes_time(message.created_at):
                    counted.add(message, origin)
        except NotFoundError:
            is_there = False  # deleted by another since it was listed
        except StoreError as error:
            counted.unreadable[conversation.id] = if_only_broken(error)
        if (span.is_open and is_there) or counted.stores[origin] > before:
            counted.conversations[origin] += 1
        yield counted.stores.total()


def _ended_before(store: ConversationStore, conversation: Conversation, span: Selection) -> bool:
    """Whether nothing in it can be of the span, so that it need not be read."""
    last = conversation.updated_at if store.traits.updated_at != "none" else None
    return last is not None and span.since is not None and last < span.since


def _day(time: datetime) -> date:
    try:
        return time.astimezone().date()
    except OverflowError:  # the first or the last day of all, elsewhere
        return time.date()


def _show(counted: Statistics, wanted: Form) -> None:
    if wanted is Form.JSON:
        write_json(_document(counted), indent=2)
    elif wanted is Form.TERMINAL:
        from .charts import charts

        display(charts(counted))
    else:
        for line in _lines(counted):
            write(line)


def _lines(counted: Statistics) -> Iterator[str]:
    groups: list[tuple[str, Iterable[tuple[str, int]]]] = [
        ("day", ((day.isoformat(), number) for day, number in sorted(counted.days.items()))),
        ("day", [("", counted.undated)] if counted.undated else []),
        ("role", counted.roles.most_common()),
        ("model", counted.models.most_common()),
        ("store", counted.stores.most_common()),
        ("conversations", counted.conversations.most_common()),
    ]
    for what, rows in groups:
        for name, number in rows:
            yield tabbed(what, name, str(number))


def _document(counted: Statistics) -> dict[str, Any]:
    return {
        "conversations": counted.conversations.total(),
        "messages": counted.stores.total(),
        "days": {day.isoformat(): number for day, number in sorted(counted.days.items())},
        "undated": counted.undated,
        "roles": dict(counted.roles.most_common()),
        "models": dict(counted.models.most_common()),
        "stores": {
            name: {"conversations": number, "messages": counted.stores[name]}
            for name, number in counted.conversations.most_common()
        },
        "unreadable": counted.unreadable,
    }
