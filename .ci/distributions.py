"""Build all distributions into dist/, check them, and try them as a newcomer: `make dist`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes
from email.message import Message
from typing import Final

from projects import ROOT, Project, projects
from trials import try_all

OUT: Final = ROOT / "dist"
LINK: Final = re.compile(r'(?:\]\(|<(?:img|source|a)\b[^>]*?(?:src|srcset|href)=")([^)\s"]*)')
FENCED: Final = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
TOP: Final = {"README.md", "LICENSE", "pyproject.toml", "PKG-INFO", ".gitignore", "CHANGELOG.md"}


def main() -> None:
    """Do it all; the status is 1 if something fails."""
    shutil.rmtree(OUT, ignore_errors=True)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(build, projects()))
    files = [OUT / name for project in projects() for name in (project.wheel, project.sdist)]
    run("twine", "check", "--strict", *map(str, files))
    faults = [fault for project in projects() for fault in faults_of(project)]
    if faults:
        sys.exit("\n".join(faults))
    for file in files:
        print(f"{file.name}: {file.stat().st_size:,} bytes")
    try_all(OUT)


def build(project: Project) -> None:
    """Build the sdist, and from that the wheel.

    Raises:
        SystemExit: It cannot be built.
    """
    # Without a new environment for each: `build` still checks that what it needs is here.
    run("build", "--no-isolation", "--outdir", str(OUT), str(project.folder))


def run(*command: str) -> None:
    """Run a module of this environment, and show what it prints only if it fails."""
    result = subprocess.run(
        [sys.executable, "-m", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=os.environ | {"NO_COLOR": "1"},
    )
    if result.returncode:
        sys.exit(f"{' '.join(command)}:\n{result.stdout}")


def faults_of(project: Project) -> Iterator[str]:
    """Yield what is wrong with the two files of a distribution."""
    package = project.name.replace("-", "_")
    sources = {
        file.relative_to(project.folder).as_posix()
        for file in (project.folder / "src" / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    with tarfile.open(OUT / project.sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    allowed = TOP if project.folder == ROOT else TOP - {"CHANGELOG.md"}
    yield from differences(project.sdist, packed, sources | allowed)
    with zipfile.ZipFile(OUT / project.wheel) as wheel:
        names = set(wheel.namelist())
        info = f"{project.stem}.dist-info"
        kept = {name for name in names if not name.startswith(info)}
        yield from differences(project.wheel, kept, {name.removeprefix("src/") for name in sources})
        if f"{info}/licenses/LICENSE" not in names:
            yield f"{project.wheel}: the LICENSE is missing"
        metadata = message_from_bytes(wheel.read(f"{info}/METADATA"))
    readme = (project.folder / "README.md").read_text(encoding="utf-8")
    yield from faults_of_description(project, metadata, readme)


def differences(file: str, packed: set[str], wanted: set[str]) -> Iterator[str]:
    """Yield what a file has too much or too little."""
    yield from (f"{file}: {name} does not belong there" for name in sorted(packed - wanted))
    yield from (f"{file}: {name} is missing" for name in sorted(wanted - packed))


def faults_of_description(project: Project, metadata: Message, readme: str) -> Iterator[str]:
    """Yield what the index would show wrongly: links that lead nowhere, and changed code."""
    payload = metadata.get_payload(decode=True)
    description = payload.decode() if isinstance(payload, bytes) else ""
    if FENCED.findall(description) != FENCED.findall(readme):
        yield f"{project.wheel}: the code blocks of the README have changed"
    text = FENCED.sub("", description)
    for target in LINK.findall(text):
        if not target.startswith(("https://", "http://", "#", "mailto:")):
            yield f"{project.wheel}: the link {target!r} is relative"
    url = project.table["urls"]["Source"]
    for target in re.findall(rf"{re.escape(url)}/(?:blob|raw)/v[^/]+/([^)\s\"#]*)", text):
        if not (ROOT / target).exists():
            yield f"{project.wheel}: the link to {target!r} leads nowhere"


if __name__ == "__main__":
    main()
