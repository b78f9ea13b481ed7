"""The `convostore` command.

Without its extra it prints what to install. Nothing of the library may be imported here at the top.
"""

from __future__ import annotations

import sys

__all__ = ["NEEDS", "main"]

NEEDS = 'the convostore command needs {}: pip install "convostore[cli]"'
"""The message for a missing library, with its name to be filled in."""


def main() -> None:
    """Run the command line."""
    try:
        from .app import app
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        sys.exit(NEEDS.format(error.name))
    except KeyboardInterrupt:
        sys.exit(130)
    app()
