"""The blocks of a Markdown text that is still growing: which stand, and how the last one ends."""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

from markdown_it import MarkdownIt


class _Block(NamedTuple):
    """A top-level block of Markdown.

    Attributes:
        start: Its first line.
        head: How many of its lines say what the others are: a fence's first, a table's first two.
    """

    start: int
    head: int


_HEADS: Final = {"fence": 1, "table_open": 2}


def _blocks(text: str) -> list[_Block]:
    """The top-level blocks of a Markdown text."""
    return [
        _Block(token.map[0], _HEADS.get(token.type, 0))
        for token in _parser().parse(text)
        if token.level == 0 and token.map is not None
    ]


@cache
def _parser() -> MarkdownIt:
    """The parser that rich reads Markdown with."""
    return MarkdownIt().enable("strikethrough").enable("table")


def settled_markdown(text: str) -> int:
    """How much of a Markdown text stands, however it goes on: all whole blocks but the last.

    A line that has not ended decides nothing yet: it may become part of the block above.
    """
    blocks = _blocks(text[: text.rfind("\n") + 1])
    return _offset(text, blocks[-1].start) if len(blocks) > 1 else 0


def end_of_markdown(text: str, lines: int) -> str:
    """The last lines of a Markdown text that has not settled, so that they still read as its block.

    Args:
        text: One block, and perhaps the beginning of another.
        lines: How many are wanted; with a table's or a fence's own first lines there are more.
    """
    found = text.split("\n")
    if len(found) <= lines:
        return text
    blocks = _blocks("\n".join(found[:2]) + "\n")
    head = blocks[0].head if blocks else 0
    return "\n".join([*found[:head], *found[max(head, len(found) - lines) :]])


def _offset(text: str, line: int) -> int:
    """Where a line begins."""
    position = 0
    for _ in range(line):
        position = text.index("\n", position) + 1
    return position
