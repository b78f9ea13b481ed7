"""Markdown from docstrings: tables, summaries, attributes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    columns = list(head)
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join("| " + " | ".join(_cell(cell) for cell in line) + " |\n" for line in lines)


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\|", text)


def code_spans(text: str) -> str:
    """Return a text whose literals have one backtick on either side, as Markdown's have."""
    return re.sub(r"(?<!`)``(?!`)", "`", text)


def summary(documented: object) -> str:
    """A docstring without its sections, as Markdown."""
    told = inspect.getdoc(documented) or ""
    return code_spans(
        re.sub(r"\n\n(?:Attributes|Example):\n(?:(?: {4}.*)?\n?)+(?=\S|$)", "\n\n", told).strip()
    )


def attributes(documented: type, convert: Callable[[str], str] = code_spans) -> dict[str, str]:
    """Return the description of each attribute in the docstrings of a class and its bases."""
    told: dict[str, str] = {}
    for each in reversed(documented.__mro__):
        section = re.search(
            r"\nAttributes:\n(?P<lines>(?:    .*\n?|\n(?=    ))+)",
            inspect.cleandoc(each.__doc__ or ""),
        )
        for line in re.split(r"\n(?= {4}\w)", section["lines"].rstrip()) if section else ():
            name, _, meaning = line.strip().partition(": ")
            told[name] = convert(" ".join(meaning.split()))
    return told


def one_line(documented: object) -> str:
    """A docstring as one line, what is raised included."""
    told, _, raised = summary(documented).partition("\n\nRaises:\n")
    raising = re.sub(r"^ *(\w+):", r"Raises `\1`:", raised)
    return " ".join(f"{told} {raising}".split())


def first_sentence(docstring: str | None) -> str:
    return inspect.cleandoc(docstring or "").partition("\n\n")[0].replace("\n", " ")
