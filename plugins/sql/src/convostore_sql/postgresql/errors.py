"""Mapping of PostgreSQL's errors to the library's. No connection may be known here."""

from __future__ import annotations

from typing import Final

import psycopg
import psycopg_pool

from convostore.errors import (
    AuthError,
    ConfigError,
    InvalidError,
    ProtocolError,
    StoreError,
    UnavailableError,
)

from ..queries import Rerun

_AGAIN: Final = frozenset({"40001", "40P01", "23505"})
"""Serialisation failure, deadlock, and an id that another transaction has just stored."""
_LOCKED: Final = frozenset({"55P03"})
_NO_DATABASE: Final = frozenset({"3D000"})
_REFUSED: Final = frozenset({"28000", "28P01", "42501"})
_READ_ONLY: Final = frozenset({"25006"})
_TOO_LARGE: Final = frozenset({"54000"})


def translate(error: psycopg.Error, *, broken: bool) -> StoreError:
    """Return the library's error for one of psycopg's.

    Args:
        error: The error of psycopg.
        broken: Whether its connection is closed.
    """
    state = error.sqlstate or ""
    text = _first_line(error)
    if isinstance(error, psycopg_pool.PoolClosed | psycopg_pool.PoolTimeout):
        return closed() if isinstance(error, psycopg_pool.PoolClosed) else _no_connection()
    if state in _AGAIN or broken:
        return Rerun(f"PostgreSQL failed: {text}")
    if state in _LOCKED:
        return UnavailableError(
            "another writer held this conversation for longer than the option timeout allows"
        )
    if state in _READ_ONLY:
        return AuthError(f"PostgreSQL is read-only here, as a replica or for this user: {text}")
    if state in _REFUSED or "password authentication failed" in text or "no password" in text:
        return AuthError(f"PostgreSQL refuses this user: {text}")
    if state in _NO_DATABASE or ("does not exist" in text and "database" in text):
        return ConfigError(f"{text}: create it first, or name another one")
    if state in _TOO_LARGE:
        return InvalidError(f"PostgreSQL cannot store a value, an id may be too long: {text}")
    if state.startswith("22") or isinstance(error, psycopg.DataError):
        return InvalidError(f"PostgreSQL refuses a value: {text}")
    if isinstance(error, psycopg.OperationalError):
        return UnavailableError(f"PostgreSQL is out of reach or out of room: {text}")
    return ProtocolError(f"PostgreSQL failed: {text}")


def closed() -> InvalidError:
    """Make the error of a call whose store was closed meanwhile."""
    return InvalidError("this store is closed: open it again")


def _no_connection() -> UnavailableError:
    return UnavailableError(
        "no connection to PostgreSQL was free within the option timeout: "
        "raise it or concurrency, or check the server"
    )


def wrong_encoding(encoding: str | None) -> ConfigError:
    """Make the error of a database that cannot store every text."""
    return ConfigError(
        f"the database's encoding must be UTF8, got {encoding}: create one with ENCODING 'UTF8', "
        "or texts are lost"
    )


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
