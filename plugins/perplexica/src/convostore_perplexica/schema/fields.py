"""Ids, lists and sources, parsed tolerantly for all formats.

A reader returns the value or nothing, and reports as a `Problem` what it could not parse. No row as
a whole is parsed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from convostore.errors import ProtocolError
from convostore.models import JSON, Problem, Source, SourceKind
from convostore.parsing import Row, decode_json

_TIMES_ENCODED: Final = 5
"""Most levels of JSON encoded in JSON: three were seen, more would be an attack."""


class Ids:
    """Unique ids for the messages of a chat."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, preferred: str | None, row: Row | None = None) -> str:
        """Return the preferred id, else one of the row's number; a repeated id gets ``~2``, …."""
        if preferred is None:
            number = row.get("id") if row else None
            preferred = f"row-{number}" if isinstance(number, int) else f"#{len(self._taken)}"
        unique, repeat = preferred, 1
        while unique in self._taken:
            repeat += 1
            unique = f"{preferred}~{repeat}"
        self._taken.add(unique)
        return unique


def cited_sources(
    value: JSON, where: str, problems: list[Problem], before: Sequence[Source] = ()
) -> list[Source]:
    """Parse cited sources, whose marks are their places: a text cites the first as ``[1]``."""
    first = len(before) + 1
    return [
        _source(item, "cited", str(first + place), where, place, problems)
        for place, item in enumerate(items_of(value, where, problems))
    ]


def researched_sources(value: JSON, where: str, problems: list[Problem]) -> list[Source]:
    return [
        _source(item, "researched", None, where, place, problems)
        for place, item in enumerate(items_of(value, where, problems))
    ]


def _source(
    item: JSON, kind: SourceKind, mark: str | None, where: str, place: int, problems: list[Problem]
) -> Source:
    """Parse a source; an invalid one keeps its place, because the text counts it."""
    title = url = content = None
    if isinstance(item, dict):
        content = item.get("content")
        if content is None:
            content = item.get("pageContent")
        metadata = item.get("metadata")
        if isinstance(metadata, dict):
            title, url = metadata.get("title"), metadata.get("url")
        elif metadata is not None:
            problems.append(Problem(where=f"{where}[{place}].metadata", what="is not an object"))
    elif isinstance(item, str):
        url, title = (item, None) if "://" in item else (None, item)
    else:
        problems.append(Problem(where=f"{where}[{place}]", what="is not a source"))
    if title is not None and not isinstance(title, str):
        problems.append(Problem(where=f"{where}[{place}].metadata.title", what="is not text"))
        title = None
    if url is not None and not isinstance(url, str):
        problems.append(Problem(where=f"{where}[{place}].metadata.url", what="is not text"))
        url = None
    if content is not None and not isinstance(content, str):
        problems.append(Problem(where=f"{where}[{place}].content", what="is not text"))
        content = None
    return Source.model_construct(
        title=title, url=url, content=content, score=None, kind=kind, mark=mark, raw=item
    )


def items_of(value: JSON, where: str, problems: list[Problem]) -> Sequence[JSON]:
    """Return a list's items; text is decoded as JSON, a lone object counts as a list of one."""
    if value is None or isinstance(value, list):
        return value or ()
    value = decoded(value, where, problems)
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and value:
        return (value,)
    if value:
        problems.append(Problem(where=where, what="is not a list"))
    return ()


def decoded(value: JSON, where: str, problems: list[Problem]) -> JSON:
    """Decode JSON text until it is no longer text; an empty text is None."""
    for _ in range(_TIMES_ENCODED):
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            value = decode_json(value)
        except ProtocolError:
            problems.append(Problem(where=where, what="is not JSON"))
            return None
    problems.append(Problem(where=where, what="is text within text within text"))
    return None


def id_of(row: Row, name: str, problems: list[Problem]) -> str | None:
    value = row.get(name)
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    problems.append(Problem(where=name, what="is missing"))
    return None
