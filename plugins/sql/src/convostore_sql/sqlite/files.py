"""The file of a database: how it is named to SQLite, recognized again, and set up.

No unit and no pool may be known here.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import quote

from convostore.errors import ConfigError

from .errors import is_busy

Identity: TypeAlias = tuple[int, int]

_OLDEST: Final = (3, 35, 0)
_PAUSE: Final = 0.01


def file_uri(path: str, *, create: bool) -> str:
    """Return the URI that opens an absolute path, and makes the file only if it may be made."""
    posix = Path(path).as_posix()
    slash = "" if posix.startswith("/") else "/"  # before the letter of a drive
    return f"file://{slash}{quote(os.fsencode(posix))}?mode={'rwc' if create else 'rw'}"


def identity(path: str) -> Identity | None:
    """Return device and inode of a file; None if it does not exist."""
    try:
        status = os.stat(path)  # noqa: PTH116  # a third of the time of Path.stat, in each unit
    except OSError:
        return None
    return status.st_dev, status.st_ino


def require_features(connection: sqlite3.Connection) -> None:
    """Check the version of SQLite and how it was built.

    Raises:
        ConfigError: It is too old, or lacks FTS5.
    """
    options = {row[0] for row in connection.execute("PRAGMA compile_options")}
    if sqlite3.sqlite_version_info < _OLDEST or "ENABLE_FTS5" not in options:
        oldest = ".".join(map(str, _OLDEST))
        raise ConfigError(
            f"this Python's SQLite is {sqlite3.sqlite_version}, "
            f"{'with' if 'ENABLE_FTS5' in options else 'without'} FTS5: convostore-sql needs "
            f"{oldest} or newer, with FTS5"
        )


def write_ahead(connection: sqlite3.Connection, until: float) -> None:
    """Switch the file to writing ahead, so that readers do not wait for a writer."""
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            if mode != "wal":
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            # Here SQLite does not wait for another process that does the same.
            if not is_busy(error) or time.monotonic() > until:
                raise
            time.sleep(_PAUSE)
