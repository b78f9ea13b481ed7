"""What SQLite's errors mean to a caller; no connection may be known here."""

from __future__ import annotations

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


class Cancelled(StoreError):  # noqa: N818  # it is no error
    """The unit was cancelled, and has left nothing behind."""


def busy() -> UnavailableError:
    """The error of a wait that was too long."""
    return UnavailableError(
        "others have been writing to this SQLite database for longer than the option timeout "
        "allows: try again, or raise it"
    )


def _primary(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def is_busy(error: Exception) -> bool:
    return _primary(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}


_MEANINGS: Final[dict[int, tuple[type[StoreError], str]]] = {
    sqlite3.SQLITE_CANTOPEN: (
        ConfigError,
        "SQLite cannot open {name!r}: does its folder exist, and may you write there?",
    ),
    sqlite3.SQLITE_READONLY: (
        AuthError,
        "SQLite may only read {name!r}: look at the rights of the file and its folder",
    ),
    sqlite3.SQLITE_PERM: (AuthError, "SQLite may not use {name!r}: look at its rights"),
    sqlite3.SQLITE_NOTADB: (ConfigError, "{name!r} is no SQLite database"),
    sqlite3.SQLITE_CORRUPT: (ProtocolError, "the SQLite database {name!r} is damaged: {error}"),
    sqlite3.SQLITE_FULL: (UnavailableError, "there is no room to write to {name!r}"),
    sqlite3.SQLITE_IOERR: (UnavailableError, "the disk failed under {name!r}: {error}"),
    sqlite3.SQLITE_TOOBIG: (InvalidError, "this is larger than SQLite keeps in one row"),
}


def meaning(error: Exception, path: str) -> StoreError:
    """The error of ours that says what a caller can do about one of SQLite's."""
    if isinstance(error, UnicodeEncodeError):
        return InvalidError("a cursor holds what is no text: pass page.cursor as it is")
    if not isinstance(error, sqlite3.Error):
        return InvalidError("a number is larger than SQLite's largest")
    if is_busy(error):
        return busy()
    code = _primary(error)
    if code == sqlite3.SQLITE_INTERRUPT:
        return Cancelled("cancelled")
    if isinstance(error, sqlite3.DataError):
        return InvalidError(f"SQLite refuses a value: {error}")
    kind, told = _MEANINGS.get(
        code, (ProtocolError, "SQLite could not carry this out on {name!r}: {error}")
    )
    return kind(told.format(name=Path(path).name, error=error))
