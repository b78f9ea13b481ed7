"""The index of the decisions, with what became of each."""

from __future__ import annotations

import re
from typing import Final

from .names import ROOT

FOLDER: Final = ROOT / "docs" / "decisions"
STATUS: Final = re.compile(
    r"Status: (?:in force|(?:in force; )?(?P<how>amended by|replaced by) (?P<links>\[.+\))|"
    r"withdrawn)\."
)
"""The line below the date: in force, amended or replaced by other decisions, or withdrawn."""


def decisions() -> str:
    """List the decisions by number; one that is not simply in force says so."""
    return "".join(
        _line(file.name, file.read_text(encoding="utf-8").splitlines())
        for file in sorted(FOLDER.glob("[0-9]*.md"))
    )


def _line(name: str, lines: list[str]) -> str:
    number, _, title = lines[0].removeprefix("# ").partition(" ")
    status = STATUS.fullmatch(lines[4]) if len(lines) > 4 else None
    if status is None:
        raise ValueError(f"docs/decisions/{name}: line 5 must be 'Status: in force.' or its like")
    line = f"[{number}]({name}) {title}"
    if status["how"] == "replaced by" or "withdrawn" in status[0]:
        line = f"[{number}]({name}) ~~{title}~~"
    note = status[0].removeprefix("Status: ").removeprefix("in force; ").removesuffix(".")
    return f"* {line}" + ("\n" if note == "in force" else f" ({note})\n")
