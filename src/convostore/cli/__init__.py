"""The `convostore` command; without its extra, one clear line."""

from __future__ import annotations

import sys

__all__ = ["NEEDS", "main"]

NEEDS = "the convostore command needs {}: pip install 'convostore[cli]'"


def main() -> None:
    """Runs the command line; what `[project.scripts]` names."""
    try:
        from .app import app
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        sys.exit(NEEDS.format(error.name))
    except KeyboardInterrupt:
        sys.exit(130)
    app()
