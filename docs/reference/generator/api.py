"""The reference of every public class, function and method: a page for each package."""

from __future__ import annotations

import builtins
import enum
import inspect
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Final

import convostore
from convostore.cli.app import EXAMPLES

from .docstrings import render
from .kit import is_clause
from .links import link_to, linker
from .markdown import attributes, code_spans, first_sentence, table
from .members import (
    Member,
    constructor_of,
    definition_of,
    function_of,
    members_of,
    public_bases,
    shown_classes,
)
from .names import CORE, ROOT, anchor_of, exporters, exports_of, note_of, page_of
from .signatures import signatures_of
from .values import annotation, fields_with_defaults

FOLDER: Final = ROOT / "docs" / "reference" / "api"
_NOTICE: Final = "<!-- Written by docs/reference/generate.py from the docstrings: edit those. -->"
_GROUPS: Final = {
    "For applications": (
        *("config", "store", "store-async", "models", "errors", "transfer", "search", "dsn"),
        *("formats", "serialization", "timeline"),
    ),
    "For authors of backends": (
        *("adapters", "http", "parsing", "flow", "plugins", "dialects", "testing"),
    ),
    "Our plugins": ("fastgpt", "gateway", "openai", "perplexica"),
    "The command line": ("cli",),
}
_FEW: Final = 8
_FOR_MAINTAINERS: Final = re.compile(r"\b(?:here|belongs?|loads?|loaded|one module)\b|^Nothing ")
"""Sentences of a module's docstring that are for its maintainers, not for its users."""


def api_pages() -> dict[Path, str]:
    """Return the pages of the reference, by their files."""
    pages: dict[str, dict[str, list[str]]] = {}
    for path, module in exporters().items():
        for name in _in_order(module):
            pages.setdefault(page_of(path, name), {}).setdefault(path, []).append(name)
    assert {f"{page}.md" for group in _GROUPS.values() for page in group} == pages.keys()
    made = {FOLDER / file: _page(file, sections) for file, sections in pages.items()}
    return {**made, FOLDER / "README.md": _index(pages)}


def _page(file: str, sections: dict[str, list[str]]) -> str:
    parts = [f"# {_title(file)}", _NOTICE]
    for number, (path, names) in enumerate(sections.items()):
        if number:
            parts.append(f"## `{path}`")
        level = "###" if number else "##"
        parts += [_charter(path, file), *(_entry(path, name, level) for name in names)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _title(file: str) -> str:
    stem = file.removesuffix(".md")
    if stem == "store-async":
        return f"`{CORE}.store` for asyncio"
    return f"`{CORE}_{stem}`" if f"{CORE}_{stem}" in exporters() else f"`{CORE}.{stem}`"


def _charter(path: str, file: str) -> str:
    if file == "store-async.md":
        return (
            "The classes for asyncio; the sync ones, and what both have in common, are in "
            "[`convostore.store`](store.md)."
        )
    paragraphs = inspect.cleandoc(exporters()[path].__doc__ or "").split("\n\n")
    told = [_fenced(each) if each.startswith("    ") else _for_readers(each) for each in paragraphs]
    charter = render("\n\n".join(filter(None, told)), linker(path))
    if path == f"{CORE}.store":
        charter += "\nThe classes for asyncio have [a separate page](store-async.md).\n"
    return charter


def _fenced(block: str) -> str:
    """Return an indented block as a fenced one, which keeps its lines wherever it is put."""
    return f"```text\n{textwrap.dedent(block)}\n```"


def _for_readers(paragraph: str) -> str:
    sentences = re.split(r"(?<=\.) ", " ".join(paragraph.split()))
    return " ".join(each for each in sentences if not _FOR_MAINTAINERS.search(each))


def _index(pages: dict[str, dict[str, list[str]]]) -> str:
    parts = [
        "# Classes and functions",
        _NOTICE,
        (
            "The reference of every class, function and method that you may import, by package. To "
            "find a name, see [public names](../public-names.md)."
        ),
    ]
    for title, group in _GROUPS.items():
        rows = []
        for stem in group:
            module = exporters()[next(iter(pages[f"{stem}.md"]))]
            charter = code_spans(first_sentence(module.__doc__))
            if stem == "store-async":
                charter = "The async class of a store, and of a reply as it arrives."
            names = [name for found in pages[f"{stem}.md"].values() for name in found]
            used = [
                f"[`{name}`]({stem}.md#{anchor_of(name)})"
                for name in names
                if name in convostore.__all__
            ]
            main = f" {', '.join(used)}" if len(used) <= _FEW else ""
            rows.append([f"[{_title(f'{stem}.md')}]({stem}.md)", (charter + main).strip()])
        parts += [f"## {title}", table(["package", "what it has"], rows)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _in_order(module: ModuleType) -> list[str]:
    """Return the names of a module: classes, then functions, then the rest, by name."""

    def key(name: str) -> tuple[int, str]:
        value = getattr(module, name)
        return (0 if _is_class(value) else 1 if _is_function(value) else 2), name.lower()

    return sorted(exports_of(module), key=key)


def _is_class(value: object) -> bool:
    return inspect.isclass(value) and value.__module__.startswith(CORE)


def _is_function(value: object) -> bool:
    return inspect.isfunction(value) or hasattr(value, "_get_wrapped_function")  # a fixture


def _entry(path: str, name: str, level: str) -> str:
    value = getattr(exporters()[path], name)
    if _is_class(value):
        return _class_entry(path, name, value, level)
    parts = [f"{level} {name}"]
    if _is_function(value):
        function = function_of(value)
        parts += [_code(signatures_of(function, name)), _imported(name)]
        parts.append(render(function.__doc__, linker(path, name, function=function)))
        if value in EXAMPLES:
            parts.append(f"It is [a command](../command-line.md#{anchor_of(value.__name__)}).")
    else:
        definition = definition_of(exporters()[path], name)
        parts += [_code([definition]) if definition else "", _imported(name)]
        parts.append(render(note_of(path, name), linker(path, name)))
    return _joined(parts)


def _class_entry(path: str, name: str, owner: type, level: str) -> str:
    link = linker(path, name, owner=owner)
    constructor = constructor_of(owner)
    members = members_of(owner)
    clauses = any(is_clause(member.function) for member in members)
    return _joined(
        [
            f"{level} {name}",
            _code(constructor) if constructor else "",
            " ".join(filter(None, [_imported(name), _bases(owner)])),
            render(_documentation(owner), link),
            _attributes(owner, link),
            "Its clauses are listed in [the contract kit](../contract-kit.md)." if clauses else "",
            *(
                _member(path, owner, member, f"{level}#")
                for member in members
                if not is_clause(member.function)
            ),
        ]
    )


def _joined(parts: list[str]) -> str:
    return "\n\n".join(part.strip() for part in parts if part.strip())


def _bases(owner: type) -> str:
    shown = [f"[`{each.__name__}`]({link_to(each)})" for each in public_bases(owner)]
    shown += [
        f"`{each.__name__}`"
        for each in owner.__bases__
        if each not in (object, dict) and getattr(builtins, each.__name__, None) is each
    ]
    return f"Bases: {', '.join(shown)}." if shown else ""


def _documentation(owner: type) -> str:
    """Return a class's docstring and its constructor's; not what dataclasses write themselves."""
    text = owner.__doc__ or ""
    if text.startswith(f"{owner.__name__}("):
        text = ""
    for each in shown_classes(owner):
        init = vars(each).get("__init__")
        if init is not None and init.__module__ == each.__module__ and init.__doc__:
            return f"{inspect.cleandoc(text)}\n\n{inspect.cleandoc(init.__doc__)}"
    return text


def _attributes(owner: type, link: Callable[[str], str]) -> str:
    """Return a table of the fields, of the members of an enumeration, or of what is documented."""

    def convert(text: str) -> str:
        return code_spans(link(text))

    meanings = attributes(owner, convert)
    if issubclass(owner, enum.Enum):
        rows = [
            [f"`{each.name}`", f"`{each.value!r}`", meanings.get(each.name, "")] for each in owner
        ]
        return table(["member", "value", "meaning"], rows)
    defaults = dict(fields_with_defaults(owner))
    known = {name for base in public_bases(owner) for name in _attribute_names(base)}
    known |= {member.name for member in members_of(owner)}
    rows = [
        [
            f"`{name}`",
            f"`{annotation(owner, name)}`",
            defaults.get(name, ""),
            meanings.get(name, ""),
        ]
        for name in _attribute_names(owner)
        if name not in known
    ]
    if not rows:
        return ""
    if not any(row[2] for row in rows):
        return table(["attribute", "type", "meaning"], ([*row[:2], row[3]] for row in rows))
    return table(["field", "type", "default", "meaning"], rows)


def _attribute_names(owner: type) -> list[str]:
    names = dict.fromkeys(name for name, _ in fields_with_defaults(owner))
    annotated = {name for each in owner.__mro__ for name in inspect.get_annotations(each)}
    names.update(dict.fromkeys(name for name in attributes(owner) if name in annotated))
    return [name for name in names if not name.startswith("_")]


def _member(path: str, owner: type, member: Member, level: str) -> str:
    signatures = signatures_of(member.function, member.name)
    if member.is_property:
        signatures = [f"{member.name}: {signatures[0].rpartition(' -> ')[2]}"]
    link = linker(path, member.name, owner=owner, function=member.function)
    return _joined(
        [
            f"{level} {owner.__name__}.{member.name}",
            _code(signatures),
            render(member.function.__doc__, link),
        ]
    )


def _code(signatures: list[str]) -> str:
    text = "\n\n".join(signatures)
    return f"```python\n{text}\n```"


def _imported(name: str) -> str:
    return f"Import it from `{CORE}`." if name in convostore.__all__ else ""
