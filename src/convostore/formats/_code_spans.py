"""The code regions of a Markdown text, in which marks, links and HTML are only text.

Fences, also those in items of lists, and runs of backticks are found; indented code is not, as it
depends on its surroundings, nor are the fences of a quotation, which end with it. Nothing is
changed here.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

Region: TypeAlias = tuple[int, int]

_FENCE: Final = re.compile(r" {0,3}(?P<marker>`{3,}|~{3,})(?P<rest>.*)")
_ITEM: Final = re.compile(r" {0,3}(?:[-+*]|\d{1,9}[.)])(?: {1,4}(?! )| )")
_TICKS: Final = re.compile("`+")


@dataclass(frozen=True, slots=True)
class Code:
    """The code regions of one text.

    Attributes:
        regions: Start and end of each, in order.
        open_fence: The line that closes the fence that is open at the text's end; empty if none is,
            or if the next line that is not indented ends it.
    """

    regions: Sequence[Region]
    open_fence: str

    def holds(self, start: int, end: int) -> bool:
        """Return whether any character from `start` to `end` is code."""
        place = bisect_right(self.regions, start, key=lambda region: region[0])
        return any(
            begin < end and start < stop
            for begin, stop in self.regions[max(0, place - 1) : place + 1]
        )


def find_code(text: str) -> Code:
    """Find the code regions of a text."""
    fences, open_fence = _fences(text)
    return Code(sorted([*fences, *_spans(text, fences)]), open_fence)


def _fences(text: str) -> tuple[list[Region], str]:
    """Return the regions of fences, and the line that closes the last one."""
    if "```" not in text and "~~~" not in text:
        return [], ""
    lines = _Lines()
    start = 0
    for line in text.replace("\r\n", "\n\n").replace("\r", "\n").split("\n"):
        if line and not line.isspace():
            lines.feed(line.expandtabs(4), start, start + len(line))
        start += len(line) + 1
    open_fence = lines.indent + lines.marker if lines.marker and not lines.within else ""
    if lines.marker:
        lines.close(len(text))
    return lines.fences, open_fence


@dataclass
class _Lines:
    """A parser that finds fences line by line.

    Attributes:
        items: The indentations of the list items around the line.
        marker: The backticks or tildes that opened the fence around the line; empty outside of one.
        within: The indentation of the list item around that fence.
        indent: The white space before the fence.
    """

    fences: list[Region] = field(default_factory=list)
    items: list[int] = field(default_factory=list)
    marker: str = ""
    within: int = 0
    indent: str = ""
    _start: int = 0

    def feed(self, line: str, start: int, end: int) -> None:
        """Feed a line that is not blank, with its start and end in the text."""
        self._leave_items(len(line) - len(line.lstrip(" ")))
        if self.marker and self._within < self.within:
            self.close(start)
        if not self.marker:
            self._open(self._enter_items(line), start)
        elif self._is_closed_by(line[self.within :]):
            self.close(end)

    def close(self, end: int) -> None:
        """End the fence."""
        self.fences.append((self._start, end))
        self.marker = ""

    @property
    def _within(self) -> int:
        return self.items[-1] if self.items else 0

    def _leave_items(self, indented: int) -> None:
        while indented < self._within:
            self.items.pop()

    def _enter_items(self, line: str) -> str:
        """Return the rest of the line after the markers of items that begin on it."""
        place = self._within
        while item := _ITEM.match(line[place:]):
            place += item.end()
            self.items.append(place)
        return line[place:]

    def _open(self, line: str, start: int) -> None:
        fence = _FENCE.match(line)
        # Backticks followed by others on the line are a code span, not a fence.
        if fence and not (fence["marker"][0] == "`" and "`" in fence["rest"]):
            self.marker, self.within, self._start = fence["marker"], self._within, start
            self.indent = line[: fence.start("marker")]

    def _is_closed_by(self, line: str) -> bool:
        fence = _FENCE.match(line)
        return bool(fence and fence["marker"].startswith(self.marker) and not fence["rest"].strip())


def _spans(text: str, fences: Sequence[Region]) -> Iterator[Region]:
    """Yield code spans: from a run of backticks to the next of the same length in the paragraph."""
    start = 0
    for begin, end in [*fences, (len(text), len(text))]:
        yield from _spans_between(text, start, begin)
        start = end


def _spans_between(text: str, start: int, end: int) -> Iterator[Region]:
    runs = [run.span() for run in _TICKS.finditer(text, start, end)]
    by_length: dict[int, list[int]] = defaultdict(list)
    for begin, stop in runs:
        by_length[stop - begin].append(begin)
    last = start
    for begin, stop in runs:
        if begin < last:
            continue
        same = by_length[stop - begin]
        place = bisect_right(same, begin)
        if place < len(same) and text.find("\n\n", begin, same[place]) < 0:
            last = same[place] + stop - begin
            yield begin, last
