"""Places: where a piece of a folded text stands in the text as it was.

Folding may lengthen and shorten a text: a block of it at a time is folded again on the way back.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from ._tokenizer import fold, is_mark

_BLOCK: Final = 2048


class FoldedText:
    """A text with its folded form, and the way back from a place in that to one in the text."""

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
        found = pattern.search(self._folded)
        while found is not None:
            start, end = self._original(found.start()), self._original(found.end() - 1)
            yield start, _cluster_end(self._text, end)
            found = pattern.search(self._folded, found.start() + 1)

    def _original(self, place: int) -> int:
        """The character of the text whose folding stands at a place of the folded text."""
        if self._same:
            return place
        number = bisect_right(self._starts, place) - 1
        start, folded = self._blocks[number]
        rest = place - self._starts[number]
        end = start + _BLOCK * 2
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
    """The end of a character with the marks on it, or of a syllable."""
    at += 1
    while at < len(text) and is_mark(text[at]):
        at += 1
    return at
