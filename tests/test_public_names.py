"""The line between public and private: who may import what, and where each public name is."""

import ast
import functools
import importlib
import inspect
import re
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
from generator.names import exporters, plugin_modules, public_modules
from pydantic import SecretStr

import convostore
from convostore import OpenOptions
from convostore.http import Exchange
from convostore.plugins import adapter_for, installed

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs/reference"
OUTSIDE = sorted(
    [
        *ROOT.glob("plugins/*/src/**/*.py"),
        *ROOT.glob("docs/**/*.py"),
        *ROOT.glob("benchmarks/*.py"),
    ]
)
"""What is not of the core's distribution."""


def imports(file):
    """The modules and names of the core that a file imports, at its head or inside."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and not node.level:
            if (node.module or "").split(".")[0] == "convostore":
                yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (
                (alias.name, None)
                for alias in node.names
                if alias.name.split(".")[0] == "convostore"
            )


def is_public(module, name):
    if any(part.startswith("_") for part in (*module.split("."), name or "")):
        return False
    loaded = importlib.import_module(module)
    return name is None or name in getattr(loaded, "__all__", ()) or is_public_module(module, name)


def is_public_module(package, name):
    return f"{package}.{name}" in public_modules()


def test_the_command_line_imports_public_names_only():
    """It is of the core's distribution, and imports by relative names."""
    folder = ROOT / "src/convostore"
    private = []
    for file in (folder / "cli").rglob("*.py"):
        package = file.relative_to(ROOT / "src").parent.parts
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not node.level:
                continue
            module = ".".join(
                [*package[: len(package) - node.level + 1], *filter(None, [node.module])]
            )
            if module == "convostore" or module.startswith("convostore.cli"):
                continue
            private += [
                f"{file.relative_to(ROOT)}: {module}.{alias.name}"
                for alias in node.names
                if not is_public(module, alias.name)
            ]
    assert private == []


def test_plugins_examples_and_benchmarks_import_public_names_only():
    private = [
        f"{file.relative_to(ROOT)}: {module}.{name}"
        for file in OUTSIDE
        for module, name in imports(file)
        if not is_public(module, name)
    ]
    assert private == []


@pytest.mark.parametrize("module", sorted(public_modules()))
def test_a_public_module_says_what_it_exports(module):
    loaded = public_modules()[module]
    exported = getattr(loaded, "__all__", None)
    if exported is None:
        assert public_things(loaded) == []
    else:
        assert [name for name in exported if not hasattr(loaded, name)] == []
        assert [name for name in exported if name.startswith("_")] == []


def public_things(module):
    """The classes and functions that a module defines without an underscore."""
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [each.name for each in tree.body if isinstance(each, kinds) and each.name[0] != "_"]


def test_every_public_name_has_one_home():
    homes = Counter(
        (name, id(getattr(module, name)))
        for path, module in public_modules().items()
        if path != "convostore"
        for name in getattr(module, "__all__", ())
    )
    assert [name for (name, _), count in homes.items() if count > 1] == []


def test_the_names_at_the_top_are_those_of_public_modules():
    exported = {
        name: getattr(module, name)
        for path, module in public_modules().items()
        if path != "convostore"
        for name in getattr(module, "__all__", ())
    }
    assert [name for name in convostore.__all__ if exported.get(name) is None] == []


def test_the_reference_lists_each_exported_name():
    page = (ROOT / "docs/reference/public-names.md").read_text(encoding="utf-8")
    listed = {}
    for section in page.split("## `")[1:]:
        module, _, rest = section.partition("`")
        listed[module] = set(re.findall(r"^\| \[`(\w+)`\]", rest, re.MULTILINE))
    exported = {
        path: set(module.__all__)
        for path, module in {**public_modules(), **plugin_modules()}.items()
        if getattr(module, "__all__", ())
    }
    assert listed == exported


@pytest.mark.parametrize("module", sorted(exporters()))
def test_the_reference_has_an_entry_for_each_public_name_and_member(module):
    """A member may be in the entry of a base, and the clauses of the kit have their own page."""
    entries = reference_entries()
    missing = []
    for name in exporters()[module].__all__:
        value = getattr(exporters()[module], name)
        bases = inspect.getmro(value) if inspect.isclass(value) else ()
        names = {base.__name__ for base in bases} | {name}
        if name not in entries:
            missing.append(name)
        missing += [
            f"{name}.{member}"
            for member in own_members(value)
            if member not in clauses()
            and not any(f"{owner}.{member}" in entries for owner in names)
        ]
    assert missing == []


@functools.cache
def reference_entries():
    """What has a heading, or a row in the table below one."""
    entries = set()
    for page in (REFERENCE / "api").glob("*.md"):
        for section in re.split(r"^##+ ", page.read_text(encoding="utf-8"), flags=re.MULTILINE):
            heading = section.partition("\n")[0]
            rows = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
            entries |= {heading, *(f"{heading}.{row}" for row in rows)}
    return entries


@functools.cache
def clauses():
    """The clauses of the kit, which have a page of their own."""
    page = (REFERENCE / "contract-kit.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\* `(test_\w+)`", page, re.MULTILINE))


def own_members(value):
    """The public methods and properties of a class that our code defines."""
    if not inspect.isclass(value):
        return
    for owner in inspect.getmro(value):
        if owner.__module__.split(".")[0].startswith("convostore"):
            for name, member in vars(owner).items():
                kinds = (property, classmethod, staticmethod, functools.cached_property)
                if not name.startswith("_") and (
                    inspect.isfunction(member) or isinstance(member, kinds)
                ):
                    yield name


def test_the_reference_names_nothing_private():
    private = re.compile(r"(?<![\w/#-])_[a-zA-Z]\w*")
    found = {
        page.name: private.findall(page.read_text(encoding="utf-8"))
        for page in (REFERENCE / "api").glob("*.md")
    }
    assert {page: names for page, names in found.items() if names} == {}


def test_no_page_imports_a_private_module():
    pages = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/README.md")]
    private = re.compile(r"^\s*(?:from|import) convostore[\w.]*\._.*", re.MULTILINE)
    found = {
        page.relative_to(ROOT).as_posix(): private.findall(page.read_text(encoding="utf-8"))
        for page in pages
    }
    assert {page: lines for page, lines in found.items() if lines} == {}


def test_open_s_options_are_those_of_our_backends():
    names = {"Exchange": Exchange, "SecretStr": SecretStr}
    hints = get_type_hints(OpenOptions, localns=names)
    fields = {}
    for entry in installed():
        if entry.scheme in _OURS:
            for name, field in adapter_for(entry.scheme).Options.model_fields.items():
                fields.setdefault(name, []).append(field.annotation)
    assert set(hints) == set(fields)
    assert {name: literals(hint) for name, hint in hints.items()} == {
        name: set().union(*map(literals, annotations)) for name, annotations in fields.items()
    }


_OURS = {"echo", "fastgpt", "gateway", "memory", "perplexica", "postgresql", "sqlite"}


def literals(hint):
    """The values that a hint lists."""
    if get_origin(hint) is Literal:
        return set(get_args(hint))
    return set().union(*map(literals, get_args(hint)))


def test_the_version_is_that_of_the_distribution():
    assert convostore.__version__ == metadata.version("convostore")
