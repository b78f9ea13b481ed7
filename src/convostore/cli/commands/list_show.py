"""The commands `ls` and `show`: a list of conversations, and one of them.

What they look like is decided in `render`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Final

import typer

from .._filters import (
    OlderThan,
    Owner,
    Selection,
    WithoutOwner,
    parse_older_than,
    parse_owner,
    parse_since,
    parse_until,
)
from .._output import (
    AsJSON,
    AsLines,
    Form,
    WithRaw,
    choose_form,
    collect,
    display,
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
"""The number of conversations that a terminal shows without a limit."""


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
    owner: Owner = None,
    without_owner: WithoutOwner = False,
    reverse: Annotated[
        bool, typer.Option("--reverse", help="The other way round, the oldest first.")
    ] = False,
    start: Annotated[
        str | None, typer.Option(metavar="ID", help="Begin the list with this conversation.")
    ] = None,
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
    """List conversations.

    A table on a terminal; in a pipe a line for each, of id, time and title with tabs between.
    """
    form = choose_form(as_json=as_json, as_lines=as_lines, raw=raw)
    selection = Selection(
        since=parse_since(since),
        before=parse_until(until),
        title=title,
        pinned=pinned,
    )
    limit_of_age = parse_older_than(older_than)
    whose = parse_owner(owner, without=without_owner)
    with opened(target, given) as store:
        listed = store.conversations(
            order="oldest_first" if reverse else "newest_first",
            start=start,
            older_than=limit_of_age,
            owner=whose,
        )
        conversations = filter(selection.matches, listed)
        if form is Form.TERMINAL:
            _show_table(store, conversations, limit)
        elif form is Form.JSON:
            rows = collect(islice(conversations, limit), "conversations")
            write_json([plain(row, raw=raw) for row in rows], indent=2)
        else:
            for row in islice(conversations, limit):
                if form is Form.JSON_LINES:
                    write_json(plain(row, raw=raw))
                else:
                    write(conversation_line(row))


def _show_table(
    store: ConversationStore, conversations: Iterator[Conversation], limit: int | None
) -> None:
    rows = collect(islice(conversations, limit or _FOR_PEOPLE + 1), "conversations")
    more = limit is None and len(rows) > _FOR_PEOPLE
    from ..render.terminal import conversations_table

    shown = rows[:_FOR_PEOPLE] if more else rows
    if not shown:
        print_to_stderr("no conversations")
        return
    display(conversations_table([(store.label, row) for row in shown], with_store=False))
    if more:
        print_to_stderr(f"there are more than these {_FOR_PEOPLE}: --limit N shows more")


def show(
    target: Target,
    conversation_id: ConversationId,
    last: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Only the last N messages.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(metavar="MESSAGE_ID", help="Begin with this message."),
    ] = None,
    as_json: AsJSON = False,
    as_lines: AsLines = False,
    raw: WithRaw = False,
    given: Given = None,
) -> None:
    """Show a conversation with its messages.

    On a terminal with Markdown, numbered sources and links; plain text in a pipe. As --json, an
    object of the conversation and its messages; as --jsonl, a line for each message.
    """
    form = choose_form(as_json=as_json, as_lines=as_lines, raw=raw)
    if last is not None and start is not None:
        raise typer.BadParameter("cannot be combined with --last", param_hint="--start")
    with opened(target, given) as store:
        if form is Form.JSON_LINES:
            for message in _messages(store, conversation_id, last, start):
                write_json(plain(message, raw=raw))
            return
        conversation, messages = _read(store, conversation_id, last, start)
    if form is Form.JSON:
        document = {
            "conversation": plain(conversation, raw=raw),
            "messages": [plain(message, raw=raw) for message in messages],
        }
        write_json(document, indent=2)
    elif form is Form.TERMINAL:
        from ..render.terminal import transcript

        display(transcript(conversation, messages))
    else:
        write(transcript_text(conversation, messages))


def _read(
    store: ConversationStore, conversation_id: str, last: int | None, start: str | None
) -> tuple[Conversation, tuple[Message, ...]]:
    """Return a conversation with its messages, in as few requests as the backend needs."""
    from ...models import Conversation

    with waiting("messages"):
        if last is not None or start is not None:
            conversation = store.get_conversation(conversation_id)
            return conversation, tuple(_messages(store, conversation_id, last, start))
        (transcript,) = store.transcripts([conversation_id])
        return transcript.conversation or Conversation(id=conversation_id), transcript.messages


def _messages(
    store: ConversationStore, conversation_id: str, last: int | None, start: str | None
) -> Iterator[Message]:
    if last is None:
        yield from store.messages(conversation_id, start=start)
    else:
        newest = islice(store.messages(conversation_id, order="newest_first"), last)
        yield from reversed(list(newest))
