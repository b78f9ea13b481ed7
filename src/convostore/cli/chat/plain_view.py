"""A reply as it arrives, written where no people look on: its text as it comes, and nothing else.

What a program reads is on stdout; what is said about it goes beside it.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from ...errors import StoreError
from .._output import write
from ..errors import print_to_stderr
from ..render.text import marked, place, unmarked_quotes
from ._citations import Labels, whole_marks
from ._incremental import Growing

if TYPE_CHECKING:
    from ...models import Message, Part, ReplyEvent

__all__ = ["PipedReply"]

_BETWEEN: Final = frozenset(
    {"reasoning_delta", "tool_call_started", "part_added", "interaction_requested"}
)
"""Events after which a text is another part than the one before."""


class PipedReply:
    """Writes the texts of a reply while its ``with`` lasts; leaving ends the last line."""

    def __init__(self) -> None:
        self._labels = Labels()
        self._growing = Growing(whole_marks, period=0.0)
        self._said: list[str] = []
        self._apart = False
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
            self._end()  # else nobody reads any more

    def take(self, event: ReplyEvent) -> None:
        """Writes what is text of the next event, and says the rest."""
        if event.kind == "text_delta":
            self._say(event.text)
        elif event.kind == "parts_replaced":
            self._replace("\n".join(_texts(event.parts)))
        elif event.kind == "reply_finished":
            self._finish(event.reply.message)
        elif event.kind in _BETWEEN:
            self._apart = bool(self._said)

    def _say(self, text: str) -> None:
        piece = f"\n{text}" if self._apart else text
        self._apart = False
        self._said.append(piece)
        self._growing.add(piece)
        self._write(self._growing.take_settled())

    def _write(self, text: str) -> None:
        if text:
            shown = self._labels.put_into(text)
            write(shown, end="")
            self._last = shown[-1]

    def _replace(self, text: str) -> None:
        """What is written cannot be taken back: what follows it is written, or all anew."""
        said = "".join(self._said)
        if text.startswith(said):
            self._apart = False
            self._say(text[len(said) :])
            return
        self._end()
        print_to_stderr("the service took back what it had said; its answer begins anew:")
        self._said, self._apart = [], False
        self._say(text)

    def _finish(self, message: Message) -> None:
        if not self._said:  # of a reply that was finished before, only the end comes
            self._say(message.text)
        self._end()
        labels = self._labels.of_all(message.sources)
        for source in marked(message):
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
