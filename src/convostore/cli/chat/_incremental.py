"""Texts that grow while they are shown: which part is final, and which may still change.

The final part is printed once and scrolls away; only the rest is drawn again. Nothing is drawn
here.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

from ..render.text import printable

PERIOD: Final = 0.1
"""The least time between two searches for the settled part, in seconds."""
_SHARE: Final = 10
"""The least pause after a search, as a multiple of its duration: long blocks stay cheap."""


class Cleaner:
    """A filter that makes pieces of a text printable, even if CRLF is cut in two."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        """Feed a piece and return it, printable, without what only the next piece decides."""
        text = self._held + piece
        self._held = "\r" if text.endswith("\r") else ""
        return printable(text.removesuffix("\r") if self._held else text)

    def flush(self) -> str:
        """Return what was held back."""
        rest, self._held = self._held, ""
        return printable(rest)


class GrowingText:
    """A text that grows, and whose settled part can be taken away."""

    def __init__(
        self,
        settled: Callable[[str], int],
        *,
        period: float = PERIOD,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Create an empty text.

        Args:
            settled: Returns the number of characters that no continuation of a text changes.
            period: The least time between two calls of it, in seconds; 0 to call it each time.
            clock: Returns the time in seconds.
        """
        self._settled = settled
        self._period = period
        self._clock = clock
        self._cleaner = Cleaner()
        self._pieces: list[str] = []
        self._next_search = 0.0

    def add(self, piece: str) -> None:
        """Append a piece."""
        self._pieces.append(self._cleaner.feed(piece))

    @property
    def tail(self) -> str:
        """The part that was not taken; another thread may read it."""
        return "".join(self._pieces)

    def take_settled(self) -> str:
        """Take the settled part away; "" if it is too early to search again."""
        started = self._clock()
        if started < self._next_search:
            return ""
        text = self.tail
        end = self._settled(text)
        self._pieces = [text[end:]]
        now = self._clock()
        if self._period:
            self._next_search = now + max(self._period, _SHARE * (now - started))
        return text[:end]

    def take_all(self) -> str:
        """Take the rest away: nothing follows."""
        text = self.tail + self._cleaner.flush()
        self._pieces = []
        return text


def settled_lines(text: str) -> int:
    """Return the length of the settled part of a plain text: its whole lines."""
    return text.rfind("\n") + 1
