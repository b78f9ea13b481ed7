"""The command `stats`: count messages by day, role, model and store.

`render` decides how the counts look on a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import typer

from ...errors import NotFoundError, StoreError
from .._confirm import reason_if_broken
from .._filters import MessagesSince, MessagesUntil, Selection, parse_since, parse_until
from .._output import AsJSON, Form, choose_form, display_paged, waiting, write, write_json
from .._statistics import Statistics
from ..errors import ExitCode, print_to_stderr
from ..options import Given, Target, opened
from ..render.text import one_line, tab_separated

if TYPE_CHECKING:
    from ...models import Conversation
    from ...store import ConversationStore

__all__ = ["stats"]


def stats(
    target: Target,
    since: MessagesSince = None,
    until: MessagesUntil = None,
    as_json: AsJSON = False,
    given: Given = None,
) -> None:
    """Count messages by day, role, model and store.

    On a terminal the counts are charts. In a pipe they are one line per count: what is counted, its
    name and the number, separated by tabs. A copy counts for the store that it was copied from.

    Exits with 1 if a conversation could not be read.
    """
    form = choose_form(as_json=as_json)
    span = Selection(since=parse_since(since), before=parse_until(until))
    with opened(target, given) as store, waiting("messages") as show_count:
        statistics = Statistics()
        for number in _count(store, span, statistics):
            show_count(number)
    _show(statistics, form)
    for conversation_id, reason in statistics.unreadable.items():
        print_to_stderr(f"not counted: {one_line(conversation_id)}: {one_line(reason)}")
    if statistics.unreadable:
        raise typer.Exit(ExitCode.FAILED)


def _count(store: ConversationStore, span: Selection, statistics: Statistics) -> Iterator[int]:
    """Count conversation by conversation; yield the number of messages so far."""
    for conversation in store.conversations():
        if _ended_before(store, conversation, span):
            continue
        origin = conversation.origin.store if conversation.origin else store.label
        before, exists = statistics.stores[origin], True
        try:
            for message in store.messages(conversation.id):
                if span.matches_time(message.created_at):
                    statistics.add(message, origin)
        except NotFoundError:
            exists = False  # deleted meanwhile by another client
        except StoreError as error:
            statistics.unreadable[conversation.id] = reason_if_broken(error)
        if (span.is_open and exists) or statistics.stores[origin] > before:
            statistics.conversations[origin] += 1
        yield statistics.stores.total()


def _ended_before(store: ConversationStore, conversation: Conversation, span: Selection) -> bool:
    """Return whether no message can be in the span, so that the conversation need not be read."""
    last = conversation.updated_at if store.traits.updated_at != "none" else None
    return last is not None and span.since is not None and last < span.since


def _show(statistics: Statistics, form: Form) -> None:
    if form is Form.JSON:
        write_json(_document(statistics), indent=2)
    elif form is Form.TERMINAL:
        from ..render.charts import charts

        display_paged([charts(statistics)])
    else:
        for line in _lines(statistics):
            write(line)


def _lines(statistics: Statistics) -> Iterator[str]:
    groups: list[tuple[str, Iterable[tuple[str, int]]]] = [
        ("day", ((day.isoformat(), number) for day, number in sorted(statistics.days.items()))),
        ("day", [("", statistics.undated)] if statistics.undated else []),
        ("role", statistics.roles.most_common()),
        ("model", statistics.models.most_common()),
        ("store", statistics.stores.most_common()),
        ("conversations", statistics.conversations.most_common()),
    ]
    for kind, rows in groups:
        for name, number in rows:
            yield tab_separated(kind, name, str(number))


def _document(statistics: Statistics) -> dict[str, Any]:
    return {
        "conversations": statistics.conversations.total(),
        "messages": statistics.stores.total(),
        "days": {day.isoformat(): number for day, number in sorted(statistics.days.items())},
        "undated": statistics.undated,
        "roles": dict(statistics.roles.most_common()),
        "models": dict(statistics.models.most_common()),
        "stores": {
            name: {"conversations": number, "messages": statistics.stores[name]}
            for name, number in statistics.conversations.most_common()
        },
        "unreadable": statistics.unreadable,
    }
