"""Try the built distributions in fresh environments outside the tree, as a newcomer does."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from projects import EXAMPLE, ROOT, constraints, newest, oldest, wheels_for

__all__ = ["try_all"]

SCRIPTS: Final = ROOT / ".ci"
PAGES: Final = (ROOT / "README.md", *sorted(ROOT.glob("docs/tutorial/*.md")))
PIP: Final = re.compile(r"^\$ (?:python3? -m )?pip install (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Trial:
    """A fresh environment with some versions of what we depend on.

    Attributes:
        name: What the log calls it.
        python: The command of the Python that it is made of.
        pins: The versions by name.
        wheels: The folder of our wheels.
        folder: A temporary folder, outside the tree, that it may fill.
    """

    name: str
    python: str
    pins: dict[str, str]
    wheels: Path
    folder: Path

    @property
    def interpreter(self) -> Path:
        return self.folder / "environment" / "bin" / "python"

    def run(self) -> None:
        """Make the environment and use it, step by step: install no more than a page says."""
        heading(f"{self.name}: a fresh environment of {self.python}")
        (self.folder / "constraints.txt").write_text(constraints(self.pins), encoding="utf-8")
        self.call([self.python, "-m", "venv", str(self.folder / "environment")], self.folder)
        self.install("convostore")
        self.script("bare.py")
        for page in PAGES:
            self.read(page)
        self.example()
        self.install("convostore[all]")
        self.call([str(self.interpreter), "-m", "pip", "check"], self.folder)

    def install(self, *wanted: str) -> None:
        """Install by pip, our own distributions from their wheels."""
        heading(f"{self.name}: pip install {' '.join(wanted)}")
        command = [str(self.interpreter), "-m", "pip", "install", "-qq"]
        self.call([*command, *wheels_for(wanted, self.wheels)], self.folder)

    def read(self, page: Path) -> None:
        """Go through a page in an empty folder."""
        heading(f"{self.name}: {page.relative_to(ROOT)}")
        copy = Path(shutil.copy(page, self.folder))
        lines = PIP.findall(page.read_text(encoding="utf-8"))
        installs = {line: wheels_for(shlex.split(line), self.wheels) for line in lines}
        (self.folder / "installs.json").write_text(json.dumps(installs), encoding="utf-8")
        extra: list[str] = []
        if page.name == "README.md":
            picture = self.wheels / "newcomer" / f"viewer-{self.name}.png"
            picture.parent.mkdir(exist_ok=True)
            extra = ["--limits", "--screenshot", str(picture)]
        self.script("newcomer.py", str(copy), str(self.folder / "installs.json"), *extra)

    def example(self) -> None:
        """Run the tests of the FastAPI example, copied out of the tree."""
        heading(f"{self.name}: the tests of {EXAMPLE.name}")
        copy = self.folder / EXAMPLE.folder.name
        shutil.copytree(EXAMPLE.folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
        self.install(*(str(line) for line in EXAMPLE.requirements(["test"])))
        # In the project its tests use the project's options; here they have none.
        self.call([str(self.interpreter), "-m", "pytest", "-q", "tests"], copy)

    def script(self, name: str, *arguments: str) -> None:
        """Run one of our scripts with the environment's Python, in an empty folder."""
        with tempfile.TemporaryDirectory(dir=self.folder) as empty:
            command = [str(self.interpreter), str(SCRIPTS / name), *arguments]
            self.call(command, Path(empty))

    def call(self, command: list[str], cwd: Path) -> None:
        """Run a command; its output is part of the log.

        Raises:
            SystemExit: It fails.
        """
        status = subprocess.run(command, cwd=cwd, env=self.variables(), check=False).returncode
        if status:
            sys.exit(f"{self.name}: FAILED with status {status}: {' '.join(command)}")

    def variables(self) -> dict[str, str]:
        """Return the environment variables: none of ours, no configuration, one time zone."""
        theirs = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CONVOSTORE_", "PYTHON", "MAKE", "VIRTUAL_ENV", "XDG_"))
            or name == "CONVOSTORE_REQUIRE_CHROMIUM"
        }
        cache = os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip"))
        return theirs | {
            "HOME": str(self.folder),
            "PIP_CACHE_DIR": cache,
            "PIP_CONSTRAINT": str(self.folder / "constraints.txt"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONUNBUFFERED": "1",
            "TZ": "UTC",
        }


def try_all(wheels: Path) -> None:
    """Try the wheels with the oldest dependencies, and with the newest that are pinned."""
    for name, version, pins in (("oldest", "3.11", oldest()), ("newest", "3.13", newest())):
        with tempfile.TemporaryDirectory(prefix="convostore-") as folder:
            Trial(name, python_of(version), pins, wheels, Path(folder)).run()
    heading("all of it works")


def python_of(version: str) -> str:
    """Return a Python of a version, or this one where the machine has none."""
    found = subprocess.run(
        [str(SCRIPTS / "find-python"), version], capture_output=True, text=True, check=False
    ).stdout.strip()
    if not found:
        print(f"Python {version} is not installed: NOT TRIED on it, but on this one")
    return found or sys.executable


def heading(text: str) -> None:
    print(f"== {text}", flush=True)
