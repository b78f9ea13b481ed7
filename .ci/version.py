"""Set the version of all distributions: `make version V=0.3.0`.

The core's pyproject.toml is the one place of the version. Without an argument the others are made
to agree with it: their versions, the core that they require, and what the core's extras require.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

from packaging.version import Version
from projects import ROOT, projects

VERSION: Final = re.compile(r'^version = "([^"]+)"$', re.MULTILINE)
REQUIREMENT: Final = re.compile(r'(?<=")(convostore[\w-]*(?:\[[\w,-]+\])?)~=[^"]+')
PINNED: Final = (
    ROOT / "docs" / "examples" / "convostore-notes" / "pyproject.toml",
    ROOT / "docs" / "examples" / "fastapi-app" / "pyproject.toml",
    ROOT / "docs" / "how-to" / "deploy-the-gateway.md",
    ROOT / "docs" / "how-to" / "write-an-adapter.md",
)
"""What requires the core and has a version of its own."""


def main() -> None:
    """Rewrite what does not agree, and name it."""
    core = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    version = str(Version(sys.argv[1])) if len(sys.argv) > 1 else VERSION.findall(core)[0]
    for project in projects():
        file = project.folder / "pyproject.toml"
        rewrite(file, VERSION.sub(f'version = "{version}"', file.read_text("utf-8")), version)
    for file in PINNED:
        rewrite(file, file.read_text("utf-8"), version)
    print(f'version {version}: give CHANGELOG.md the heading "## {version}", then run make setup')


def rewrite(file: Path, text: str, version: str) -> None:
    """Write a file whose requirements on our distributions are of a version."""
    text = REQUIREMENT.sub(rf"\1~={version}", text)
    if text != file.read_text(encoding="utf-8"):
        file.write_text(text, encoding="utf-8")
        print(f"changed: {file.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
