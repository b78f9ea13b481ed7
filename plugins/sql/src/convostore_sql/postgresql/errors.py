"""Mapping of PostgreSQL's errors to the library's. No statement may be known here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

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

from ..inspection import missing
from ..queries import Rerun

_AGAIN: Final = frozenset({"40001", "40P01", "23505"})
"""Serialisation failure, deadlock, and an id that another transaction has just stored."""
_LOCKED: Final = frozenset({"55P03"})
_NO_DATABASE: Final = frozenset({"3D000"})
_REFUSED: Final = frozenset({"28000", "28P01", "42501"})
_READ_ONLY: Final = frozenset({"25006"})
_STATEMENT_MODE: Final = "not allowed in statement pooling mode"
"""What PgBouncer says to a BEGIN; there is no state for it."""
_ENDED: Final = ("server closed the connection", "terminating connection")
"""The messages of libpq for a connection that ended while it was made; it has no state then."""


def translate(error: psycopg.Error, *, broken: bool) -> StoreError:
    """Return the library's error for one of psycopg's.

    Args:
        error: The error of psycopg.
        broken: Whether its connection is closed.
    """
    state = error.sqlstate or ""
    text = _first_line(error)
    if isinstance(error, psycopg_pool.PoolClosed | psycopg_pool.PoolTimeout):
        return closed() if isinstance(error, psycopg_pool.PoolClosed) else no_connection()
    if _STATEMENT_MODE in text:
        return _no_transactions()
    if broken or _may_succeed_again(state, text):
        return Rerun(f"PostgreSQL failed: {text}")
    return _final(error, state, text)


def _may_succeed_again(state: str, text: str) -> bool:
    return state in _AGAIN or (not state and any(words in text for words in _ENDED))


def _final(error: psycopg.Error, state: str, text: str) -> StoreError:
    if state in _LOCKED:
        return UnavailableError(
            "another writer locked this conversation for longer than the option timeout allows: "
            "try again, or raise it"
        )
    if state in _READ_ONLY:
        return AuthError(
            f"PostgreSQL is read-only, as a replica or for this user: {text}: write to the "
            "primary, or as a user with the right to write"
        )
    if state in _REFUSED or "password authentication failed" in text or "no password" in text:
        return AuthError(
            f"PostgreSQL refuses this user: {text}: check the user, the password and the rights"
        )
    if state in _NO_DATABASE or ("does not exist" in text and "database" in text):
        return ConfigError(f"{text}: create it first, or name another one")
    if state in _MAKE:
        return _MAKE[state](text)
    if state.startswith("22") or isinstance(error, psycopg.DataError):
        return InvalidError(f"PostgreSQL refuses a value: {text}")
    if isinstance(error, psycopg.OperationalError):
        return UnavailableError(
            f"PostgreSQL cannot be reached or is out of resources: {text}: check the address and "
            "the server"
        )
    return ProtocolError(f"PostgreSQL failed: {text}")


def closed() -> InvalidError:
    """Make the error of a call whose store was closed meanwhile."""
    return InvalidError("this store is closed: open it again")


def no_connection() -> UnavailableError:
    """Make the error of a call that waited for a connection in vain."""
    return UnavailableError(
        "no connection to PostgreSQL was free within the option timeout: "
        "raise it or concurrency, or check the server"
    )


def _no_transactions() -> ConfigError:
    return ConfigError(
        "the pooler in front of PostgreSQL must allow transactions, got statement mode: "
        "set pool_mode=transaction (or session) for this database in PgBouncer"
    )


def wrong_encoding(encoding: str | None) -> ConfigError:
    """Make the error of a database that cannot store every text."""
    return ConfigError(
        f"the database's encoding must be UTF8, got {encoding}: create one with ENCODING 'UTF8', "
        "or texts are lost"
    )


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def translated(connection: psycopg.BaseConnection[Any] | None) -> Iterator[None]:
    """Raise the library's errors in place of psycopg's.

    Raises:
        Rerun: Nothing was committed, and another run may succeed.
    """
    handled = sys.exception()
    try:
        yield
    except (psycopg.Error, AssertionError) as error:
        cause = _cause(error, handled)
        if not isinstance(cause, psycopg.Error):
            raise cause from None
        broken = connection is not None and connection.closed
        raise translate(cause, broken=broken) from error
    except OverflowError:
        raise InvalidError("a number must be within PostgreSQL's range of 64 bits") from None
    except UnicodeEncodeError:
        raise InvalidError("invalid cursor: pass page.cursor unchanged") from None


def _cause(error: BaseException, handled: BaseException | None) -> BaseException:
    """Return the cancellation or interrupt that an error hides, or what was raised first.

    One that strikes in a pipeline of psycopg (3.3) makes it fail to leave that, with an
    AssertionError or another error, which takes the place of the first.

    Args:
        error: What was raised in the end.
        handled: What the caller was handling before.
    """
    while not error.__suppress_context__ and error.__context__ not in {None, handled}:
        error = error.__context__
        if not isinstance(error, psycopg.Error | AssertionError):
            break
    return error


@contextmanager
def committing(connection: psycopg.BaseConnection[Any]) -> Iterator[None]:
    """Translate errors of a commit: if the connection breaks, its outcome is unknown."""
    try:
        with translated(connection):
            yield
    except Rerun as error:
        if connection.closed:
            raise UnavailableError(
                "the connection broke during the commit, and whether it took place is unknown: "
                "repeat the call if the error is retryable, else read what is stored"
            ) from error
        raise


def _too_large(text: str) -> InvalidError:
    return InvalidError(f"PostgreSQL cannot store a value (perhaps an id is too long): {text}")


_MAKE: Final[Mapping[str, Callable[[str], StoreError]]] = {
    "42P01": missing,
    "42703": missing,
    "54000": _too_large,
}
"""Makers of the errors of states: an unknown table, an unknown column, a value too large."""
