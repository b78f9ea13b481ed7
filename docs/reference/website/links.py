"""The check of a built site: links and anchors lead somewhere, nothing is loaded from afar."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

_LOADING: Final = {"img": "src", "script": "src", "source": "srcset", "iframe": "src"}


class Page(HTMLParser):
    """The links and the anchors of a page of HTML.

    Attributes:
        anchors: The ids of its elements.
        links: Where its links lead.
        loads: What a browser loads with it.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element links, loads, and is called."""
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag == "link" and "href" in values:
            self.loads.append(values["href"])
        elif values.get(_LOADING.get(tag, "")):
            self.loads.append(values[_LOADING[tag]])


def check_site(folder: Path) -> tuple[list[str], set[str]]:
    """Return the faults of a built site, and the links that lead out of it."""
    pages = {
        file: Page(file.read_text(encoding="utf-8")) for file in sorted(folder.rglob("*.html"))
    }
    faults: list[str] = []
    external: set[str] = set()
    for file, page in pages.items():
        name = file.relative_to(folder).as_posix()
        for target in page.loads:
            if _is_external(target):
                faults.append(f"{name} loads {target}")
            elif not _leads_somewhere(target, file, pages):
                faults.append(f"{name} loads {target}, which does not exist")
        for target in page.links:
            if _is_external(target):
                external.add(target)
            elif not _leads_somewhere(target, file, pages):
                faults.append(f"{name} links {target}, which does not exist")
    return faults, external


def _is_external(target: str) -> bool:
    return bool(urlsplit(target).netloc) or target.startswith("mailto:")


def _leads_somewhere(target: str, file: Path, pages: dict[Path, Page]) -> bool:
    address = urlsplit(target)
    if address.scheme == "data":
        return True
    linked = (file.parent / unquote(address.path)).resolve() if address.path else file
    if linked.is_dir():
        linked /= "index.html"
    if not address.fragment or linked not in pages:
        return linked.is_file()
    return unquote(address.fragment) in pages[linked].anchors
