"""What PostgreSQL's errors mean to a caller; no connection may be known here."""

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
"""Serialisation failure, deadlock, and an id that another transaction has just taken."""
_LOCKED: Final = frozenset({"55P03"})
_NO_DATABASE: Final = frozenset({"3D000"})
_REFUSED: Final = frozenset({"28000", "28P01", "42501"})
_READ_ONLY: Final = frozenset({"25006"})
_TOO_LARGE: Final = frozenset({"54000"})


def meaning(error: psycopg.Error, *, broken: bool) -> StoreError:
    """The error of ours that says what a caller can do.

    Args:
        error: psycopg's.
        broken: Whether the connection that it happened on is gone.
    """
    state = error.sqlstate or ""
    said = _first_line(error)
    if isinstance(error, psycopg_pool.PoolClosed | psycopg_pool.PoolTimeout):
        return closed() if isinstance(error, psycopg_pool.PoolClosed) else _no_connection()
    if state in _AGAIN or broken:
        return Rerun(f"PostgreSQL could not carry this out: {said}")
    if state in _LOCKED:
        return UnavailableError(
            "another writer held this conversation for longer than the option timeout allows"
        )
    if state in _READ_ONLY:
        return AuthError(
            f"PostgreSQL may only be read here, it is a replica or set so for this user: {said}"
        )
    if state in _REFUSED or "password authentication failed" in said or "no password" in said:
        return AuthError(f"PostgreSQL refuses this user: {said}")
    if state in _NO_DATABASE or ("does not exist" in said and "database" in said):
        return ConfigError(f"{said}: create it first, or name another one")
    if state in _TOO_LARGE:
        return InvalidError(f"PostgreSQL cannot keep this, an id may be too long: {said}")
    if state.startswith("22") or isinstance(error, psycopg.DataError):
        return InvalidError(f"PostgreSQL refuses a value: {said}")
    if isinstance(error, psycopg.OperationalError):
        return UnavailableError(f"PostgreSQL is out of reach or out of room: {said}")
    return ProtocolError(f"PostgreSQL could not carry this out: {said}")


def closed() -> InvalidError:
    """The error of a call that was under way when its store was closed."""
    return InvalidError("this store is closed: open it again")


def _no_connection() -> UnavailableError:
    return UnavailableError(
        "no connection to PostgreSQL was to be had within the option timeout: "
        "raise it or concurrency, or look after the server"
    )


def no_encoding(encoding: str | None) -> ConfigError:
    """The error of a database that cannot hold every text."""
    return ConfigError(
        f"this database's encoding is {encoding}: make one with ENCODING 'UTF8', or texts are lost"
    )


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
