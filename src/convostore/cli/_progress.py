"""How far what takes long has come: a bar on the terminal that people look at, and else nothing."""

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
    """Counts.

    Attributes:
        total: How many conversations there are, where that is known.
    """

    conversations: int
    messages: int
    total: int | None

    def __str__(self) -> str:
        told = several(self.conversations, "conversation")
        if self.total is not None:
            told = f"{self.conversations:,} of {several(self.total, 'conversation')}"
        return f"{told}, {several(self.messages, 'message')}"


class Bar:
    """Takes how far it has come, and knows the last of that.

    Attributes:
        show: What a terminal is given; None where nobody looks on.
    """

    show: Callable[[Progress], None] | None = None
    last: Progress | None = None

    def tell(self, progress: Progress) -> None:
        """Notes it, and shows it where somebody looks on."""
        self.last = progress
        if self.show is not None:
            self.show(progress)


@contextmanager
def progress_bar(what: str, *, then: str | None, shown: bool = True) -> Iterator[Bar]:
    """A bar on stderr, gone at the end; when it breaks off, how far that was is said.

    Args:
        what: The word before it, such as ``"mirroring"``.
        then: What one can do when it broke off; None to say nothing.
        shown: False where the terminal has something else to show meanwhile.
    """
    bar = Bar()
    try:
        with _display(what) if shown and sys.stderr.isatty() else nullcontext() as bar.show:
            yield bar
    except (KeyboardInterrupt, StoreError):
        if then is not None and bar.last is not None:
            print_to_stderr(f"broken off: {bar.last}; {then}")
        raise


@contextmanager
def _display(what: str) -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Display

    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}")
    with Display(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task(what, total=None, told="")

        def show(progress: Progress) -> None:
            done, total = progress.conversations, progress.total
            display.update(task, completed=done, total=total, told=str(progress))

        yield show
