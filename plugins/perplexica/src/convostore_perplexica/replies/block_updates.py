"""The blocks of an answer of 1.12 as they grow, and the events by which what is shown follows them.

A block is read as a stored one is. What its parts have more than is shown becomes deltas; only what
takes something back replaces all parts. The work for a line is in proportion to the line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from jsonpatch import JsonPatch, JsonPatchException
from jsonpointer import JsonPointer, JsonPointerException

from convostore.errors import ProtocolError
from convostore.models import (
    JSON,
    Part,
    PartAdded,
    PartsReplaced,
    ReasoningDelta,
    ReasoningPart,
    ReplyEvent,
    Source,
    SourcesFound,
    StatusChanged,
    TextDelta,
    TextPart,
)

from ..schema.turn_rows import Blocks

_DEEPEST: Final = 16
"""Steps of a patch's path; the service needs two."""
_OPERATIONS: Final = frozenset({"add", "remove", "replace", "move", "test"})
"""What a patch may do: to copy could double a block with every few bytes."""


@dataclass(slots=True)
class _Block:
    """One block, and what is shown of it.

    Attributes:
        value: As the service has it now.
        parts: What it says now.
        shown: The parts that the events so far have told.
        cited: The cited sources in it.
        told: How often the events so far have told each source.
    """

    place: int
    value: JSON
    parts: list[Part] = field(default_factory=list)
    shown: list[Part] = field(default_factory=list)
    cited: list[Source] = field(default_factory=list)
    told: Counter[Hashable] = field(default_factory=Counter)


class BlockTracker:
    """The blocks of one answer; its events tell of their parts and sources."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._by_id: dict[str, _Block] = {}
        self._last = 0
        self._growing: type | None = None

    def put(self, value: JSON) -> Iterator[ReplyEvent]:
        """Takes a block that is new, or comes anew."""
        block_id = value.get("id") if isinstance(value, dict) else None
        known = self._by_id.get(block_id) if isinstance(block_id, str) else None
        if known is None:
            known = _Block(len(self._blocks), value)
            self._blocks.append(known)
            if isinstance(block_id, str):
                self._by_id[block_id] = known
            if isinstance(value, dict) and value.get("type") == "research":
                yield StatusChanged.model_construct(name="research", status="running")
        known.value = value
        yield from self._show(known)

    def patch(self, block_id: JSON, patch: JSON) -> Iterator[ReplyEvent]:
        """Takes a change of a block.

        Raises:
            ProtocolError: There is no such block, or it cannot be changed so.
        """
        block = self._by_id.get(block_id) if isinstance(block_id, str) else None
        if block is None:
            raise ProtocolError("the stream changes a block that it never brought")
        block.value = _patched(block.value, patch)
        yield from self._show(block)

    def settle(self) -> Iterator[ReplyEvent]:
        """What is still to be told when no more comes: the parts are then those of the blocks."""
        final = [part for block in self._blocks for part in block.parts]
        shown = [part for block in self._blocks for part in block.shown]
        for block in self._blocks:
            block.shown = block.parts
        if final[: len(shown)] == shown:
            for part in final[len(shown) :]:
                yield self._added(part)
        else:
            yield self._replaced()

    def _show(self, block: _Block) -> Iterator[ReplyEvent]:
        cited = self._cited_before(block)
        read = Blocks(cited)
        read.read(block.value, "block")
        block.parts = read.parts
        block.cited = read.cited[len(cited) :]
        news = _new_sources(block.told, [*block.cited, *read.researched])
        if news:
            yield SourcesFound.model_construct(sources=tuple(news))
        yield from self._show_parts(block, [part for part in map(_sayable, read.parts) if part])

    def _cited_before(self, block: _Block) -> list[Source]:
        """The sources that stand before those of a block, which the marks count as well."""
        if not isinstance(block.value, dict) or block.value.get("type") != "source":
            return []
        return [source for each in self._blocks[: block.place] for source in each.cited]

    def _show_parts(self, block: _Block, parts: list[Part]) -> Iterator[ReplyEvent]:
        shown = block.shown
        if _is_beginning(parts, shown):  # told before: of a reconnect, or of the last update
            return
        block.shown = parts
        if block.place < self._last or not _is_beginning(shown, parts):
            yield self._replaced()
            return
        self._last = block.place
        if shown and (more := _text_of(parts[len(shown) - 1])[len(_text_of(shown[-1])) :]):
            if type(shown[-1]) is not self._growing:
                yield self._replaced()
                return
            yield _delta(type(shown[-1]), more)
        for part in parts[len(shown) :]:
            yield self._added(part)

    def _added(self, part: Part) -> ReplyEvent:
        """Tells of a part behind all others; a delta of the last one's kind would lengthen that."""
        kind = type(part)
        if kind in _DELTAS and kind is not self._growing and _text_of(part):
            self._growing = kind
            return _delta(kind, _text_of(part))
        self._growing = None
        return PartAdded.model_construct(part=part)

    def _replaced(self) -> ReplyEvent:
        parts = tuple([part for block in self._blocks for part in block.shown])
        self._last = max([block.place for block in self._blocks if block.shown], default=0)
        self._growing = type(parts[-1]) if parts else None
        return PartsReplaced.model_construct(parts=parts)


_DELTAS: Final[dict[type, type[TextDelta | ReasoningDelta]]] = {
    TextPart: TextDelta,
    ReasoningPart: ReasoningDelta,
}


def _delta(kind: type, text: str) -> ReplyEvent:
    return _DELTAS[kind](text=text)


def _text_of(part: Part) -> str:
    return part.text if isinstance(part, TextPart | ReasoningPart) else ""


def _sayable(part: Part) -> Part | None:
    """A part as it can be told: without half a character at its end; None when nothing is left."""
    if not isinstance(part, TextPart | ReasoningPart):
        return part
    if "\ud800" <= part.text[-1:] <= "\udbff":
        part = type(part).model_construct(text=part.text[:-1])
    return part if part.text else None


def _is_beginning(some: Sequence[Part], parts: Sequence[Part]) -> bool:
    """Whether parts are the first of others, the last of them perhaps with less text."""
    if not some:
        return True
    if len(some) > len(parts) or some[:-1] != parts[: len(some) - 1]:
        return False
    last, other = some[-1], parts[len(some) - 1]
    if type(last) is type(other) and type(last) in _DELTAS:
        return _text_of(other).startswith(_text_of(last))
    return last == other


def _new_sources(told: Counter[Hashable], sources: Sequence[Source]) -> list[Source]:
    """The sources that were not told, wherever more of them came to stand; notes them."""
    news: list[Source] = []
    found: Counter[Hashable] = Counter()
    for source in sources:
        known_by = (source.mark, source.url, source.title, source.content)
        found[known_by] += 1
        if found[known_by] > told[known_by]:
            told[known_by] += 1
            news.append(source)
    return news


def _patched(value: JSON, patch: JSON) -> JSON:
    """Applies a patch; what events were made of stays as it was.

    Raises:
        ProtocolError: It is none, or does not fit.
    """
    try:
        for each in patch:
            if each["op"] not in _OPERATIONS:
                raise JsonPatchException("no operation that is carried out")
            for path in (each["path"], each.get("from", "")):
                value = _unshared(value, path)
            value = JsonPatch([each]).apply(value, in_place=True)
    except (
        JsonPatchException,
        JsonPointerException,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
    ) as error:
        raise ProtocolError(
            f"the stream has a patch that cannot be applied ({type(error).__name__})"
        ) from None
    return value


def _unshared(value: JSON, path: str) -> JSON:
    """A value whose containers along a path are its own: to change it there changes no other."""
    steps = JsonPointer(path).parts[:-1]
    if len(steps) > _DEEPEST:
        raise ValueError("the path is too long")
    own = inner = value.copy()
    for step in steps:
        key = int(step) if isinstance(inner, list) else step
        inner[key] = inner[key].copy()
        inner = inner[key]
    return own
