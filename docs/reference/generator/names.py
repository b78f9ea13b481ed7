"""The public names: the modules that export them, what documents them, and their entries."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from .markdown import code_spans, first_sentence, table

ROOT: Final = Path(__file__).parents[3]
CORE: Final = "convostore"
ASYNC_STORE: Final = frozenset({"AsyncConversationStore", "AsyncReplyStream"})
"""The classes on a separate page: they repeat the methods of the sync ones."""


@cache
def sources() -> dict[str, Path]:
    """Return the files of the core and of the plugins by their modules."""
    roots = [ROOT / "src", *sorted(ROOT.glob("plugins/*/src"))]
    return {
        ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): file
        for root in roots
        for file in sorted(root.rglob("*.py"))
    }


@cache
def tree_of(module: str) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(sources()[module].read_text(encoding="utf-8"))


def public_modules() -> dict[str, ModuleType]:
    """Import the modules of the core that are public: no part of their names begins with ``_``."""
    core = sorted(name for name in sources() if name.split(".")[0] == CORE)
    return {name: import_module(name) for name in core if "._" not in name}


def plugin_modules() -> dict[str, ModuleType]:
    """Import the packages of the plugins; each exports its plugin's public names."""
    plugins = sorted(name for name in sources() if name.startswith(f"{CORE}_") and "." not in name)
    return {name: import_module(name) for name in plugins}


def exports_of(module: ModuleType) -> Sequence[str]:
    """Return the public names of a module."""
    exported: Sequence[str] = getattr(module, "__all__", ())
    return exported


@cache
def exporters() -> dict[str, ModuleType]:
    """Return the modules that have entries; `convostore` exports what others define."""
    found = {**public_modules(), **plugin_modules()}
    return {path: module for path, module in found.items() if exports_of(module) and path != CORE}


@cache
def homes() -> dict[tuple[str, int], str]:
    """Return the module of each public name, by the name and the identity of its value."""
    return {
        (name, id(getattr(module, name))): path
        for path, module in exporters().items()
        for name in exports_of(module)
    }


def is_exported(name: str) -> bool:
    """Return whether some module exports a name."""
    return any(name in exports_of(module) for module in exporters().values())


def page_of(module: str, name: str | None = None) -> str:
    """Return the file of a name's entry: that of the first package below `convostore`."""
    if module.startswith(f"{CORE}_"):
        return f"{module.removeprefix(f'{CORE}_')}.md"
    if name in ASYNC_STORE and module == f"{CORE}.store":
        return "store-async.md"
    return f"{module.split('.')[1]}.md"


def anchor_of(heading: str) -> str:
    """Return the anchor of a heading, as GitHub and the site make it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def public_names() -> str:
    """List what each public module exports, with the first line of its documentation."""
    modules = {**public_modules(), **plugin_modules()}
    exporting = {name: module for name, module in modules.items() if exports_of(module)}
    return "\n".join(_section(name, module) for name, module in exporting.items())


def _section(name: str, module: ModuleType) -> str:
    rows = []
    for each in sorted(exports_of(module)):
        value = getattr(module, each)
        home = homes()[each, id(value)]
        entry = f"api/{page_of(home, each)}#{anchor_of(each)}"
        told = summary_of(value) or first_sentence(note_of(name, each))
        rows.append([f"[`{each}`]({entry})", told])
    charter = first_sentence(module.__doc__)
    return f"## `{name}`\n\n{charter}\n\n{table(['name', 'what it is'], rows)}"


def summary_of(value: object) -> str:
    """Return the first sentence of a class's or function's docstring; of another value, nothing."""
    if not (inspect.isclass(value) or inspect.isfunction(value)) or value is Any:
        return ""
    text = inspect.getdoc(value) or ""
    if text.startswith(f"{value.__name__}("):  # what dataclasses write themselves
        return ""
    return code_spans(first_sentence(text)).replace("|", "\\|")


def note_of(module: str, name: str) -> str:
    """Return the docstring below the definition of a constant, an alias or a fixture.

    A package exports what its own modules define, and `convostore` what any package does.
    """
    notes = _below_definitions()
    places = sorted(place for place, defined in notes if defined == name)
    if not places:
        raise LookupError(f"{module}.{name} has no docstring")
    within = [place for place in places if f"{place}.".startswith(f"{module}.")]
    return inspect.cleandoc(notes[within[0], name]) if within else ""


@cache
def _below_definitions() -> dict[tuple[str, str], str]:
    """The docstrings of constants and aliases, which no value keeps, by module and name."""
    notes = {}
    for module in sources():
        body = tree_of(module).body
        for node, after in pairwise(body):
            if isinstance(node, ast.If):  # one name for type checkers, another at run time
                node = node.body[-1]
            match node, after:
                case (
                    ast.Assign(targets=[ast.Name(id=name)])
                    | ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    notes[module, name] = text
        for node in body:
            if isinstance(node, ast.FunctionDef) and node.decorator_list:
                notes[module, node.name] = ast.get_docstring(node) or ""
    return notes
