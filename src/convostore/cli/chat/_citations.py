"""Numbers of sources in a text that is still arriving.

Nothing is printed here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import count
from threading import Lock
from typing import Final

from ...models import Message, Source, TextPart
from ..render.text import relabel

_UNFINISHED: Final = re.compile(r"\[[0-9a-f]{0,24}(?:\](?:\([A-Z]{0,5})?)?\Z")
_NUMBER: Final = re.compile(r"[0-9]{1,4}")


class Labels:
    """The numbers of sources by their marks, in the order in which the text cites them.

    The thread that draws may ask at the same time as the one that receives.
    """

    def __init__(self) -> None:
        self._by_mark: dict[str | None, str] = {}
        self._lock = Lock()

    def number(self, mark: str | None) -> str:
        """Return a mark's number: the mark itself if it is a number."""
        with self._lock:
            if mark not in self._by_mark:
                used = set(self._by_mark.values())
                free = (str(number) for number in count(1) if str(number) not in used)
                self._by_mark[mark] = mark if mark and _NUMBER.fullmatch(mark) else next(free)
            return self._by_mark[mark]

    def numbers(self, sources: Iterable[Source]) -> dict[str | None, str]:
        """Return the numbers of these sources by their marks."""
        marks = [source.mark for source in sources if source.mark is not None]
        return {mark: self.number(mark) for mark in marks}

    def relabel(self, text: str) -> str:
        """Replace the marks of a text by numbers."""
        message = Message(role="assistant", parts=(TextPart(text=text),))
        return relabel(message, lambda citation: self.number(citation.mark))


def whole_marks(text: str) -> int:
    """Return the length of a text up to a mark that may be cut off at its end."""
    mark = _UNFINISHED.search(text)
    return len(text) if mark is None else mark.start()
