"""Progress of long operations: a bar if stderr is a terminal, and otherwise nothing.

The commands do the counting.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from ..errors import StoreError
from .errors import print_to_stderr
from .render.text import several


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The counts so far.

    Attributes:
        total: The number of conversations that there are; None if it is not known.
    """

    conversations: int
    messages: int
    total: int | None

    def __str__(self) -> str:
        text = several(self.conversations, "conversation")
        if self.total is not None:
            text = f"{self.conversations:,} of {several(self.total, 'conversation')}"
        return f"{text}, {several(self.messages, 'message')}"


class Bar:
    """A receiver of progress.

    Attributes:
        show: Draws it on a terminal; None without one.
        last: The last progress that was reported.
    """

    show: Callable[[Progress], None] | None = None
    last: Progress | None = None

    def update(self, progress: Progress) -> None:
        """Record the progress, and draw it on a terminal."""
        self.last = progress
        if self.show is not None:
            self.show(progress)


@contextmanager
def progress_bar(label: str, *, advice: str | None, shown: bool = True) -> Iterator[Bar]:
    """Draw a bar on stderr, erased at the end; report how far an interrupted operation came.

    Args:
        label: The word before the bar, such as ``"mirroring"``.
        advice: What to do after an interruption; None to report nothing.
        shown: False if the terminal shows something else meanwhile.
    """
    bar = Bar()
    try:
        with _display(label) if shown and sys.stderr.isatty() else nullcontext() as bar.show:
            yield bar
    except (KeyboardInterrupt, StoreError):
        if advice is not None and bar.last is not None:
            print_to_stderr(f"interrupted: {bar.last}; {advice}")
        raise


@contextmanager
def _display(label: str) -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Display

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[text]}"),
        TimeRemainingColumn(compact=True),
    )
    with Display(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task(label, total=None, text="")

        def show(progress: Progress) -> None:
            done, total = progress.conversations, progress.total
            rate = _rate(progress.messages, display.tasks[0].elapsed)
            display.update(task, completed=done, total=total, text=f"{progress}{rate}")

        yield show


def _rate(messages: int, seconds: float | None) -> str:
    """Return the messages per second, once there was time to count."""
    return f" ({messages / seconds:,.0f}/s)" if seconds and seconds >= 1 else ""
