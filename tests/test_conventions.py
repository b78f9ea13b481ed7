"""What holds for the whole project and no single test sees: imports, docstrings, versions."""

import ast
import importlib
import inspect
import itertools
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import convostore

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*ROOT.glob("src/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")])
PROJECTS = sorted([ROOT / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")])
HTTP_CLIENTS = {"aiohttp", "httpcore", "httpx", "httpx2", "requests", "urllib3"}


@dataclass(frozen=True)
class _Module:
    """What is asked of a module; its tree would be too large to be kept.

    Attributes:
        imported: The top-level packages that it imports, at its head or inside.
    """

    imported: frozenset[str]
    docstring: str | None
    prints: bool


@cache
def _module(source):
    tree = _tree(source)
    nodes = list(ast.walk(tree))
    return _Module(
        frozenset(name for node in nodes for name in _imported(node)),
        ast.get_docstring(tree),
        any(_calls_print(node) for node in nodes),
    )


def _tree(source):
    return ast.parse(source.read_text(encoding="utf-8"))


def _imported(node):
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return [(node.module or "").partition(".")[0]]
    return []


def _calls_print(node):
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    )


def _offenders(files, offends):
    """The files that break a rule, by their names in the project."""
    return [file.relative_to(ROOT).as_posix() for file in files if offends(file)]


STEPS = (
    "import convostore",
    "from convostore import Conversation, open",
    "from convostore import *",
    "convostore.open('memory://').close()",
    "import convostore.http",
)


@pytest.fixture(scope="module")
def loaded():
    """The modules that are there after each step of a fresh process."""
    code = "\n".join([f"{step}\nprint(*sys.modules)" for step in ("import sys", *STEPS)])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return dict(zip(STEPS, map(str.split, done.stdout.splitlines()[1:]), strict=True))


@pytest.mark.rim
def test_importing_the_library_brings_in_nothing_that_is_not_used_yet(loaded):
    unwanted = {"asyncio", "httpx", "pluggy", "rich", "sqlalchemy", "typer"}
    assert (unwanted | {"pydantic"}).isdisjoint(loaded["import convostore"])
    assert unwanted.isdisjoint(loaded["from convostore import *"])
    assert "pydantic" in loaded["from convostore import *"]


@pytest.mark.rim
def test_what_opens_a_store_loads_nothing_of_replies_and_transfers(loaded):
    modules = loaded["from convostore import Conversation, open"]
    waiting = {"_events", "_replies", "_turns", "_accumulator", "_streams", "_batches", "transfer"}
    assert {module for module in modules if module.rpartition(".")[2] in waiting} == set()
    assert "convostore.models" in modules


@pytest.mark.rim
def test_neither_opening_the_memory_nor_naming_an_http_adapter_brings_in_an_http_client(loaded):
    assert {"asyncio", *HTTP_CLIENTS}.isdisjoint(loaded["convostore.open('memory://').close()"])
    assert HTTP_CLIENTS.isdisjoint(loaded["import convostore.http"])


def test_a_public_name_is_the_one_that_its_module_defines():
    assert set(convostore.__all__) <= set(dir(convostore))
    for home, names in convostore._HOMES.items():
        module = importlib.import_module(f"convostore.{home}")
        assert getattr(convostore, home) is module
        for name in names:
            assert getattr(convostore, name) is getattr(module, name)
    with pytest.raises(AttributeError, match="no attribute 'opne'"):
        _ = convostore.opne


def test_type_checkers_are_told_the_same_public_names():
    statements = _tree(ROOT / "src/convostore/__init__.py").body
    (block,) = [
        each
        for each in statements
        if isinstance(each, ast.If) and ast.unparse(each.test) == "TYPE_CHECKING"
    ]
    imports = [each for each in block.body if isinstance(each, ast.ImportFrom)]
    named = {(each.module, alias.name, alias.asname) for each in imports for alias in each.names}
    homes = convostore._HOMES.items()
    assert named == {(home, name, name) for home, names in homes for name in names}


def test_only_one_package_imports_an_http_client():
    def offends(source):
        found = HTTP_CLIENTS & _module(source).imported
        return found - ({"httpx"} if source.parent == ROOT / "src/convostore/http" else set())

    assert _offenders(SOURCES, offends) == []


def test_that_one_package_does():
    assert "httpx" in _module(ROOT / "src/convostore/http/_transports.py").imported


def test_every_module_says_what_lives_there():
    def offends(source):
        text = _module(source).docstring
        return not text or not text.splitlines()[0].endswith((".", ";", ","))

    assert _offenders(SOURCES, offends) == []


def _puts_things_off(source):
    return re.search(r"\b(TODO|FIXME|XXX|HACK)\b", source.read_text(encoding="utf-8"))


def test_no_module_prints_or_puts_things_off():
    assert _offenders(SOURCES, lambda source: _module(source).prints) == []
    assert _offenders(SOURCES, _puts_things_off) == []


def _documented_constants():
    """The names that are assigned and followed by a docstring of their own."""
    for source in ROOT.glob("src/convostore/**/*.py"):
        for node, after in itertools.pairwise(_tree(source).body):
            if (
                isinstance(node, ast.AnnAssign)
                and isinstance(node.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
                and isinstance(after.value.value, str)
            ):
                yield node.target.id


def _has_a_docstring(name, constants):
    thing = getattr(convostore, name)
    if not inspect.isclass(thing) and not inspect.isfunction(thing):
        return name in constants
    own = vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__
    return own and not own.startswith(f"{name}(")  # what dataclasses write themselves


def test_every_public_name_has_a_docstring():
    constants = set(_documented_constants())
    assert [name for name in convostore.__all__ if not _has_a_docstring(name, constants)] == []


def test_every_public_method_has_a_docstring():
    classes = [each for each in convostore.__all__ if inspect.isclass(getattr(convostore, each))]
    methods = [
        (f"{name}.{member}", value)
        for name in classes
        for member, value in vars(getattr(convostore, name)).items()
        if not member.startswith(("_", "model_")) and callable(value)
    ]
    assert methods
    assert [name for name, value in methods if not inspect.getdoc(value)] == []


def test_the_public_names_are_sorted_and_each_is_there():
    assert sorted(set(convostore.__all__)) == sorted(convostore.__all__)
    assert all(hasattr(convostore, name) for name in convostore.__all__)


@cache
def _project(file):
    return tomllib.loads(file.read_text(encoding="utf-8"))["project"]


def _core():
    return _project(ROOT / "pyproject.toml")


def test_the_projects_are_for_the_same_pythons():
    assert _core()["requires-python"] == ">=3.11"
    for key in ("requires-python", "license"):
        assert _offenders(PROJECTS, lambda file, key=key: _project(file)[key] != _core()[key]) == []


def test_a_plugin_takes_this_core():
    def offends(project):
        wanted = [Requirement(line) for line in _project(project)["dependencies"]]
        ours = [each for each in wanted if each.name == "convostore"]
        is_plugin = _project(project)["name"] != "convostore"
        takes = all(each.specifier.contains(Version(_core()["version"])) for each in ours)
        return bool(ours) is not is_plugin or not takes

    assert _offenders(PROJECTS, offends) == []


def test_a_plugin_is_named_after_its_folder():
    def offends(project):
        folder = "convostore" if project.parent == ROOT else f"convostore-{project.parent.name}"
        return _project(project)["name"] != folder

    assert _offenders(PROJECTS, offends) == []


def test_the_tools_check_for_the_oldest_python_that_is_promised():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert tools["ruff"]["target-version"] == "py311"
    assert tools["mypy"]["python_version"] == "3.11"
    assert tools["pyright"]["pythonVersion"] == "3.11"


def test_every_package_says_that_it_is_typed():
    def offends(project):
        packages = [each.parent for each in project.parent.glob("src/*/__init__.py")]
        return not packages or not all((each / "py.typed").is_file() for each in packages)

    assert _offenders(PROJECTS, offends) == []


def test_the_readme_names_the_two_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in readme
    assert "make test" in readme


def test_every_mutant_fits_the_code():
    lists = sorted((ROOT / "tests" / "mutants").glob("*.toml"))
    mutants = [
        mutant
        for each in lists
        for mutant in tomllib.loads(each.read_text(encoding="utf-8"))["mutant"]
    ]
    sources = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in SOURCES}
    assert [
        mutant["says"] for mutant in mutants if sources[mutant["file"]].count(mutant["old"]) != 1
    ] == []
