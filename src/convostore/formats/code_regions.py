"""Where a Markdown text holds code: what stands there is no mark, no link and no HTML.

Fences at the beginning of a line and runs of backticks are known; code by indentation is not, as
it depends on what stands around it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

Region: TypeAlias = tuple[int, int]

_FENCE: Final = re.compile(r"^ {0,3}(?P<sign>`{3,}|~{3,})(?P<rest>[^\r\n]*)", re.MULTILINE)
_TICKS: Final = re.compile("`+")


@dataclass(frozen=True, slots=True)
class Code:
    """The code of one text.

    Attributes:
        regions: In their order, from each beginning up to its end.
        open_fence: What would close the fence that is open at the text's end; empty when none is.
    """

    regions: Sequence[Region]
    open_fence: str

    def holds(self, start: int, end: int) -> bool:
        """Whether some of a stretch of the text is code."""
        place = bisect_right(self.regions, start, key=lambda region: region[0])
        return any(
            begin < end and start < stop
            for begin, stop in self.regions[max(0, place - 1) : place + 1]
        )


def find_code(text: str) -> Code:
    """Finds the code of a text."""
    fences: list[Region] = []
    sign, start = "", 0
    for found in _FENCE.finditer(text.replace("\r\n", "\n\n").replace("\r", "\n")):
        if not sign:
            # Backticks behind backticks are no fence, but code within a line.
            is_code = found["sign"][0] == "`" and "`" in found["rest"]
            sign, start = ("" if is_code else found["sign"]), found.start()
        elif found["sign"].startswith(sign) and not found["rest"].strip():
            fences.append((start, found.end()))
            sign = ""
    if sign:
        fences.append((start, len(text)))
    return Code(sorted([*fences, *_spans(text, fences)]), sign)


def _spans(text: str, fences: Sequence[Region]) -> Iterator[Region]:
    """Code within lines: from a run of backticks to the next one as long in the paragraph."""
    start = 0
    for begin, end in [*fences, (len(text), len(text))]:
        yield from _spans_between(text, start, begin)
        start = end


def _spans_between(text: str, start: int, end: int) -> Iterator[Region]:
    runs = [found.span() for found in _TICKS.finditer(text, start, end)]
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
