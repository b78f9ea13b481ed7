"""Blocks of a streamed answer of 1.12, and the events by which a reader follows their changes.

A block is parsed like a stored one. The additions to the parts that were emitted become
deltas; only a change that takes something back replaces all parts. The work for a line is in
proportion to the line. No line is parsed here.
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
"""Longest path of a patch, in steps; the service needs two."""
_OPERATIONS: Final = frozenset({"add", "remove", "replace", "move", "test"})
"""Operations of a patch; ``copy`` is refused, as it could double a block with a few bytes."""


@dataclass(slots=True)
class _Block:
    """One block, and what was emitted of it.

    Attributes:
        place: Index of the block.
        value: JSON of the block as the service has it now.
        parts: Parts of the block now.
        shown: Parts that the events so far add up to.
        cited: Cited sources of the block now.
        reported: Number of times that events have reported each source.
    """

    place: int
    value: JSON
    parts: list[Part] = field(default_factory=list)
    shown: list[Part] = field(default_factory=list)
    cited: list[Source] = field(default_factory=list)
    reported: Counter[Hashable] = field(default_factory=Counter)


class BlockTracker:
    """The blocks of one answer; returns the events that report their parts and sources."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._by_id: dict[str, _Block] = {}
        self._last = 0
        self._growing: type | None = None

    def put(self, value: JSON) -> Iterator[ReplyEvent]:
        """Add a block, or replace it, and yield the events."""
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
        """Apply a JSON patch to a block and yield the events.

        Raises:
            ProtocolError: There is no such block, or the patch does not fit.
        """
        block = self._by_id.get(block_id) if isinstance(block_id, str) else None
        if block is None:
            raise ProtocolError("the stream changes a block that it never sent")
        block.value = _patched(block.value, patch)
        yield from self._show(block)

    def settle(self) -> Iterator[ReplyEvent]:
        """Yield the events that are still missing at the end, so that the parts are the blocks'."""
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
        blocks = Blocks(cited)
        blocks.read(block.value, "block")
        block.parts = blocks.parts
        block.cited = blocks.cited[len(cited) :]
        sources = _new_sources(block.reported, [*block.cited, *blocks.researched])
        if sources:
            yield SourcesFound.model_construct(sources=tuple(sources))
        yield from self._show_parts(block, [part for part in map(_complete, blocks.parts) if part])

    def _cited_before(self, block: _Block) -> list[Source]:
        """Return the cited sources of earlier blocks, which the marks count, too."""
        if not isinstance(block.value, dict) or block.value.get("type") != "source":
            return []
        return [source for earlier in self._blocks[: block.place] for source in earlier.cited]

    def _show_parts(self, block: _Block, parts: list[Part]) -> Iterator[ReplyEvent]:
        shown = block.shown
        if _is_beginning(parts, shown):  # known: from a reconnect, or the last update
            return
        block.shown = parts
        # Deltas can only extend the last part: any other change replaces all of them.
        if block.place < self._last or not _is_beginning(shown, parts):
            yield self._replaced()
            return
        self._last = block.place
        if shown and (more := _text_of(parts[len(shown) - 1])[len(_text_of(shown[-1])) :]):
            # Another part followed meanwhile: a delta would extend that one.
            if type(shown[-1]) is not self._growing:
                yield self._replaced()
                return
            yield _delta(type(shown[-1]), more)
        for part in parts[len(shown) :]:
            yield self._added(part)

    def _added(self, part: Part) -> ReplyEvent:
        """Return the event for a new last part; a delta of the same kind would extend the old."""
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


def _complete(part: Part) -> Part | None:
    """Return the part without half a character at its end; None if nothing is left."""
    if not isinstance(part, TextPart | ReasoningPart):
        return part
    if "\ud800" <= part.text[-1:] <= "\udbff":
        part = type(part).model_construct(text=part.text[:-1])
    return part if part.text else None


def _is_beginning(some: Sequence[Part], parts: Sequence[Part]) -> bool:
    """Return whether parts are the first of others; the last one may have less text."""
    if not some:
        return True
    if len(some) > len(parts) or some[:-1] != parts[: len(some) - 1]:
        return False
    last, other = some[-1], parts[len(some) - 1]
    if type(last) is type(other) and type(last) in _DELTAS:
        return _text_of(other).startswith(_text_of(last))
    return last == other


def _new_sources(reported: Counter[Hashable], sources: Sequence[Source]) -> list[Source]:
    """Return the sources that were not reported yet, wherever they are, and count them."""
    new: list[Source] = []
    present: Counter[Hashable] = Counter()
    for source in sources:
        key = (source.mark, source.url, source.title, source.content)
        present[key] += 1
        if present[key] > reported[key]:
            reported[key] += 1
            new.append(source)
    return new


def _patched(value: JSON, patch: JSON) -> JSON:
    """Apply a patch to a copy, so that values in earlier events stay unchanged.

    Raises:
        ProtocolError: It is not a patch, or does not fit.
    """
    try:
        for step in patch:
            if step["op"] not in _OPERATIONS:
                raise JsonPatchException("unsupported operation")
            # Events refer to parts of the old value: what the patch changes is copied first.
            for path in (step["path"], step.get("from", "")):
                value = _unshared(value, path)
            value = JsonPatch([step]).apply(value, in_place=True)
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
    """Copy the containers along a path, so that a change there affects no other value."""
    steps = JsonPointer(path).parts[:-1]
    if len(steps) > _DEEPEST:
        raise ValueError("the path is too long")
    copy = inner = value.copy()
    for step in steps:
        key = int(step) if isinstance(inner, list) else step
        inner[key] = inner[key].copy()
        inner = inner[key]
    return copy
