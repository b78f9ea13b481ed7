"""Texts that grow while they are shown: which part of one stands for good, and which may change.

What is settled can be printed once and scroll away; only the rest has to be drawn again. Nothing is
drawn here.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

from ..render.text import printable

PERIOD: Final = 0.1
"""Seconds between two looks at what has settled, at the least."""
_SHARE: Final = 10
"""How many times as long as a look took nobody looks again, so that long blocks stay cheap."""


class Cleaner:
    """Makes pieces of a text printable; a line's end that is cut in two stays one."""

    def __init__(self) -> None:
        self._held = ""

    def take(self, piece: str) -> str:
        """The piece, printable, but for what only the next one decides about."""
        text = self._held + piece
        self._held = "\r" if text.endswith("\r") else ""
        return printable(text.removesuffix("\r") if self._held else text)

    def end(self) -> str:
        """What was held back."""
        held, self._held = self._held, ""
        return printable(held)


class Growing:
    """A text that grows, and gives away what has settled of it."""

    def __init__(
        self,
        settled: Callable[[str], int],
        *,
        period: float = PERIOD,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Makes an empty text.

        Args:
            settled: How many characters of a text stay as they are, however it goes on.
            period: Seconds between two looks at that, at the least; 0 to look each time.
            clock: Tells the time in seconds.
        """
        self._settled = settled
        self._period = period
        self._clock = clock
        self._cleaner = Cleaner()
        self._pieces: list[str] = []
        self._next_look = 0.0

    def add(self, piece: str) -> None:
        """Takes what comes next."""
        self._pieces.append(self._cleaner.take(piece))

    @property
    def tail(self) -> str:
        """What has not been given away; another thread may look at it."""
        return "".join(self._pieces)

    def take_settled(self) -> str:
        """Gives away what has settled; nothing when it is too early to look again."""
        began = self._clock()
        if began < self._next_look:
            return ""
        text = self.tail
        end = self._settled(text)
        self._pieces = [text[end:]]
        now = self._clock()
        if self._period:
            self._next_look = now + max(self._period, _SHARE * (now - began))
        return text[:end]

    def take_all(self) -> str:
        """Gives away the rest: nothing more comes."""
        text = self.tail + self._cleaner.end()
        self._pieces = []
        return text


def settled_lines(text: str) -> int:
    """How much of a plain text stands: its whole lines."""
    return text.rfind("\n") + 1
