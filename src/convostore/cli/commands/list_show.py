"""The commands `ls` and `show`: a list of conversations, and one of them.

`render` decides how they look.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Final

import typer

from .._completion import complete_conversation, complete_message
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
from .._lookup import find_id, with_id
from .._output import (
    AsJSON,
    AsLines,
    Form,
    WithRaw,
    choose_form,
    collect,
    display_paged,
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
        typer.Option(metavar="WHEN", help="Last active since WHEN: a date, a time or an age (7d)."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Last active until WHEN; a date includes the whole day."),
    ] = None,
    older_than: OlderThan = None,
    title: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Title contains TEXT (case-insensitive)."),
    ] = None,
    pinned: Annotated[bool, typer.Option("--pinned", help="Only pinned conversations.")] = False,
    owner: Owner = None,
    without_owner: WithoutOwner = False,
    reverse: Annotated[bool, typer.Option("--reverse", help="Oldest first.")] = False,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            autocompletion=complete_conversation,
            help="Start the list at this conversation.",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help=f"List at most N. Without it: {_FOR_PEOPLE} on a terminal, all in a pipe.",
        ),
    ] = None,
    as_json: AsJSON = False,
    as_lines: AsLines = False,
    raw: WithRaw = False,
    given: Given = None,
) -> None:
    """List conversations.

    On a terminal this is a table. In a pipe it is one line per conversation: id, time and title,
    separated by tabs.
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
    display_paged([conversations_table([(store.label, row) for row in shown], with_store=False)])
    if more:
        print_to_stderr(f"only the first {_FOR_PEOPLE} are shown: --limit N shows more")


def show(
    target: Target,
    conversation_id: ConversationId,
    last: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Show only the last N messages.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="MESSAGE_ID", autocompletion=complete_message, help="Start at this message."
        ),
    ] = None,
    as_json: AsJSON = False,
    as_lines: AsLines = False,
    raw: WithRaw = False,
    given: Given = None,
) -> None:
    """Show a conversation with its messages.

    On a terminal, Markdown is rendered and sources are numbered and linked. In a pipe it is plain
    text. --json prints an object with the conversation and its messages, --jsonl one line per
    message.
    """
    form = choose_form(as_json=as_json, as_lines=as_lines, raw=raw)
    if last is not None and start is not None:
        raise typer.BadParameter("cannot be combined with --last", param_hint="--start")
    with opened(target, given) as store:
        if form is Form.JSON_LINES:
            for message in _messages(store, find_id(store, conversation_id), last, start):
                write_json(plain(message, raw=raw))
            return
        conversation, messages = with_id(
            store, conversation_id, lambda whole: _read(store, whole, last, start), is_said=False
        )
    if form is Form.JSON:
        document = {
            "conversation": plain(conversation, raw=raw),
            "messages": [plain(message, raw=raw) for message in messages],
        }
        write_json(document, indent=2)
    elif form is Form.TERMINAL:
        from ..render.terminal import transcript_blocks

        display_paged(transcript_blocks(conversation, messages))
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
