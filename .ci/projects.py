"""The distributions of this repository: their folders, files and requirements."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

__all__ = [
    "EXAMPLE",
    "ROOT",
    "Project",
    "constraints",
    "newest",
    "oldest",
    "projects",
    "wheels_for",
]

ROOT: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Project:
    """A distribution that is released: the core, or one of the plugins."""

    folder: Path

    @cached_property
    def table(self) -> dict[str, Any]:
        """The table `project` of its pyproject.toml."""
        text = (self.folder / "pyproject.toml").read_text(encoding="utf-8")
        project: dict[str, Any] = tomllib.loads(text)["project"]
        return project

    @property
    def name(self) -> str:
        return str(self.table["name"])

    @property
    def stem(self) -> str:
        """How the names of its files begin."""
        return f"{self.name.replace('-', '_')}-{self.table['version']}"

    @property
    def wheel(self) -> str:
        return f"{self.stem}-py3-none-any.whl"

    @property
    def sdist(self) -> str:
        return f"{self.stem}.tar.gz"

    @property
    def extras(self) -> dict[str, list[str]]:
        """What each of its extras requires."""
        extras: dict[str, list[str]] = self.table.get("optional-dependencies", {})
        return extras

    def requirements(self, extras: Iterable[str]) -> list[Requirement]:
        """Return what it requires with some of its extras."""
        lines = [self.table["dependencies"], *(self.extras[extra] for extra in extras)]
        return [Requirement(line) for line in itertools.chain(*lines)]


EXAMPLE: Final = Project(ROOT / "docs" / "examples" / "fastapi-app")
"""The example whose tests are run; it is not released."""


def projects() -> tuple[Project, ...]:
    """Return all distributions, the core first."""
    plugins = sorted(file.parent for file in ROOT.glob("plugins/*/pyproject.toml"))
    return tuple(map(Project, (ROOT, *plugins)))


def newest() -> dict[str, str]:
    """Return what CI takes for the newest versions: the pins of .ci/constraints.txt."""
    return pins_in("constraints.txt")


def oldest() -> dict[str, str]:
    """Return the lower bound of each direct requirement, and pins of all others."""
    bounds: dict[str, Version] = {}
    ours = {project.name for project in projects()}
    for project in (*projects(), EXAMPLE):
        for requirement in project.requirements(project.extras):
            if requirement.name not in ours:
                name = canonicalize_name(requirement.name)
                bounds[name] = max(bounds.get(name, Version("0")), lower_bound(requirement))
    direct = {name: str(bound) for name, bound in bounds.items()}
    return newest() | pins_in("constraints-oldest.txt") | direct


def pins_in(file: str) -> dict[str, str]:
    """Return the pins of a file in .ci by name."""
    text = (ROOT / ".ci" / file).read_text(encoding="utf-8")
    pins = re.findall(r"^([\w.-]+)==(\S+)$", text, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pins}


def lower_bound(requirement: Requirement) -> Version:
    """Return the oldest version that a requirement allows.

    Raises:
        ValueError: It does not say.
    """
    for specifier in requirement.specifier:
        if specifier.operator in {">=", "~="}:
            return Version(specifier.version)
    raise ValueError(f"{requirement} needs a lower bound")


def constraints(pins: dict[str, str]) -> str:
    """Return the text of a constraints file."""
    return "".join(f"{name}=={version}\n" for name, version in sorted(pins.items()))


def wheels_for(wanted: Iterable[str], wheels: Path) -> list[str]:
    """Return what pip is to install so that our distributions are the built ones.

    An index may have others of the same version. So each of ours that is asked for, or that one of
    them requires, is named by its file.
    """
    ours = {project.name: project for project in projects()}
    extras: dict[str, set[str]] = {}
    left = [Requirement(line) for line in wanted]
    while left:
        requirement = left.pop()
        project = ours.get(requirement.name)
        if project is None:
            continue
        known = extras.get(project.name)
        if known is None or not requirement.extras <= known:
            extras[project.name] = (known or set()) | requirement.extras
            left += project.requirements(requirement.extras)
    others = [line for line in wanted if Requirement(line).name not in ours]
    files = {name: (wheels / ours[name].wheel).as_uri() for name in extras}
    plain = [f"{name} @ {file}" for name, file in files.items()]  # pip takes one for the other not
    with_extras = [
        f"{name}[{','.join(sorted(extras[name]))}] @ {file}"
        for name, file in files.items()
        if extras[name]
    ]
    return [*plain, *with_extras, *others]
