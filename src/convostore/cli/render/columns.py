"""Texts measured in the columns of a terminal: cut and wrapped to a width.

A character may take no column or two; styles and tables are in `terminal` and `tables`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from unicodedata import combining, east_asian_width

from .text import one_line

__all__ = ["cut", "text_width", "wrapped"]


def cut(text: str, width: int) -> str:
    """Return a text on one line, cut where it is wider than a number of columns."""
    line = one_line(text)
    columns = list(accumulate(map(_columns, line)))
    if not columns or columns[-1] <= width:
        return line
    return line[: bisect_right(columns, width - 1)].rstrip() + "…"


def wrapped(text: str, width: int) -> Iterator[str]:
    """Yield lines of a text that are broken between words only; a long word is a line."""
    line, room = "", width
    for word in one_line(text).split(" "):
        columns = text_width(word)
        if line and columns + 1 > room:
            yield line
            line, room = "", width
        line = f"{line} {word}" if line else word
        room = width - text_width(line)
    yield line


def text_width(text: str) -> int:
    """Return the number of columns that a line takes on a terminal."""
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if combining(character):
        return 0
    return 2 if east_asian_width(character) in {"W", "F"} else 1
