"""Offsets: map a position in a folded text back to the original text.

Folding may lengthen and shorten a text, so one block at a time is folded again to map an offset.
Folding itself belongs in `_tokenizer`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from ._tokenizer import fold, is_mark

_BLOCK: Final = 2048
"""Characters of the original text that are folded at a time."""


class FoldedText:
    """A text and its folded form, with the offsets of one in the other."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._same = text.isascii()
        self._starts = [0]
        self._blocks: list[tuple[int, str]] = []
        if self._same:
            self._folded = fold(text)
            return
        for start, end in _blocks(text):
            folded = fold(text[start:end])
            self._blocks.append((start, folded))
            self._starts.append(self._starts[-1] + len(folded))
        self._folded = "".join(folded for _, folded in self._blocks)

    def find(self, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
        """Yield the start and the end, in the original text, of each match of a folded pattern.

        Matches may overlap.
        """
        match = pattern.search(self._folded)
        while match is not None:
            start, end = self._original(match.start()), self._original(match.end() - 1)
            yield start, _cluster_end(self._text, end)
            match = pattern.search(self._folded, match.start() + 1)

    def _original(self, offset: int) -> int:
        """Return the offset of the character whose folded form is at an offset."""
        if self._same:
            return offset
        number = bisect_right(self._starts, offset) - 1
        start, folded = self._blocks[number]
        rest = offset - self._starts[number]
        end = start + _BLOCK * 2
        # The usual case: folding has changed no length before the offset.
        if fold(self._text[start : start + rest]) == folded[:rest] and not is_mark(
            self._text[start + rest : start + rest + 1]
        ):
            return start + rest
        length = 0
        at = start
        while at < min(end, len(self._text)):
            after = _cluster_end(self._text, at)
            length += len(fold(self._text[at:after]))
            if length > rest:
                return at
            at = after
        return at


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(text):
        end = min(start + _BLOCK, len(text))
        end = _cluster_end(text, end - 1) if end > start else end
        yield start, end
        start = end


def _cluster_end(text: str, at: int) -> int:
    """Return the end of the character at an offset, including the marks that combine with it."""
    at += 1
    while at < len(text) and is_mark(text[at]):
        at += 1
    return at
