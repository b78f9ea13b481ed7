"""The modules: the layers, and all modules with what each is for."""

from __future__ import annotations

import ast
import tomllib
from importlib import import_module

from .markdown import first_sentence, table
from .names import ROOT, sources, tree_of


def layers() -> str:
    """List the layers of the core, as the contract of import-linter has them, with each charter."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = pyproject["tool"]["importlinter"]["contracts"]
    rows = [
        [str(number), f"`{name}`", _charter(f"convostore.{name}")]
        for number, layer in enumerate(contracts[0]["layers"], start=1)
        for name in layer.split(" | ")
    ]
    return table(["layer", "room", "what it is for"], rows)


def modules() -> str:
    """List every module of the core and of the plugins with the first sentence of its docstring."""
    packages: dict[str, list[tuple[str, str]]] = {}
    for module, file in sources().items():
        package = module if file.stem == "__init__" else module.rpartition(".")[0]
        packages.setdefault(package, []).append((file.stem, module))
    sections = []
    for package, found in packages.items():
        rows = [
            [f"`{stem}`", first_sentence(ast.get_docstring(tree_of(module)))]
            for stem, module in sorted(found)
        ]
        sections.append(f"## `{package}`\n\n{table(['module', 'what it is for'], rows)}")
    return "\n".join(sections)


def _charter(module: str) -> str:
    return first_sentence(import_module(module).__doc__)
