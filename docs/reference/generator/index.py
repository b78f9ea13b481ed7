"""The index of the documents, `docs/README.md`, as data, and `llms.txt`, made of it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .names import ROOT

DOCS: Final = ROOT / "docs"
LLMS: Final = DOCS / "llms.txt"
_HEADING: Final = re.compile(r"^(?:## (?P<heading>.+)|\*\*(?P<bold>[^*]+)\*\*)$")
_LINK: Final = re.compile(r"\[(?P<title>[^\]]+)\]\((?P<target>[^)\s]+)\)")
_PREAMBLE: Final = """\
The library reads, writes, searches and mirrors chat histories, and streams replies, sync or with
asyncio. Install it with the extras that you need: `pip install "convostore[sqlite]"`.

```python
import convostore
from convostore import Message

with convostore.open("sqlite:///history.db") as store:
    conversation = store.create_conversation(title="Moon")
    store.append_messages(conversation.id, [Message.user("How far is the moon?")])
```

All links lead to Markdown.
"""


@dataclass(frozen=True)
class Entry:
    """A page that the index links, with its file as linked and the description beside it."""

    title: str
    target: str
    told: str


def sections() -> dict[str, list[Entry]]:
    """Return the pages of each section of the index, in order; a line may link several."""
    found: dict[str, list[Entry]] = {}
    title = "Start here"
    for block in _blocks((DOCS / "README.md").read_text(encoding="utf-8")):
        if heading := _HEADING.match(block):
            title = heading["heading"] or heading["bold"]
        elif entries := list(_entries(block)):
            found.setdefault(title, []).extend(entries)
    return found


def _blocks(text: str) -> Iterator[str]:
    """Yield the headings and the items of lists, each on one line."""
    for block in re.split(r"\n(?=[*-] |#|\n)|\n\n", text):
        yield " ".join(block.split())


def _entries(block: str) -> Iterator[Entry]:
    links = [link for link in _LINK.finditer(block) if "://" not in link["target"]]
    ends = [link.start() for link in links[1:]]
    for link, end in zip(links, [*ends, len(block)], strict=False):
        told = re.sub(r"^[:,;.\s]+|(?:[,;\s]|\band\b)+$", "", block[link.end() : end])
        yield Entry(link["title"][0].upper() + link["title"][1:], link["target"], told)


def llms_txt() -> str:
    """Return the index in the form of llmstxt.org."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    parts = [f"# {project['name']}", f"> {project['description']}", _PREAMBLE.strip()]
    for title, entries in sections().items():
        lines = [
            f"- [{entry.title}]({entry.target})" + (f": {entry.told}" if entry.told else "")
            for entry in entries
        ]
        parts.append(f"## {title}\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"
