"""`ls` and `show`: a list of conversations, and one of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Final

import typer

from .._filters import OlderThan, Selection, age, beginning, end
from .._output import (
    AsJSON,
    AsLines,
    Form,
    WithRaw,
    display,
    form,
    gathered,
    plain,
    waiting,
    write,
    write_json,
)
from ..errors import print_to_stderr
from ..options import ConversationId, Given, Target, opened
from ..render.text import conversation_line, transcript_text

if TYPE_CHECKING:
    from ...models import Conversation, Message
    from ...store import ConversationStore

__all__ = ["ls", "show"]

_FOR_PEOPLE: Final = 50
"""How many conversations a terminal shows where no limit is given."""


def ls(
    target: Target,
    since: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Last active then or later: a date, time, or age (7d)."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Last active then or earlier; a date includes its day."),
    ] = None,
    older_than: OlderThan = None,
    title: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="With this in the title, in capitals or not."),
    ] = None,
    pinned: Annotated[bool, typer.Option("--pinned", help="Pinned ones only.")] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help=f"The most to list; without it, {_FOR_PEOPLE} on a terminal and all elsewhere.",
        ),
    ] = None,
    as_json: AsJSON = False,
    as_lines: AsLines = False,
    raw: WithRaw = False,
    given: Given = None,
) -> None:
    """Lists conversations.

    A table on a terminal; in a pipe a line for each, of id, time and title with tabs between.
    """
    wanted = form(as_json=as_json, as_lines=as_lines, raw=raw)
    selection = Selection(
        since=beginning(since),
        before=end(until),
        title=title,
        pinned=pinned,
    )
    limit_of_age = age(older_than)
    with opened(target, given) as store:
        found = filter(selection.takes, store.conversations(older_than=limit_of_age))
        if wanted is Form.TERMINAL:
            _table(store, found, limit)
        elif wanted is Form.JSON:
            rows = gathered(islice(found, limit), "conversations")
            write_json([plain(each, raw=raw) for each in rows], indent=2)
        else:
            for each in islice(found, limit):
                if wanted is Form.JSON_LINES:
                    write_json(plain(each, raw=raw))
                else:
                    write(conversation_line(each))


def _table(store: ConversationStore, found: Iterator[Conversation], limit: int | None) -> None:
    rows = gathered(islice(found, limit or _FOR_PEOPLE + 1), "conversations")
    more = limit is None and len(rows) > _FOR_PEOPLE
    from ..render.terminal import conversations_table

    shown = rows[:_FOR_PEOPLE] if more else rows
    if not shown:
        print_to_stderr("no conversations")
        return
    display(conversations_table([(store.label, each) for each in shown], with_store=False))
    if more:
        print_to_stderr(f"there are more than these {_FOR_PEOPLE}: --limit N shows more")


def show(
    target: Target,
    conversation_id: ConversationId,
    last: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Only the last N messages.")
    ] = None,
    as_json: AsJSON = False,
    as_lines: AsLines = False,
    raw: WithRaw = False,
    given: Given = None,
) -> None:
    """Shows a conversation with its messages.

    On a terminal with Markdown, numbered sources and links; plain text in a pipe. As --json, an
    object of the conversation and its messages; as --jsonl, a line for each message.
    """
    wanted = form(as_json=as_json, as_lines=as_lines, raw=raw)
    with opened(target, given) as store:
        if wanted is Form.JSON_LINES:
            for message in _messages(store, conversation_id, last):
                write_json(plain(message, raw=raw))
            return
        conversation, messages = _read(store, conversation_id, last)
    if wanted is Form.JSON:
        document = {
            "conversation": plain(conversation, raw=raw),
            "messages": [plain(message, raw=raw) for message in messages],
        }
        write_json(document, indent=2)
    elif wanted is Form.TERMINAL:
        from ..render.terminal import transcript

        display(transcript(conversation, messages))
    else:
        write(transcript_text(conversation, messages))


def _read(
    store: ConversationStore, conversation_id: str, last: int | None
) -> tuple[Conversation, tuple[Message, ...]]:
    """A conversation with its messages, in as few requests as the backend needs."""
    from ...models import Conversation

    with waiting("messages"):
        if last is not None:
            conversation = store.get_conversation(conversation_id)
            return conversation, tuple(_messages(store, conversation_id, last))
        (found,) = store.transcripts([conversation_id])
        return found.conversation or Conversation(id=conversation_id), found.messages


def _messages(
    store: ConversationStore, conversation_id: str, last: int | None
) -> Iterator[Message]:
    if last is None:
        yield from store.messages(conversation_id)
    else:
        newest = islice(store.messages(conversation_id, order="newest_first"), last)
        yield from reversed(list(newest))
