"""Mapping of SQLite's errors to the library's. No connection may be known here."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Final

from convostore.errors import (
    AuthError,
    ConfigError,
    InvalidError,
    ProtocolError,
    StoreError,
    UnavailableError,
)

from ..inspection import missing


class Cancelled(StoreError):  # noqa: N818  # it is not an error
    """The unit was cancelled, and nothing of it was stored."""


def busy() -> UnavailableError:
    """Make the error of a wait beyond the option timeout."""
    return UnavailableError(
        "others have been writing to this SQLite database for longer than the option timeout "
        "allows: try again, or raise it"
    )


def crowded() -> UnavailableError:
    """Make the error of a wait for other calls of the same store beyond the option timeout."""
    return UnavailableError(
        "as many calls of this store as the option concurrency allows have been running for longer "
        "than the option timeout allows: try again, or raise one of them"
    )


def replaced(path: str) -> ConfigError:
    """Make the error of an open store whose file is another one, or none."""
    return ConfigError(
        f"{Path(path).name!r} was moved, deleted or replaced while this store was open: open the "
        "store again"
    )


def absent(path: str) -> ConfigError:
    """Make the error of a file that is not there and must not be made."""
    return ConfigError(
        f"there is no file {path!r}: check the path; to create one, pass the option create=true"
    )


_MISSING: Final = re.compile("no such (table|column): |table .* has no column named ")


def _primary(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def is_busy(error: Exception) -> bool:
    return _primary(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}


_BY_CODE: Final[dict[int, tuple[type[StoreError], str]]] = {
    sqlite3.SQLITE_CANTOPEN: (
        ConfigError,
        "SQLite cannot open {name!r}: check that its folder exists and is writable",
    ),
    sqlite3.SQLITE_READONLY: (
        AuthError,
        "SQLite may only read {name!r}: check the permissions of the file and its folder",
    ),
    sqlite3.SQLITE_PERM: (AuthError, "SQLite may not use {name!r}: check its permissions"),
    sqlite3.SQLITE_NOTADB: (
        ConfigError,
        "{name!r} is not a SQLite database: check the path, or restore a backup",
    ),
    sqlite3.SQLITE_CORRUPT: (
        ProtocolError,
        "the SQLite database {name!r} is damaged: {error}: restore a backup",
    ),
    sqlite3.SQLITE_FULL: (
        UnavailableError,
        "there is no space left to write to {name!r}: free some",
    ),
    sqlite3.SQLITE_IOERR: (UnavailableError, "the disk failed under {name!r}: {error}"),
    sqlite3.SQLITE_TOOBIG: (
        InvalidError,
        "a message or conversation is larger than SQLite stores in one row",
    ),
}


def translate(error: Exception, path: str) -> StoreError:
    """Return the library's error for one of SQLite's."""
    if isinstance(error, UnicodeEncodeError):
        return InvalidError("invalid cursor: pass page.cursor unchanged")
    if not isinstance(error, sqlite3.Error):
        return InvalidError("a number must be within SQLite's range of 64 bits")
    if is_busy(error):
        return busy()
    if _MISSING.match(str(error)):
        return missing(str(error))
    code = _primary(error)
    if code == sqlite3.SQLITE_INTERRUPT:
        return Cancelled("cancelled")
    if isinstance(error, sqlite3.DataError):
        return InvalidError(f"SQLite refuses a value: {error}")
    kind, text = _BY_CODE.get(code, (ProtocolError, "SQLite failed on {name!r}: {error}"))
    return kind(text.format(name=Path(path).name, error=error))
