"""A reply in a pipe while it arrives: its text, and nothing else.

On stdout may be only the text; sources and notices go to stderr.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from ...errors import StoreError
from .._output import write
from ..errors import print_to_stderr
from ..render.text import marked_sources, place, unmarked_quotes
from ._citations import Labels, whole_marks
from ._incremental import GrowingText

if TYPE_CHECKING:
    from ...models import Message, Part, ReplyEvent

__all__ = ["PipedReply"]

_BETWEEN: Final = frozenset(
    {"reasoning_delta", "tool_call_started", "part_added", "interaction_requested"}
)
"""The kinds of events after which a text begins a new part."""


class PipedReply:
    """A printer of a reply's texts; a context manager whose exit ends the last line."""

    def __init__(self) -> None:
        self._labels = Labels()
        self._growing = GrowingText(whole_marks, period=0.0)
        self._pieces: list[str] = []
        self._separate = False
        self._last = "\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not isinstance(error, OSError) or isinstance(error, StoreError):
            self._end()  # after an OSError there is no reader

    def show(self, event: ReplyEvent) -> None:
        """Print the text of the next event on stdout, and notices on stderr."""
        if event.kind == "text_delta":
            self._add(event.text)
        elif event.kind == "parts_replaced":
            self._replace("\n".join(_texts(event.parts)))
        elif event.kind == "reply_finished":
            self._finish(event.reply.message)
        elif event.kind in _BETWEEN:
            self._separate = bool(self._pieces)

    def _add(self, text: str) -> None:
        piece = f"\n{text}" if self._separate else text
        self._separate = False
        self._pieces.append(piece)
        self._growing.add(piece)
        self._write(self._growing.take_settled())

    def _write(self, text: str) -> None:
        if text:
            labelled = self._labels.relabel(text)
            write(labelled, end="")
            self._last = labelled[-1]

    def _replace(self, text: str) -> None:
        """Print the rest of a text that continues the printed one, or else all of it."""
        printed = "".join(self._pieces)
        if text.startswith(printed):
            self._separate = False
            self._add(text[len(printed) :])
            return
        self._end()
        print_to_stderr("the service withdrew its answer so far; the new one:")
        self._pieces, self._separate = [], False
        self._add(text)

    def _finish(self, message: Message) -> None:
        if not self._pieces:  # a resumed reply that was finished before has no other event
            self._add(message.text)
        self._end()
        labels = self._labels.numbers(message.sources)
        for source in marked_sources(message):
            print_to_stderr(f"[{labels[source.mark]}] {place(source)}")
        for source in unmarked_quotes(message):
            print_to_stderr(f"quoted: {place(source)}")

    def _end(self) -> None:
        self._write(self._growing.take_all())
        if self._last != "\n":
            write("")
            self._last = "\n"


def _texts(parts: tuple[Part, ...]) -> list[str]:
    return [part.text for part in parts if part.kind == "text"]
