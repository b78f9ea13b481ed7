"""The `convostore` command; without its extra, one clear line."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line; what `[project.scripts]` names."""
    try:
        from .app import app
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        sys.exit(f"the convostore command needs {error.name}: pip install 'convostore[cli]'")
    app()
