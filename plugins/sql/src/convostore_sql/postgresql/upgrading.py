"""The upgrade of the tables while other processes use them, and the index that is made meanwhile.

To add a column takes a lock that no other may hold, and who waits for it keeps out all who come
later. So the upgrade waits for two seconds at most, and then lets the others through before it
tries again. No column may be known here.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import psycopg
from psycopg import errors

from convostore.flow import run

from ..migrations import is_current, upgrade
from ..queries import Query, Reply, Row, pause_after
from ..statements import statements_of
from ..tables import OWNED, POSTGRESQL

_Session = psycopg.Connection[Row]

_LONGEST_WAIT: Final = 2.0
"""Seconds for which the upgrade may keep out others."""
_ATTEMPTS: Final = 5
_INDEX: Final = f"""
SELECT i.indisvalid, EXISTS (
    SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.relid = i.indrelid
) FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = '{OWNED}' AND n.nspname = ANY (current_schemas(false))
"""  # noqa: S608
_LOG: Final = logging.getLogger("convostore.sql")


def prepare_tables(
    session: _Session, send: Callable[[Query], Reply], *, create: bool, timeout: float
) -> None:
    """Make the tables, or upgrade them to this version.

    Args:
        session: The connection, in no transaction.
        send: Sends a query on it.
        create: Whether tables that are missing may be made.
        timeout: Seconds after which no further attempt is made.
    """
    if not run(is_current(statements_of(POSTGRESQL), create=create), send):
        _upgrade(session, send, timeout)
    _require_index(session)


def _upgrade(session: _Session, send: Callable[[Query], Reply], timeout: float) -> None:
    until = time.monotonic() + timeout
    wait = max(1, math.ceil(1000 * min(timeout, _LONGEST_WAIT)))
    number = 0
    while True:
        try:
            with session.transaction():
                session.execute(f"SET LOCAL lock_timeout = {wait}", prepare=False)
                run(upgrade(statements_of(POSTGRESQL)), send)
            return
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            if time.monotonic() > until:
                raise
        time.sleep(pause_after(number))
        number += 1


def _require_index(session: _Session) -> None:
    """Make the index of owners if it is missing or was left half made.

    A store does without it, only slower: what fails is logged, and the next opening tries again.
    """
    try:
        for number in range(_ATTEMPTS):
            if _is_made(session):
                return
            time.sleep(pause_after(number))
    except psycopg.Error as error:
        _LOG.warning("the index %s could not be made: %s", OWNED, type(error).__name__)


def _is_made(session: _Session) -> bool:
    """Return whether the index is there, or is being built; build it otherwise."""
    found = session.execute(_INDEX, prepare=False).fetchone()
    if found is not None:
        is_valid, is_being_made = found
        if is_valid or is_being_made:
            return True
        session.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {OWNED}", prepare=False)
    create = statements_of(POSTGRESQL).tables.create_owned(concurrently=True)
    with suppress(errors.DeadlockDetected, errors.UniqueViolation):  # another makes it, too
        session.execute(create, prepare=False)
    return False
