"""Citations as footnotes: the number of the source that each mark of a text cites.

How a footnote is written belongs to the formats.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ..models import Citation, Message, Source, TextPart

__all__ = ["Citing", "Mark", "Span"]


@dataclass(frozen=True, slots=True)
class Mark:
    """One number within a mark of the text; `note` is None if it cites no source."""

    text: str
    note: int | None


@dataclass(frozen=True, slots=True)
class Span:
    """A mark in one text part, with each of its numbers: ``[1, 2]`` has two."""

    start: int
    end: int
    marks: tuple[Mark, ...]


class Citing:
    """The footnotes of one message, numbered from `first` in the order of the sources.

    Attributes:
        noted: The sources that the text cites, each with its number.
        rest: The sources without a mark in the text.
    """

    def __init__(self, message: Message, first: int) -> None:
        citations = list(message.citations())
        cited = {id(citation.source) for citation in citations if citation.source is not None}
        noted = [source for source in message.sources if id(source) in cited]
        self._numbers = {id(source): first + place for place, source in enumerate(noted)}
        self.noted = [(self._numbers[id(source)], source) for source in noted]
        self.rest = [source for source in message.sources if id(source) not in cited]
        self._spans = [self._span(list(group)) for _, group in groupby(citations, _place)]

    def _span(self, citations: Sequence[Citation]) -> Span:
        marks = tuple(Mark(citation.mark, self._number(citation.source)) for citation in citations)
        return Span(citations[0].start, citations[0].end, marks)

    def _number(self, source: Source | None) -> int | None:
        return None if source is None else self._numbers[id(source)]

    def texts(self, message: Message) -> Iterator[list[Span]]:
        """Yield for each text part, in order, its marks that cite a source."""
        start = place = 0
        for part in message.parts:
            if isinstance(part, TextPart):
                end = start + len(part.text)
                spans: list[Span] = []
                while place < len(self._spans) and self._spans[place].start < end:
                    span = self._spans[place]
                    if span.end <= end and _cites_a_source(span):
                        spans.append(Span(span.start - start, span.end - start, span.marks))
                    place += 1
                yield spans
                start = end + 1


def _place(citation: Citation) -> tuple[int, int]:
    return citation.start, citation.end


def _cites_a_source(span: Span) -> bool:
    return any(mark.note is not None for mark in span.marks)
