"""A reply on a terminal while it arrives: the settled part is printed, the rest is redrawn.

The settled part is printed once and scrolls away like any output; below it, no higher than the
screen, is drawn what may still change, and the status. Nothing is sent or asked here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, ClassVar, Final, Self

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.padding import Padding
from rich.segment import Segment
from rich.spinner import Spinner
from rich.text import Text

from ...models import (
    Message,
    Part,
    PartAdded,
    PartsReplaced,
    ReasoningDelta,
    ReplyEvent,
    ReplyFinished,
    SourcesFound,
    StatusChanged,
    TextDelta,
    ToolCallArgumentsDelta,
    ToolCallPart,
    ToolCallStarted,
    ToolResultDelta,
    ToolResultPart,
)
from ..render.terminal import block, endings
from ..render.text import one_line, several, words
from ._citations import Labels
from ._incremental import GrowingText, settled_lines
from ._markdown import end_of_markdown, settled_markdown

__all__ = ["ReplyView"]

_WAITING: Final = "waiting for the answer"
_ANSWERING: Final = "answering"
_BELOW: Final = 2
"""The lines of the screen below the answer: the status, and the cursor's."""
_REFRESHES: Final = 8
"""Redraws a second."""
_NO_MESSAGE: Final = Message(role="assistant")


class _Section:
    """A piece of a reply that is growing: a text, or reasoning."""

    def __init__(self, label: str, labels: Labels) -> None:
        self.label = label
        self.begun = False
        self._labels = labels
        self._growing = GrowingText(settled_lines if label else settled_markdown)
        self.add: Callable[[str], None] = self._growing.add

    def settled(self, *, whole: bool = False) -> RenderableType | None:
        """Return what can be printed for good; None if there is nothing new."""
        text = self._growing.take_all() if whole else self._growing.take_settled()
        text = text.rstrip("\n") if self.label else text.strip("\n")
        return self._block(text) if text else None

    def tail(self, height: int) -> RenderableType:
        """Return what may still change, cut to its last lines."""
        text = end_of_markdown(self._growing.tail, height)
        return self._block(text.rstrip("\n"))

    def _block(self, text: str) -> RenderableType:
        return block(self.label, text if self.label else self._labels.relabel(text))


class _Live(Live):
    """A display that another thread redraws, unless it is paused.

    Each print erases the drawing by its last height: two threads at once would lose lines.
    """

    def paused(self) -> AbstractContextManager[bool]:
        """Return a context in which the thread does not draw, for printing."""
        return self._lock


class ReplyView:
    """A view of a reply's events; a context manager whose exit prints the rest."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._labels = Labels()
        self._section: _Section | None = None
        self._calls: dict[str, tuple[str, list[str], list[str]]] = {}
        self._status = _WAITING
        self._drawn = False
        self._source_count = 0
        self._spinner = Spinner("dots", style="dim")
        self._live = _Live(
            self,
            console=console,
            transient=True,
            refresh_per_second=_REFRESHES,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._live.paused():
            self._end_section()
        self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield what is redrawn all the time: the end of the tail, and the status."""
        height = max(1, console.size.height - _BELOW)
        if (section := self._section) is not None:
            lines = console.render_lines(section.tail(height), options, pad=False)
            for line in lines[-height:]:
                yield from line
                yield Segment.line()
        self._spinner.update(text=Text(self._status, "dim", no_wrap=True, overflow="ellipsis"))
        yield Padding(self._spinner, (0, 0, 0, 2))

    def labels_of(self, message: Message) -> dict[str | None, str]:
        """Return the numbers of the message's sources by their marks."""
        return self._labels.numbers(message.sources)

    def show(self, event: ReplyEvent) -> None:
        """Draw the next event."""
        draw = self._DRAWING.get(type(event))
        if draw is not None:
            with self._live.paused():
                draw(self, event)

    def _text(self, event: TextDelta) -> None:
        self._grow("", event.text)

    def _reasoning(self, event: ReasoningDelta) -> None:
        self._grow("reasoning", event.text)

    def _grow(self, label: str, text: str) -> None:
        section = self._section
        if section is None or section.label != label:
            self._end_section()
            section = self._section = _Section(label, self._labels)
        section.add(text)
        if self._status == _WAITING:
            self._status = _ANSWERING
        self._print_settled(section, section.settled())

    def _print_settled(self, section: _Section, settled: RenderableType | None) -> None:
        if settled is not None:
            # Lines of reasoning follow one another; between Markdown blocks is an empty line.
            self._print(settled, separate=not (section.label and section.begun))
            section.begun = True

    def _print(self, renderable: RenderableType, *, separate: bool = True) -> None:
        if separate and self._drawn:
            self._console.print()
        self._console.print(renderable)
        self._drawn = True

    def _end_section(self) -> None:
        section, calls = self._section, self._calls
        self._section, self._calls = None, {}
        if section is not None:
            self._print_settled(section, section.settled(whole=True))
        for call_id, (name, arguments, content) in calls.items():
            self._part(ToolCallPart(id=call_id, name=name, arguments="".join(arguments)))
            if content:
                self._part(ToolResultPart(id=call_id, content="".join(content)))

    def _part(self, part: Part) -> None:
        self._print(block(*words(part, _NO_MESSAGE, {})))

    def _call(self, call_id: str, name: str = "") -> tuple[str, list[str], list[str]]:
        if self._section is not None:
            self._end_section()
        return self._calls.setdefault(call_id, (name, [], []))

    def _call_started(self, event: ToolCallStarted) -> None:
        self._call(event.id, event.name)
        self._status = f"calling {one_line(event.name)}"

    def _call_arguments(self, event: ToolCallArgumentsDelta) -> None:
        self._call(event.id)[1].append(event.arguments)

    def _call_result(self, event: ToolResultDelta) -> None:
        self._call(event.id)[2].append(event.content)

    def _part_added(self, event: PartAdded) -> None:
        self._end_section()
        self._draw_parts((event.part,))

    def _parts_replaced(self, event: PartsReplaced) -> None:
        """Draw the new parts below a note: what was printed cannot be erased."""
        self._end_section()
        if self._drawn:
            self._print(Text("  (withdrawn; instead:)", "dim"))
        self._draw_parts(event.parts)

    def _draw_parts(self, parts: Iterable[Part]) -> None:
        for part in parts:
            if part.kind == "text" or part.kind == "reasoning":
                self._grow("" if part.kind == "text" else part.kind, part.text)
            else:
                self._end_section()
                self._part(part)

    def _sources_found(self, event: SourcesFound) -> None:
        self._source_count += len(event.sources)
        self._status = f"found {several(self._source_count, 'source')}"

    def _status_changed(self, event: StatusChanged) -> None:
        status = "" if event.status == "running" else f": {event.status}"
        self._status = one_line(f"{event.name}{status}") or _WAITING

    def _finished(self, event: ReplyFinished) -> None:
        self._end_section()
        message = event.reply.message
        if not self._drawn:  # a resumed reply that was finished before has no other event
            question = event.reply.interaction
            self._draw_parts(part for part in message.parts if part is not question)
            self._end_section()
        lines = list(endings(message, self.labels_of(message)))
        if message.status not in {None, "complete"}:
            lines.append(Text(f"    ({message.status})", "yellow"))
        if lines and self._drawn:
            self._console.print()
        for line in lines:
            self._console.print(line)

    _DRAWING: ClassVar[dict[type, Callable[[ReplyView, Any], None]]] = {
        TextDelta: _text,
        ReasoningDelta: _reasoning,
        ToolCallStarted: _call_started,
        ToolCallArgumentsDelta: _call_arguments,
        ToolResultDelta: _call_result,
        PartAdded: _part_added,
        PartsReplaced: _parts_replaced,
        SourcesFound: _sources_found,
        StatusChanged: _status_changed,
        ReplyFinished: _finished,
    }
