"""The sources of a ChatGPT message, and its marks, rewritten as ``[1]`` so that they cite them.

The export marks a citation by characters of the private-use area or by ``【12†L1-L9】``, which only
ChatGPT can show; the original texts are in the message's `raw`. No part is parsed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from ...models import JSON, Source
from ...parsing import Row, non_empty_text

_OPENINGS: Final = ("\ue200", "【")


class Sources:
    """The sources of a message; one that several marks name is one source.

    Attributes:
        found: The sources, first those that the text cites, each with its new mark.
    """

    def __init__(self, metadata: Row, content: Row) -> None:
        self._known: dict[tuple[str | None, str | None], int] = {}
        self._sources: list[Source] = []
        self._marks: dict[str, list[int]] = {}
        self._text = _first_text(content)
        for reference in _objects(metadata.get("content_references")):
            self._add(non_empty_text(reference, "matched_text"), _sources_of_reference(reference))
        for citation in _objects(metadata.get("citations")):
            self._add(self._cited_text(citation), _sources_of_citation(citation))
        if non_empty_text(content, "content_type") == "tether_quote":
            self._add(None, [_source(content, content="text", kind="quote")])

    @property
    def found(self) -> tuple[Source, ...]:
        cited_places = {place for places in self._marks.values() for place in places}
        placed = list(enumerate(self._sources, 1))
        cited = [
            replace(source, mark=str(place)) for place, source in placed if place in cited_places
        ]
        return (*cited, *(source for place, source in placed if place not in cited_places))

    def number_marks(self, text: str) -> str:
        """Replace each mark of a text by the numbers of its sources."""
        for mark in sorted(self._marks, key=len, reverse=True):
            text = text.replace(mark, f"[{', '.join(map(str, self._marks[mark]))}]")
        return text

    def _add(self, mark: str | None, sources: list[Source]) -> None:
        places = [self._place(source) for source in sources if source.title or source.url]
        if places and mark and mark.startswith(_OPENINGS):
            self._marks.setdefault(mark, []).extend(
                place for place in places if place not in self._marks.get(mark, ())
            )

    def _place(self, source: Source) -> int:
        key = (source.url, None if source.url else source.title)
        if key not in self._known:
            self._sources.append(source)
            self._known[key] = len(self._sources)
        return self._known[key]

    def _cited_text(self, citation: Row) -> str | None:
        start, end = citation.get("start_ix"), citation.get("end_ix")
        if not isinstance(start, int) or not isinstance(end, int):
            return None
        return self._text[start:end] if 0 <= start < end <= len(self._text) else None


def _first_text(content: Row) -> str:
    parts = content.get("parts")
    texts = [part for part in parts if isinstance(part, str)] if isinstance(parts, list) else []
    return texts[0] if texts else ""


def _objects(value: JSON) -> Iterator[Row]:
    items = value if isinstance(value, list) else ()
    yield from (item for item in items if isinstance(item, dict))


def _sources_of_reference(reference: Row) -> list[Source]:
    """Return the pages or files that a reference names, supporting ones included."""
    rows = [*_objects(reference.get("items")), *_objects(reference.get("sources"))]
    rows += [inner for row in rows for inner in _objects(row.get("supporting_websites"))]
    if not rows and non_empty_text(reference, "type") in {"webpage", "webpage_extended", "file"}:
        rows = [reference]
    return [_source(row, content="snippet") for row in rows]


def _sources_of_citation(citation: Row) -> list[Source]:
    metadata = citation.get("metadata")
    return [_source(metadata, content="text")] if isinstance(metadata, dict) else []


def _source(row: Row, *, content: str, **fields: Any) -> Source:
    title = non_empty_text(row, "title") or non_empty_text(row, "name")
    return Source(
        title=" ".join(title.split()) if title else None,
        url=non_empty_text(row, "url"),
        content=non_empty_text(row, content),
        **fields,
    )
