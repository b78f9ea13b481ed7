"""Conversations as what a terminal shows, and as plain text for pipes.

Titles, texts and addresses come from strangers: no control character of theirs reaches the
terminal, and none of them is read as markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
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

from ..models import Conversation, Message, OtherPart, ReasoningPart, Source, TextPart

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_TIME_WIDTH: Final = 16
_TITLE_WIDTH: Final = 30
"""What a title is given before ids are shown beside it."""
_GAP: Final = 3
_NARROWEST: Final = 10
_STYLES = {"user": "bold cyan", "assistant": "bold green", "system": "bold magenta"}


def printable(text: str) -> str:
    """Returns the text with what could command a terminal replaced by ``�``; lines stay lines."""
    return _CONTROL.sub("�", text.replace("\r\n", "\n"))


def conversations_table(
    rows: Iterable[tuple[str, Conversation]], *, with_store: bool = True
) -> RenderableType:
    """A table of conversations, each with the name of the store that it came from."""
    return _ConversationsTable(tuple(rows), with_store)


@dataclass(frozen=True)
class _ConversationsTable:
    """Lays itself out for the console's width: titles are cut; ids are whole, or not shown.

    In a list of one store, whose ids are what `show` takes, they are folded rather than left out.
    """

    rows: tuple[tuple[str, Conversation], ...]
    with_store: bool

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        stores = max((cell_len(name) for name, _ in self.rows), default=5) if self.with_store else 0
        ids = max((cell_len(row.id) for _, row in self.rows), default=2)
        room = options.max_width - _TIME_WIDTH - _GAP - (stores + _GAP if stores else 0)
        with_ids = not self.with_store or room - ids - _GAP >= _TITLE_WIDTH
        ids = max(_NARROWEST, min(ids, room - _GAP - _NARROWEST))
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        table.add_column("Last active", width=_TIME_WIDTH, style="dim")
        if self.with_store:
            table.add_column("Store", width=stores, style="magenta")
        width = max(_NARROWEST, room - ids - _GAP if with_ids else room)
        table.add_column("Title", width=width, overflow="ellipsis", no_wrap=True)
        if with_ids:
            table.add_column("Id", width=ids, overflow="fold", style="dim")
        for store, row in self.rows:
            title = ("📌 " if row.pinned else "") + _one_line(row.title)
            cells = [_when(row.last_active_at), printable(store), title, printable(row.id)]
            shown = (True, self.with_store, True, with_ids)
            table.add_row(
                *[Text(cell) for cell, is_shown in zip(cells, shown, strict=True) if is_shown]
            )
        yield table


def conversation_line(conversation: Conversation) -> str:
    """A conversation as one line of a pipe: id, time and title, with tabs between."""
    time = conversation.last_active_at
    cells = (conversation.id, time.isoformat() if time else "", conversation.title or "")
    return "\t".join(_one_line(cell) for cell in cells)


def transcript(conversation: Conversation, messages: Iterable[Message]) -> RenderableType:
    """A conversation: Markdown, reasoning dimmed, sources numbered and linked."""
    heading = Rule(Text(_one_line(conversation.title) or conversation.id, "bold"), align="left")
    blocks: list[RenderableType] = [heading]
    for message in messages:
        blocks += _message(message)
    return Group(*blocks)


def transcript_text(conversation: Conversation, messages: Iterable[Message]) -> str:
    """The same as plain text."""
    lines = [f"# {_one_line(conversation.title) or conversation.id}", ""]
    for message in messages:
        lines += [
            f"## {message.role}, {_when(message.created_at)}",
            "",
            printable(message.text),
            "",
        ]
        lines += [f"[{source.mark}] {_place(source)}" for source in _cited(message)]
        lines += [""] if message.sources else []
    return "\n".join(lines).rstrip()


def _message(message: Message) -> Iterator[RenderableType]:
    yield Text.assemble(
        "\n",
        (message.role, _STYLES.get(message.role, "bold")),
        ("  " + _when(message.created_at), "dim"),
        ("  unanswered", "yellow") if message.status == "unanswered" else "",
        ("  failed", "red") if message.status == "failed" else "",
    )
    for part in message.parts:
        match part:
            case TextPart(text=text):
                yield Padding(Markdown(printable(text)), (0, 0, 0, 2))
            case ReasoningPart(text=text):
                yield Padding(Text(printable(text), "dim italic"), (0, 0, 0, 2))
            case OtherPart(type=kind):
                yield Padding(Text(f"({printable(kind or 'something')})", "dim"), (0, 0, 0, 2))
            case _:
                yield Padding(Text(f"({part.kind})", "dim"), (0, 0, 0, 2))
    for source in _cited(message):
        yield _linked(source)
    researched = sum(source.kind == "researched" for source in message.sources)
    if researched:
        yield Padding(Text(f"{researched} more read on the way", "dim"), (0, 0, 0, 4))


def _cited(message: Message) -> list[Source]:
    return [source for source in message.sources if source.mark is not None]


def _linked(source: Source) -> RenderableType:
    url = printable(source.url or "")
    style = f"link {url}" if re.fullmatch(r"https?://\S+", url) else ""
    line = Text.assemble((f"[{source.mark}] ", "cyan"), (_one_line(source.title) or url, style))
    if source.title and url:
        line.append(f"  {url}", "dim")
    return Padding(line, (0, 0, 0, 4))


def _place(source: Source) -> str:
    return _one_line("  ".join(filter(None, (source.title, source.url)))) or "(unnamed)"


def _one_line(text: str | None) -> str:
    return " ".join(printable(text or "").split())


def _when(time: datetime | None) -> str:
    return f"{time.astimezone():%Y-%m-%d %H:%M}" if time else "-"
