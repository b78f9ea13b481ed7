"""The pages of the site: the Markdown files of the repository under other names.

A page is copied with its links rewritten. A link to anything else, such as a source file, leads to
the repository.
"""

from __future__ import annotations

import os
import re
import shutil
import tomllib
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Final

from generator.index import LLMS, sections
from generator.names import ROOT

DOCS: Final = ROOT / "docs"
_CODE: Final = re.compile(r"(^ *```.*?^ *```$|`+[^`\n]*`+)", re.MULTILINE | re.DOTALL)
_TARGET: Final = re.compile(
    r"(?P<before>\]\(|<(?:img|a|source)\b[^>]*?(?:src|href|srcset)=\")(?P<target>[^)\s\"]+)"
)
_MEMBER: Final = re.compile(r"^##+ (?:\w+\.)?(?P<name>\w+)$", re.MULTILINE)
_IMAGES: Final = frozenset({".png", ".svg", ".jpg", ".gif", ".webp"})
_PARENTS: Final = frozenset({"reference/api/index", "decisions/index"})
"""Pages whose own table of contents has the pages beside them."""
_PROJECT: Final = {
    "README.md": "index",
    "CHANGELOG.md": "project/changelog",
    "CONTRIBUTING.md": "project/contributing",
}


def site_pages() -> dict[Path, str]:
    """Return the name that each page has on the site, by its file."""
    pages = {ROOT / file: name for file, name in _PROJECT.items()}
    pages |= {file: f"plugins/{file.parent.name}" for file in ROOT.glob("plugins/*/README.md")}
    for file in sorted(DOCS.rglob("*.md")):
        relative = file.relative_to(DOCS)
        if not any(part.startswith((".", "_")) for part in relative.parts):
            pages[file] = _name_in_docs(PurePosixPath(relative.as_posix()))
    return pages


def _name_in_docs(file: PurePosixPath) -> str:
    if file.stem != "README":
        return str(file.with_suffix(""))
    return str(file.parent / "index") if file.parent.name else "contents"


def copy_pages(folder: Path, *, directives: bool = True) -> None:
    """Write all pages into a folder, with the images that they show, and `llms.txt`.

    Args:
        folder: Where to write them.
        directives: Whether to add what only Sphinx reads: the table of contents, and names for the
            index of the search.
    """
    pages = site_pages()
    for file, name in pages.items():
        text = rewritten(file, pages, lambda image: _copy_image(image, folder))
        if directives:
            if name.startswith("reference/api/"):
                text = _MEMBER.sub(_indexed, text)
            text += "".join(f"\n{tree}" for tree in _trees(name, pages))
        _write(folder / f"{name}.md", text)
    _write(folder / "llms.txt", rewritten(LLMS, pages, lambda image: image.name))


def _indexed(heading: re.Match[str]) -> str:
    """Put a name into the search's index without its class: people search `append_messages`."""
    return f"```{{index}} ! {heading['name']}\n```\n\n{heading[0]}"


def rewritten(file: Path, pages: dict[Path, str], image: Callable[[Path], str]) -> str:
    """Return the text of a file with its links as the site has them.

    Args:
        file: The file, in the repository.
        pages: The pages of the site.
        image: Called with an image that is shown; returns its place on the site.
    """
    home = PurePosixPath(pages.get(file, file.name)).parent

    def replace(found: re.Match[str]) -> str:
        return found["before"] + _target(found["target"], file, home, pages, image)

    parts = _CODE.split(file.read_text(encoding="utf-8"))
    parts[::2] = [_TARGET.sub(replace, part) for part in parts[::2]]
    return "".join(parts)


def _target(
    target: str,
    file: Path,
    home: PurePosixPath,
    pages: dict[Path, str],
    image: Callable[[Path], str],
) -> str:
    path, sharp, anchor = target.partition("#")
    if "://" in target or target.startswith("mailto:") or not path:
        return target
    linked = (file.parent / path).resolve()
    if linked.is_dir() and linked / "README.md" in pages:
        linked /= "README.md"
    if linked in pages:
        return os.path.relpath(f"{pages[linked]}.md", home) + sharp + anchor
    if linked.suffix in _IMAGES and linked.is_file():
        return os.path.relpath(image(linked), home)
    if not linked.exists():
        raise FileNotFoundError(f"{file.relative_to(ROOT)} links {target}, which does not exist")
    kind = "tree" if linked.is_dir() else "blob"
    return (
        f"{repository()}/{kind}/v{version()}/{linked.relative_to(ROOT).as_posix()}{sharp}{anchor}"
    )


def _copy_image(image: Path, folder: Path) -> str:
    place = f"images/{image.name}"
    (folder / "images").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(image, folder / place)
    return place


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8", newline="\n")


def _trees(name: str, pages: dict[Path, str]) -> Iterator[str]:
    """Yield the parts of the table of contents that belong to a page."""
    below = PurePosixPath(name).parent
    if name == "index":
        yield from _front_trees(pages)
    elif name in _PARENTS:
        beside = (PurePosixPath(page) for page in pages.values() if page != name)
        yield _tree("", sorted(page.name for page in beside if page.parent == below))


def _front_trees(pages: dict[Path, str]) -> Iterator[str]:
    """Yield the sections of the index, and then the pages that it has no place for."""
    yield _tree("", ["contents"])
    shown = set()
    for title, entries in sections().items():
        files = [(DOCS / entry.target.partition("#")[0]).resolve() for entry in entries]
        found = [
            (entry, pages[file])
            for entry, file in zip(entries, files, strict=True)
            if file in pages
        ]
        shown |= {page for _, page in found}
        for parent, group in groupby(found, key=lambda each: each[1] in _PARENTS):
            lines = [f"{entry.title} <{page}>" for entry, page in group]
            yield _tree(title, lines, nested=parent)
            title = ""  # a group that follows has no caption, and so looks like one with it
    yield _tree("Plugins and examples", sorted(set(filter(_is_of_project, pages.values())) - shown))


def _is_of_project(page: str) -> bool:
    return page.startswith(("project/", "plugins/", "examples/"))


def _tree(caption: str, entries: Iterable[str], *, nested: bool = False) -> str:
    """Return a table of contents; without a depth Sphinx copies all headings for every page."""
    head = f":caption: {caption}\n" if caption else ""
    head += "" if nested else ":maxdepth: 1\n"
    lines = "\n".join(dict.fromkeys(entries))
    return f"```{{toctree}}\n:hidden:\n{head}\n{lines}\n```\n"


def version() -> str:
    """Return the version of the core."""
    return str(_project()["version"])


def repository() -> str:
    """Return the address of the project."""
    urls = _project().get("urls")
    assert isinstance(urls, dict)
    return str(urls["Source"])


def _project() -> dict[str, object]:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project: dict[str, object] = tomllib.loads(text)["project"]
    return project
