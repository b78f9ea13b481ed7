"""Conversations as rich renderables for a terminal; the words come from `text`.

No text of strangers may be parsed as rich's markup, and only http and https addresses are links.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.markdown import Markdown
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from ...models import Conversation, Message, Source
from ...search import Hit, Snippet
from .text import (
    CONTROL,
    conversation_facts,
    facts,
    file_words,
    labels_of,
    marked_sources,
    one_line,
    place,
    printable,
    problem_words,
    remarks,
    title_of,
    unmarked_quotes,
    words,
)
from .times import when, when_here, zone_of

__all__ = [
    "block",
    "conversations_table",
    "endings",
    "hits_list",
    "sources_list",
    "transcript",
    "transcript_blocks",
]

_TIME_WIDTH: Final = 16
_TITLE_WIDTH: Final = 30
"""The width of titles below which no ids are shown beside them."""
_GAP: Final = 3
_NARROWEST: Final = 10
_LONGEST: Final = 12
"""The lines of a tool's text that are shown: a page that it read can be long."""
_STYLES = {"user": "bold cyan", "assistant": "bold green", "system": "bold magenta"}
_STATUS_STYLES = {"failed": "red", "unanswered": "yellow", "generating": "yellow"}


def conversations_table(
    rows: Iterable[tuple[str, Conversation]], *, with_store: bool = True
) -> RenderableType:
    """Return a table of conversations, each with the name of its store."""
    return _ConversationsTable(tuple(rows), with_store)


@dataclass(frozen=True)
class _ConversationsTable:
    """A table that fits the console's width: titles are cut; ids are whole, or not shown.

    In a list of one store ids are folded rather than left out, as `show` needs them.
    """

    rows: tuple[tuple[str, Conversation], ...]
    with_store: bool

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        stores = max((cell_len(name) for name, _ in self.rows), default=5) if self.with_store else 0
        ids = max((cell_len(row.id) for _, row in self.rows), default=2)
        head = _head_of_times([row.last_active_at for _, row in self.rows])
        times = max(_TIME_WIDTH, cell_len(head))
        room = options.max_width - times - _GAP - (stores + _GAP if stores else 0)
        with_ids = not self.with_store or room - ids - _GAP >= _TITLE_WIDTH
        ids = max(_NARROWEST, min(ids, room - _GAP - _NARROWEST))
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        table.add_column(head, width=times, style="dim", no_wrap=True)
        if self.with_store:
            table.add_column("Store", width=stores, style="magenta")
        width = max(_NARROWEST, room - ids - _GAP if with_ids else room)
        table.add_column("Title", width=width, overflow="ellipsis", no_wrap=True)
        if with_ids:
            table.add_column("Id", width=ids, overflow="fold", style="dim")
        for store, row in self.rows:
            title = ("📌 " if row.pinned else "") + title_of(row.title)
            cells = [when_here(row.last_active_at), printable(store), title, printable(row.id)]
            shown = (True, self.with_store, True, with_ids)
            table.add_row(
                *[Text(cell) for cell, is_shown in zip(cells, shown, strict=True) if is_shown]
            )
        yield table


def _head_of_times(times: Iterable[datetime | None]) -> str:
    """Return the head of a column of times with its time zones: two where the clocks changed."""
    zones = "/".join(sorted({zone_of(time) for time in times if time is not None}))
    return f"Last active {zones}".rstrip()


def hits_list(hits: Iterable[Hit]) -> RenderableType:
    """Return the hits of a search, grouped by conversation."""
    lines: list[RenderableType] = []
    above: str | None = None
    for hit in hits:
        conversation = hit.conversation
        if hit.message is None:
            lines.append(_HitHeading(_marked_text(hit.snippet, "bold"), conversation))
        elif conversation.id != above:
            title = Text(title_of(conversation.title), "bold")
            lines.append(_HitHeading(title, conversation))
        above = conversation.id
        if hit.message is not None:
            lines += _hit_message(hit.message, hit)
    return Group(*lines)


@dataclass(frozen=True)
class _HitHeading:
    """The head of a conversation's hits on one line: its title is cut to leave room."""

    title: Text
    conversation: Conversation

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        time, id = when(self.conversation.last_active_at), one_line(self.conversation.id)
        title = self.title.copy()
        room = options.max_width - cell_len(f"  {time}  {id}")
        title.truncate(max(_NARROWEST, room), overflow="ellipsis")
        yield Text.assemble(title, (f"  {time}  {id}", "dim"))


def _hit_message(message: Message, hit: Hit) -> Iterator[RenderableType]:
    yield Padding(_heading(message, above=""), (0, 0, 0, 2))
    source = Text("source: " if hit.where == "source" else "", "cyan")
    yield Padding(Text.assemble(source, _marked_text(hit.snippet)), (0, 0, 0, 4))


def _marked_text(snippet: Snippet, style: str = "") -> Text:
    text = Text(
        CONTROL.sub("�", snippet.text), style
    )  # one for one: the offsets of the marks stay right
    for start, stop in snippet.marks:
        text.stylize("bold yellow", start, stop)
    return text


def transcript(conversation: Conversation, messages: Iterable[Message]) -> RenderableType:
    """Return a conversation: Markdown, reasoning dimmed, sources numbered and linked."""
    return Group(*transcript_blocks(conversation, messages))


def transcript_blocks(
    conversation: Conversation, messages: Iterable[Message]
) -> Iterator[RenderableType]:
    """Yield the blocks of a conversation one by one, as a pager is filled; see `transcript`."""
    yield Rule(Text(title_of(conversation.title), "bold"), align="left")
    yield Text(one_line(conversation.id), "dim")
    for fact in conversation_facts(conversation):
        yield Text(fact, "dim")
    for file in conversation.files:
        yield Text(f"file: {file_words(file)}", "dim")
    for problem in conversation.problems:
        yield Text(problem_words(problem), "yellow")
    for message in messages:
        yield from _message(message)


def _message(message: Message) -> Iterator[RenderableType]:
    yield _heading(message)
    labels = labels_of(message)
    for part in message.parts:
        yield block(*words(part, message, labels), keep_lines=message.role == "user")
    yield from endings(message, labels)


def endings(message: Message, labels: Mapping[str | None, str]) -> Iterator[RenderableType]:
    """Yield what is shown below a message: its sources, remarks, and problems.

    Args:
        message: The message.
        labels: The number of each source by its mark.
    """
    for source in marked_sources(message):
        yield from _source(source, f"[{labels[source.mark]}]")
    for source in unmarked_quotes(message):
        yield from _source(source, "[-]")
    for remark in remarks(message):
        yield Padding(Text(remark, "dim"), (0, 0, 0, 4))
    for problem in message.problems:
        yield Padding(Text(problem_words(problem), "yellow"), (0, 0, 0, 4))


def sources_list(message: Message, labels: Mapping[str | None, str]) -> Iterator[RenderableType]:
    """Yield all sources of a message, those that its text does not cite included."""
    for source in message.sources:
        yield from _source(source, f"[{labels.get(source.mark, '-')}]")


def _heading(message: Message, *, above: str = "\n") -> Text:
    time, *others = facts(message)
    heading = Text.assemble(above, (message.role, _STYLES.get(message.role, "bold")))
    heading.append(f"  {time}", "dim")
    for fact in others:
        heading.append(f"  {fact}", _STATUS_STYLES.get(fact, "dim"))
    return heading


def block(label: str, text: str, *, keep_lines: bool = False) -> RenderableType:
    """Return a piece of a message, indented below its heading; see `words`.

    Args:
        label: The kind of the piece; "" for a text.
        text: The piece.
        keep_lines: Whether each line of a text begins a line, as people mean what they type.
    """
    return Padding(_part(label, text, keep_lines=keep_lines), (0, 0, 0, 2))


def _markdown(text: str, *, keep_lines: bool) -> Markdown:
    markdown = Markdown(text, hyperlinks=False)  # so that the text shows where a link leads
    for token in markdown.parsed if keep_lines else ():
        for child in token.children or ():
            if child.type == "softbreak":
                child.type = "hardbreak"
    return markdown


def _part(label: str, text: str, *, keep_lines: bool) -> RenderableType:
    match label:
        case "":
            return _markdown(text, keep_lines=keep_lines)
        case "reasoning":
            return Text(text, "dim italic")
        case "question":
            return Text(text, "yellow")
        case "other":
            return Text(f"({text})", "dim")
        case _:
            return Text.assemble((f"{label}: ", "magenta"), (_shortened(text), "dim"))


def _shortened(text: str) -> str:
    lines = text.split("\n")
    if len(lines) <= _LONGEST:
        return text
    return "\n".join([*lines[:_LONGEST], f"… {len(lines) - _LONGEST} more lines"])


def _source(source: Source, label: str) -> Iterator[RenderableType]:
    url = printable(source.url or "")
    style = f"link {url}" if re.fullmatch(r"https?://\S+", url) else ""
    line = Text.assemble((f"{label} ", "cyan"), (one_line(source.title) or place(source), style))
    if source.title and url:
        line.append(f"  {url}", "dim")
    yield Padding(line, (0, 0, 0, 4))
    if source.title and source.content:
        excerpt = Text(one_line(source.content), "dim", no_wrap=True, overflow="ellipsis")
        yield Padding(excerpt, (0, 0, 0, 8))
