"""What holds for the whole project and no single test sees: imports, docstrings, versions."""

import ast
import importlib
import inspect
import itertools
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import convostore

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*ROOT.glob("src/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")])
PROJECTS = sorted([ROOT / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")])
HTTP_CLIENTS = {"aiohttp", "httpcore", "httpx", "httpx2", "requests", "urllib3"}

each_source = pytest.mark.parametrize(
    "source", SOURCES, ids=lambda source: source.relative_to(ROOT).as_posix()
)
each_project = pytest.mark.parametrize(
    "project", PROJECTS, ids=lambda project: project.relative_to(ROOT).as_posix()
)


def _tree(source):
    return ast.parse(source.read_text(encoding="utf-8"))


def _imported(tree):
    """The top-level packages that a module imports, at its head or inside."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").partition(".")[0]


def _modules_after(code):
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.rim
def test_importing_the_library_brings_in_nothing_that_is_not_used_yet():
    unwanted = {"asyncio", "httpx", "pluggy", "rich", "sqlalchemy", "typer"}
    assert not (unwanted | {"pydantic"}) & _modules_after("import convostore")
    loaded = _modules_after("from convostore import *")
    assert not unwanted & loaded
    assert "pydantic" in loaded


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
    (told,) = [
        each for each in _tree(ROOT / "src/convostore/__init__.py").body if isinstance(each, ast.If)
    ]
    named = {(each.module, alias.name, alias.asname) for each in told.body for alias in each.names}
    homes = convostore._HOMES.items()
    assert named == {(home, name, name) for home, names in homes for name in names}


@pytest.mark.rim
def test_opening_the_memory_brings_in_no_http_client():
    loaded = _modules_after("import convostore; convostore.open('memory://').close()")
    assert not {"asyncio", *HTTP_CLIENTS} & loaded


@pytest.mark.rim
def test_naming_an_http_adapter_brings_in_no_http_client():
    assert not HTTP_CLIENTS & _modules_after("import convostore.http")


@each_source
def test_only_one_package_imports_an_http_client(source):
    found = HTTP_CLIENTS & set(_imported(_tree(source)))
    allowed = {"httpx"} if source.parent == ROOT / "src/convostore/http" else set()
    assert found <= allowed


def test_that_one_package_does():
    assert "httpx" in set(_imported(_tree(ROOT / "src/convostore/http/transports.py")))


@each_source
def test_every_module_says_what_lives_there(source):
    text = ast.get_docstring(_tree(source))
    assert text
    assert text.splitlines()[0].endswith((".", ";", ","))


def _calls_print(tree):
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        for node in ast.walk(tree)
    )


@each_source
def test_no_module_prints_or_puts_things_off(source):
    assert not _calls_print(_tree(source))
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", source.read_text(encoding="utf-8"))


def _documented_constants():
    """The names that are assigned and followed by a docstring of their own."""
    for source in ROOT.glob("src/convostore/*.py"):
        for node, after in itertools.pairwise(_tree(source).body):
            if (
                isinstance(node, ast.AnnAssign)
                and isinstance(node.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
                and isinstance(after.value.value, str)
            ):
                yield node.target.id


@pytest.mark.parametrize("name", convostore.__all__)
def test_every_public_name_has_a_docstring(name):
    thing = getattr(convostore, name)
    if inspect.isclass(thing) or inspect.isfunction(thing):
        own = vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__
        assert own
        assert not own.startswith(f"{name}(")  # what dataclasses write themselves
    else:
        assert name in set(_documented_constants())


@pytest.mark.parametrize(
    "name", [name for name in convostore.__all__ if inspect.isclass(getattr(convostore, name))]
)
def test_every_public_method_has_a_docstring(name):
    for member, value in vars(getattr(convostore, name)).items():
        if not member.startswith(("_", "model_")) and callable(value):
            assert inspect.getdoc(value), f"{name}.{member}"


def test_the_public_names_are_sorted_and_each_is_there():
    assert sorted(set(convostore.__all__)) == sorted(convostore.__all__)
    assert all(hasattr(convostore, name) for name in convostore.__all__)


def _project(file):
    return tomllib.loads(file.read_text(encoding="utf-8"))["project"]


CORE = _project(ROOT / "pyproject.toml")


@each_project
def test_the_projects_are_for_the_same_pythons(project):
    assert _project(project)["requires-python"] == CORE["requires-python"] == ">=3.11"
    assert _project(project)["license"] == CORE["license"]


@each_project
def test_a_plugin_takes_this_core(project):
    wanted = [Requirement(line) for line in _project(project)["dependencies"]]
    ours = [each for each in wanted if each.name == "convostore"]
    assert bool(ours) is (_project(project)["name"] != "convostore")
    assert all(each.specifier.contains(Version(CORE["version"])) for each in ours)


@each_project
def test_a_plugin_is_named_after_its_folder(project):
    expected = "convostore" if project.parent == ROOT else f"convostore-{project.parent.name}"
    assert _project(project)["name"] == expected


def test_the_tools_check_for_the_oldest_python_that_is_promised():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert tools["ruff"]["target-version"] == "py311"
    assert tools["mypy"]["python_version"] == "3.11"
    assert tools["pyright"]["pythonVersion"] == "3.11"


@each_project
def test_every_package_says_that_it_is_typed(project):
    packages = [each.parent for each in project.parent.glob("src/*/__init__.py")]
    assert packages
    assert all((package / "py.typed").is_file() for package in packages)


def test_the_readme_names_the_two_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in readme
    assert "make test" in readme
