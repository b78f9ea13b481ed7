"""Docstrings in Google's style as Markdown."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Final

from .markdown import code_spans

_SECTION: Final = re.compile(
    r"^(Args|Returns|Yields|Raises|Attributes|Examples?):\n((?:(?: {4}.*)?(?:\n|\Z))+)",
    re.MULTILINE,
)
_TITLES: Final = {"Args": "Arguments", "Example": "Example", "Examples": "Examples"}
_ITEM: Final = re.compile(r"^(\*{0,2}[\w.]+(?:, \*{0,2}[\w.]+)*): ")


def sections_of(docstring: str | None) -> tuple[str, dict[str, str]]:
    """Return a docstring's text and its sections, by their titles."""
    text = inspect.cleandoc(docstring or "")
    sections = {
        found[1]: textwrap.dedent(found[2]).strip("\n") for found in _SECTION.finditer(text)
    }
    return re.sub(r"\n{3,}", "\n\n", _SECTION.sub("", text)).strip(), sections


def render(docstring: str | None, link: Callable[[str], str]) -> str:
    """Return a docstring as Markdown.

    Args:
        docstring: As it is in the source.
        link: Called with the prose, and returns it with links.
    """
    text, sections = sections_of(docstring)
    parts = [code_spans(link(text))] if text else []
    for title, body in sections.items():
        if title == "Attributes":
            continue  # in the table of the class
        heading = f"**{_TITLES.get(title, title)}**"
        if title.startswith("Example"):
            parts.append(f"{heading}\n\n{_example(body)}")
        elif title in ("Args", "Raises"):
            items = "\n".join(_item(item, link) for item in _items(body))
            parts.append(f"{heading}\n\n{items}")
        else:
            parts.append(f"{heading}\n\n{code_spans(link(body))}")
    return "\n\n".join(parts) + "\n" if parts else ""


def _items(body: str) -> Iterator[str]:
    """Yield the items of a section; an indented line continues the one before."""
    yield from (" ".join(item.split()) for item in re.split(r"\n(?! |$)", body))


def _item(item: str, link: Callable[[str], str]) -> str:
    found = _ITEM.match(item)
    assert found, f"no item of a section: {item!r}"
    names = link(", ".join(f"`{name}`" for name in found[1].split(", ")))
    return f"* {names}: {code_spans(link(item[found.end() :]))}"


def _example(body: str) -> str:
    return body if body.startswith("```") else f"```python\n{body}\n```"
