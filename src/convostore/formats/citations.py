"""Citations as footnotes: which marks of a text lead to which source, and what number that has.

How a footnote is written is its format's own matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ..models import Citation, Message, TextPart

__all__ = ["Citing", "Mark", "Span"]


@dataclass(frozen=True, slots=True)
class Mark:
    """One number within a mark of the text; `note` is None where it leads to no source."""

    text: str
    note: int | None


@dataclass(frozen=True, slots=True)
class Span:
    """A mark in one text part, with all that it names: ``[1, 2]`` names two."""

    start: int
    end: int
    marks: tuple[Mark, ...]


class Citing:
    """The footnotes of one message, numbered on from `first`, in the order of the sources.

    Attributes:
        noted: The sources that the text cites, with their numbers.
        rest: The sources without a mark in the text.
    """

    def __init__(self, message: Message, first: int) -> None:
        citations = list(message.citations())
        cited = {id(each.source) for each in citations if each.source is not None}
        noted = [source for source in message.sources if id(source) in cited]
        self._numbers = {id(source): first + place for place, source in enumerate(noted)}
        self.noted = [(self._numbers[id(source)], source) for source in noted]
        self.rest = [source for source in message.sources if id(source) not in cited]
        self._spans = [self._span(list(group)) for _, group in groupby(citations, _place)]

    def _span(self, citations: Sequence[Citation]) -> Span:
        marks = tuple(
            Mark(each.mark, None if each.source is None else self._numbers[id(each.source)])
            for each in citations
        )
        return Span(citations[0].start, citations[0].end, marks)

    def texts(self, message: Message) -> Iterator[list[Span]]:
        """Yields for each text part, in order, its marks that lead to a source."""
        start = place = 0
        for part in message.parts:
            if isinstance(part, TextPart):
                end = start + len(part.text)
                own: list[Span] = []
                while place < len(self._spans) and self._spans[place].start < end:
                    span = self._spans[place]
                    if span.end <= end and _leads_somewhere(span):
                        own.append(Span(span.start - start, span.end - start, span.marks))
                    place += 1
                yield own
                start = end + 1


def _place(citation: Citation) -> tuple[int, int]:
    return citation.start, citation.end


def _leads_somewhere(span: Span) -> bool:
    return any(mark.note is not None for mark in span.marks)
