"""The sources of a ChatGPT message, and its marks, rewritten as ``[1]`` so that they lead there.

The export marks a citation by signs of the private-use area or by ``【12†L1-L9】``, which nobody
but ChatGPT shows; the texts as they were stay in the message's `raw`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from ...models import JSON, Source
from ...parsing import Row, non_empty_text

_OPENINGS: Final = ("\ue200", "【")


class Sources:
    """What a message draws on; one that several marks name is one source.

    Attributes:
        found: The sources, first those that the text cites, each with the mark it has got.
    """

    def __init__(self, metadata: Row, content: Row) -> None:
        self._known: dict[tuple[str | None, str | None], int] = {}
        self._sources: list[Source] = []
        self._marks: dict[str, list[int]] = {}
        self._text = _first_text(content)
        for reference in _objects(metadata.get("content_references")):
            self._add(non_empty_text(reference, "matched_text"), _referenced(reference))
        for citation in _objects(metadata.get("citations")):
            self._add(self._cited_text(citation), _cited(citation))
        if non_empty_text(content, "content_type") == "tether_quote":
            self._add(None, [_source(content, content="text", kind="quote")])

    @property
    def found(self) -> tuple[Source, ...]:
        marked = {place for places in self._marks.values() for place in places}
        placed = list(enumerate(self._sources, 1))
        cited = [replace(source, mark=str(place)) for place, source in placed if place in marked]
        return (*cited, *(source for place, source in placed if place not in marked))

    def marked(self, text: str) -> str:
        """The text with each mark written as the numbers of its sources."""
        for mark in sorted(self._marks, key=len, reverse=True):
            text = text.replace(mark, f"[{', '.join(map(str, self._marks[mark]))}]")
        return text

    def _add(self, mark: str | None, sources: list[Source]) -> None:
        places = [self._place(each) for each in sources if each.title or each.url]
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
    texts = [each for each in parts if isinstance(each, str)] if isinstance(parts, list) else []
    return texts[0] if texts else ""


def _objects(value: JSON) -> Iterator[Row]:
    yield from (each for each in value if isinstance(each, dict)) if isinstance(value, list) else ()


def _referenced(reference: Row) -> list[Source]:
    """The pages or files that a newer reference names, with those that say the same."""
    rows = [*_objects(reference.get("items")), *_objects(reference.get("sources"))]
    rows += [inner for row in rows for inner in _objects(row.get("supporting_websites"))]
    if not rows and non_empty_text(reference, "type") in {"webpage", "webpage_extended", "file"}:
        rows = [reference]
    return [_source(row, content="snippet") for row in rows]


def _cited(citation: Row) -> list[Source]:
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
