"""The distributions: their metadata, the tools that build and try them, and their tests."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PLUGINS = sorted(ROOT.glob("plugins/*/pyproject.toml"))
PROJECTS = [ROOT / "pyproject.toml", *PLUGINS]
EXAMPLES = sorted(ROOT.glob("docs/examples/*/pyproject.toml"))
FOLDERS = [file.parent.relative_to(ROOT).as_posix() for file in [*PLUGINS, *EXAMPLES]]
NEITHER = {"cli", "export", "testing", "all"}
"""The extras that stand for no plugin."""
REQUIREMENT = re.compile(r'"convostore[^"\n]*~=([^"\n]+)"')


def read(file):
    return tomllib.loads(file.read_text(encoding="utf-8"))


def project(file):
    return read(file)["project"]


def core():
    return project(ROOT / "pyproject.toml")


def required(table):
    extras = table.get("optional-dependencies", {}).values()
    return [Requirement(line) for lines in (table["dependencies"], *extras) for line in lines]


def test_all_distributions_have_one_version():
    assert {project(file)["version"] for file in PROJECTS} == {core()["version"]}


def test_what_requires_another_of_ours_requires_this_version():
    lines = {file: project(file)["dependencies"] for file in [*PLUGINS, *EXAMPLES]}
    extras = core()["optional-dependencies"]
    lines[PROJECTS[0]] = [line for name in set(extras) - NEITHER for line in extras[name]]
    for file, requirements in lines.items():
        ours = [line for line in requirements if line.startswith("convostore")]
        assert ours, file
        assert {str(Requirement(line).specifier) for line in ours} == {f"~={core()['version']}"}


def test_every_plugin_has_an_extra_of_each_scheme_and_model_that_it_serves():
    extras = core()["optional-dependencies"]
    for file in PLUGINS:
        plugin = project(file)
        for points in plugin["entry-points"].values():
            for name in points:
                assert [Requirement(line).name for line in extras[name]] == [plugin["name"]], name
    served = {
        name
        for file in PLUGINS
        for points in project(file)["entry-points"].values()
        for name in points
    }
    assert set(extras) == served | NEITHER


def test_the_extra_all_is_every_extra_but_the_contract_kit():
    extras = core()["optional-dependencies"]
    (line,) = extras["all"]
    assert Requirement(line).extras == set(extras) - {"all", "testing"}


def test_every_distribution_has_the_licence_in_its_folder():
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    for file in PROJECTS:
        assert (file.parent / "LICENSE").read_text(encoding="utf-8") == licence, file
        assert project(file)["license-files"] == ["LICENSE"], file


def test_all_distributions_say_the_same_of_the_project():
    for file in PROJECTS:
        for key in ("license", "authors", "requires-python", "urls"):
            assert project(file)[key] == core()[key], (file, key)
        assert read(file)["build-system"] == read(ROOT / "pyproject.toml")["build-system"], file
        assert "Typing :: Typed" in project(file)["classifiers"], file
        assert {"chat", "history"} <= set(project(file)["keywords"]), file


def test_links_of_the_readmes_are_made_absolute_by_every_distribution():
    for file in PROJECTS:
        assert project(file)["dynamic"] == ["readme"], file
        hook = read(file)["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
        text = (file.parent / "README.md").read_text(encoding="utf-8")
        for rule in hook["substitutions"]:
            new = re.sub(r"\\(\d)", r"\\g<\1>", rule["replacement"])
            text = re.sub(rule["pattern"], new.replace("$HFPR_VERSION", "1"), text)
        targets = re.findall(
            r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        )
        assert [link for link in targets if not link.startswith(("https://", "http://", "#"))] == []
        source = project(file)["urls"]["Source"]
        for target in re.findall(rf"{re.escape(source)}/(?:blob|raw)/v1/([^)#\s]+)", text):
            assert (ROOT / target).exists(), (file, target)


def test_every_requirement_has_a_lower_bound_that_can_be_tried():
    for file in [*PROJECTS, ROOT / "docs" / "examples" / "fastapi-app" / "pyproject.toml"]:
        for line in required(project(file)):
            if line.name != "convostore":
                assert {each.operator for each in line.specifier} & {">=", "~="}, (file, line)


def run_version(tree, version):
    command = [sys.executable, str(tree / ".ci" / "version.py"), version]
    subprocess.run(command, check=True, capture_output=True)


@pytest.mark.rim
def test_one_command_sets_every_version(tmp_path):
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/README.md")]
    requiring = [page for page in pages if REQUIREMENT.search(page.read_text(encoding="utf-8"))]
    assert ROOT / "docs" / "how-to" / "write-an-adapter.md" in requiring
    kept = [*PROJECTS, *EXAMPLES, *requiring]
    for file in [*kept, *(ROOT / ".ci" / name for name in ("version.py", "projects.py"))]:
        copy = tmp_path / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    run_version(tmp_path, "7.1.0")
    copies = [tmp_path / file.relative_to(ROOT) for file in PROJECTS]
    assert {project(file)["version"] for file in copies} == {"7.1.0"}
    for file in kept:
        text = (tmp_path / file.relative_to(ROOT)).read_text(encoding="utf-8")
        assert set(REQUIREMENT.findall(text)) == {"7.1.0"}, file
    run_version(tmp_path, core()["version"])
    for file in kept:
        copy = tmp_path / file.relative_to(ROOT)
        assert copy.read_text(encoding="utf-8") == file.read_text(encoding="utf-8")


PASTED = """
```python
print("What an answer!")
```

```text
What an answer!
```
"""
TYPED = """
```console
$ printf 'one\\ntwo\\n'
one
t…
```
"""


def newcomer(folder, page, *options):
    (folder / "page.md").write_text(page, encoding="utf-8")
    (folder / "installs.json").write_text(json.dumps({}), encoding="utf-8")
    script = ROOT / ".ci" / "newcomer.py"
    command = [sys.executable, str(script), "page.md", "installs.json", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.rim
def test_a_page_that_does_what_it_shows_passes_the_newcomer(tmp_path):
    result = newcomer(tmp_path, PASTED + TYPED)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("    ok\n") == 2


@pytest.mark.rim
@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (PASTED.replace('print("What', 'print("Which'), "it should print"),
        (PASTED.replace("print", "1 / 0; print"), "ZeroDivisionError"),
        (TYPED.replace("one\nt…", "one\nx…"), "it should print"),
        (
            TYPED.replace("$ printf", "$ false; printf").replace("; printf", " || exit 3; printf"),
            "status 3",
        ),
        (TYPED.replace("```console", "```console\n$ pip install another"), "KeyError"),
        ("Nothing to do.", "nothing to do"),
    ],
)
def test_a_page_that_does_something_else_fails_the_newcomer(tmp_path, page, reason):
    result = newcomer(tmp_path, page)
    assert result.returncode == 1
    assert reason in result.stdout + result.stderr


@pytest.mark.rim
def test_a_page_without_an_answer_or_a_viewer_fails_the_limits(tmp_path):
    result = newcomer(tmp_path, PASTED, "--limits")
    assert result.returncode == 1
    assert "comes too late" in result.stderr


def test_all_distributions_are_among_them():
    assert "plugins/sql" in FOLDERS
    assert all((ROOT / folder / "tests").is_dir() for folder in FOLDERS)


@pytest.mark.rim
@pytest.mark.parametrize("folder", FOLDERS)
def test_the_tests_of_a_distribution_are_found_from_its_own_folder(folder):
    command = [sys.executable, "-m", "pytest", "tests", "-q", "--collect-only", "--tier", "quick"]
    result = subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        cwd=ROOT / folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "::test_" in result.stdout
