"""Blocks of a Markdown text that is still growing: which are final, and the end of the last one.

Nothing is drawn here.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

from markdown_it import MarkdownIt


class _Block(NamedTuple):
    """A top-level block of Markdown.

    Attributes:
        start: Its first line.
        head: The number of lines that give the others their meaning: 1 of a fence, 2 of a table.
    """

    start: int
    head: int


_HEADS: Final = {"fence": 1, "table_open": 2}


def _blocks(text: str) -> list[_Block]:
    """Return the top-level blocks of a Markdown text."""
    return [
        _Block(token.map[0], _HEADS.get(token.type, 0))
        for token in _parser().parse(text)
        if token.level == 0 and token.map is not None
    ]


@cache
def _parser() -> MarkdownIt:
    """Return a parser like the one that rich parses Markdown with."""
    return MarkdownIt().enable("strikethrough").enable("table")


def settled_markdown(text: str) -> int:
    """Return the length of the settled part of a Markdown text: all whole blocks but the last.

    A line that has not ended does not count: it may become part of the block above.
    """
    blocks = _blocks(text[: text.rfind("\n") + 1])
    return _offset(text, blocks[-1].start) if len(blocks) > 1 else 0


def end_of_markdown(text: str, lines: int) -> str:
    """Return the last lines of a Markdown text, such that they still parse as the same block.

    Args:
        text: One block, and perhaps the beginning of another.
        lines: Their number; the first lines of a table or a fence are added.
    """
    rows = text.split("\n")
    if len(rows) <= lines:
        return text
    blocks = _blocks("\n".join(rows[:2]) + "\n")
    head = blocks[0].head if blocks else 0
    return "\n".join([*rows[:head], *rows[max(head, len(rows) - lines) :]])


def _offset(text: str, line: int) -> int:
    """Return the position at which a line begins."""
    position = 0
    for _ in range(line):
        position = text.index("\n", position) + 1
    return position
