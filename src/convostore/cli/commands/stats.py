"""`stats`: how much was said, on which days, by whom, and with which models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import typer

from ...errors import NotFoundError, StoreError
from .._confirm import if_only_broken
from .._filters import SaidSince, SaidUntil, Selection, beginning, end
from .._output import AsJSON, Form, display, form, waiting, write, write_json
from .._statistics import Statistics
from ..errors import ExitCode, print_to_stderr
from ..options import Given, Target, opened
from ..render.text import one_line, tabbed

if TYPE_CHECKING:
    from ...models import Conversation
    from ...store import ConversationStore

__all__ = ["stats"]


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
        print_to_stderr(f"not counted: {one_line(conversation_id)}: {one_line(reason)}")
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


def _show(counted: Statistics, wanted: Form) -> None:
    if wanted is Form.JSON:
        write_json(_document(counted), indent=2)
    elif wanted is Form.TERMINAL:
        from ..render.charts import charts

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
