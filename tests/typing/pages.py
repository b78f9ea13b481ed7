"""Checks the Python of the documents as an editor shows it to a reader: `make types`.

The blocks of a page are one module, as when the page is run, each at its own line.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(
    r"^(?P<file><!-- \S+ -->\n)?```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)
SETTINGS = """{
    "include": ["."],
    "typeCheckingMode": "strict",
    "pythonVersion": "3.11",
    "reportUnusedExpression": false,
    "reportDuplicateImport": false,
    "reportUnusedCoroutine": true
}"""


def code(page: Path) -> str:
    """Returns the blocks that are no excerpt of a file, and empty lines for the rest."""
    text = page.read_text(encoding="utf-8")
    lines = [""] * text.count("\n")
    for block in BLOCK.finditer(text):
        if block["file"] is None:
            first = text.count("\n", 0, block.start("code"))
            written = block["code"].splitlines()
            lines[first : first + len(written)] = written
    return "\n".join(lines)


def main(pages: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        for page in pages:
            module = Path(folder, page.replace("/", "_").replace("-", "_")).with_suffix(".py")
            module.write_text(code(ROOT / page), encoding="utf-8")
        settings = Path(folder, "pyrightconfig.json")
        settings.write_text(SETTINGS, encoding="utf-8")
        command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable]
        return subprocess.run([*command, "--project", folder], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
