"""A SQLite database as both faces use it: its connections and its units.

Writers of one process wait in a queue, as SQLite lets those of several only look again and again.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self, TypeVar

from convostore.errors import ConfigError
from convostore.flow import Flow, run

from ..migrations import is_current, upgrade
from ..queries import Query, Reply
from ..statements import statements_of
from ..tables import SQLITE
from .errors import Cancelled, busy, is_busy, meaning

T = TypeVar("T")

MEMORY: Final = ":memory:"
_OLDEST: Final = (3, 35, 0)
_PAUSE: Final = 0.01
_PATIENCE: Final = 0.1
"""Seconds after which one who waits looks whether it was cancelled or interrupted."""


class _Connection(sqlite3.Connection):
    """One that can be referred to weakly."""


class Database:
    """A database with the connections that are open to it; threads may share it.

    One in memory has a single connection, which lives as long as this object.
    """

    def __init__(self, path: str, *, timeout: float, full: bool) -> None:
        self.path = path
        self.timeout = timeout
        self._synchronous = "FULL" if full else "NORMAL"
        self._users = 0
        self._only: sqlite3.Connection | None = None
        self._idle: list[sqlite3.Connection] = []
        self._open: weakref.WeakSet[sqlite3.Connection] = weakref.WeakSet()
        self._inherited: list[sqlite3.Connection] = []
        self._current = False
        self._file: tuple[int, int] | None = None
        self._make_locks()
        _DATABASES.add(self)

    def _make_locks(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._preparing = threading.Lock()
        # They know who holds them, so that to let go is right whatever an interrupt cut off.
        self._writing = threading.RLock()
        self._alone = threading.RLock() if self.path == MEMORY else None

    def opened(self) -> Self:
        """Counts one more that uses the database."""
        with suppress(ConfigError):
            self._see_to_forks()
        with self._lock:
            self._users += 1
        return self

    def close(self) -> None:
        """Closes the connections once nobody uses the database any more."""
        with suppress(ConfigError):
            self._see_to_forks()
        with self._lock:
            self._users -= 1
            users = self._users
        if users <= 0:
            self.close_idle()

    def run(self, make: Callable[[], Flow[Query, Reply, T]], ticket: Ticket | None = None) -> T:
        """Carries a flow out as one unit: all of it, or nothing.

        Raises:
            UnavailableError: Others wrote for longer than `timeout` seconds.
        """
        unit = _Unit(self, ticket or Ticket())
        try:
            result = run(make(), unit.send)
            unit.commit()
            return result
        finally:
            try:
                unit.leave()
            finally:
                unit.leave()  # what an interrupt kept the first from

    def turn(self, *, writes: bool) -> threading.RLock | None:
        """What those hold who cannot go on side by side.

        Raises:
            ConfigError: What would be written is lost: its file was deleted or replaced.
        """
        self._see_to_forks()
        if writes and self._file is not None and self._file != _identity(self.path):
            raise ConfigError(
                f"{Path(self.path).name!r} was moved, deleted or replaced while this store was "
                "open: open the store again"
            )
        return self._alone or (self._writing if writes else None)

    def take(self) -> sqlite3.Connection:
        """A connection that is the caller's alone until it is given back.

        Raises:
            StoreError: There is no database to be had.
        """
        if self._alone is not None:
            self._only = self._only or self._connect()
            return self._only
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._connect()

    def give_back(self, connection: sqlite3.Connection) -> None:
        """Ends what `take` began; one that cannot leave its transaction is of no use any more."""
        if self._alone is not None:
            return
        with self._lock:
            kept = self._users > 0 and not connection.in_transaction
            if kept:
                self._idle.append(connection)
        if not kept:
            self._close(connection)

    def close_idle(self) -> None:
        """Closes what nobody uses at the moment; it is opened again when it is wanted."""
        if self._alone is None:
            with self._lock:
                idle, self._idle = self._idle, []
            for connection in idle:
                self._close(connection)

    def _close(self, connection: sqlite3.Connection) -> None:
        connection.close()
        self._open.discard(connection)

    def _see_to_forks(self) -> None:
        """Leaves alone what another process has open: neither used nor closed here.

        Raises:
            ConfigError: Another thread was using this database when the process was forked. SQLite
                then takes the other process's locks for its own, and what is written can be lost.
        """
        if self._pid != os.getpid():
            self._make_locks()
            self._inherited, self._idle = [*self._open], []
        if self._inherited:
            raise ConfigError(
                f"this process was forked while {Path(self.path).name!r} was in use: fork before, "
                "start processes by spawn, or open the store in each of them"
            )

    def _connect(self) -> sqlite3.Connection:
        connection: _Connection | None = None
        try:
            connection = sqlite3.connect(
                self.path,
                timeout=self.timeout,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
                factory=_Connection,
            )
            self._prepare(connection)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, sqlite3.Error):
                raise meaning(error, self.path) from error
            raise
        if self._alone is None:
            self._open.add(connection)
        else:
            weakref.finalize(self, connection.close)
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        with self._preparing:
            self._see_to_tables(connection)
        patience = int(1000 * min(self.timeout, _PATIENCE))
        connection.execute(f"PRAGMA busy_timeout = {patience}").fetchone()

    def _see_to_tables(self, connection: sqlite3.Connection) -> None:
        if self._current and self._alone is None:
            return
        _require_what_is_needed(connection)
        if self._alone is None:
            _write_ahead(connection, time.monotonic() + self.timeout)
        statements = statements_of(SQLITE)
        if not run(is_current(statements), lambda query: _carried_out(connection, query)):
            connection.execute("BEGIN IMMEDIATE")
            with _ending(connection):
                run(upgrade(statements), lambda query: _carried_out(connection, query))
        self._file = _identity(self.path)
        self._current = True


_DATABASES: Final[weakref.WeakSet[Database]] = weakref.WeakSet()


def _before_fork() -> None:
    """Keeps a child from inheriting connections, whose locks it would take for its own."""
    for database in [*_DATABASES]:
        database.close_idle()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork)


class Ticket:
    """Lets a unit be cancelled from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self.cancelled = False

    def cancel(self) -> None:
        """Ends the unit at its next statement, or where it reads, in the midst of one."""
        with self._lock:
            self.cancelled = True
            if self._connection is not None:
                self._connection.interrupt()

    def give(self, connection: sqlite3.Connection | None) -> None:
        """Says what the unit reads on; None when it has ended.

        One that writes is not to be torn off: within a transaction SQLite may stay interrupted, and
        then takes no ROLLBACK either.
        """
        with self._lock:
            self._connection = connection

    def check(self) -> None:
        """Looks whether the unit may go on.

        Raises:
            Cancelled: It was cancelled.
        """
        if self.cancelled:
            raise Cancelled("cancelled")


class _Unit:
    """One flow's queries, in one transaction where the first of them writes."""

    def __init__(self, database: Database, ticket: Ticket) -> None:
        self._database = database
        self._ticket = ticket
        self._waits = self._pauses()
        self._turn: threading.RLock | None = None
        self._connection: sqlite3.Connection | None = None

    def send(self, query: Query) -> Reply:
        connection = self._connection or self._begin(writes=query.writes)
        self._ticket.check()
        return self._patiently(lambda: _carried_out(connection, query))

    def commit(self) -> None:
        """Makes fast what was written.

        Raises:
            Cancelled: Nobody wants it any more.
        """
        connection = self._connection
        if connection is not None and connection.in_transaction:
            self._ticket.check()
            self._patiently(lambda: connection.execute("COMMIT"))

    def leave(self) -> None:
        """Rolls back what was not committed, and lets go of everything; twice does no harm."""
        connection = self._connection
        if connection is not None:
            if connection.in_transaction:
                _roll_back(connection)
            self._ticket.give(None)
            self._connection = None
            self._database.give_back(connection)
        if self._turn is not None:
            with suppress(RuntimeError):  # it had not come yet
                self._turn.release()
            self._turn = None

    def _begin(self, *, writes: bool) -> sqlite3.Connection:
        self._turn = self._database.turn(writes=writes)
        if self._turn is not None:
            self._await(self._turn)
        connection = self._connection = self._database.take()
        if writes:
            self._patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
        else:
            self._ticket.give(connection)
        return connection

    def _await(self, turn: threading.RLock) -> None:
        for seconds in self._waits:
            if turn.acquire(timeout=seconds):
                return
        raise busy()

    def _patiently(self, work: Callable[[], T]) -> T:
        """Does what other processes may keep from being done for a while."""
        while True:
            try:
                return work()
            except (sqlite3.Error, OverflowError, UnicodeEncodeError) as error:
                if not is_busy(error) or next(self._waits, None) is None:
                    raise meaning(error, self._database.path) from error

    def _pauses(self) -> Iterator[float]:
        """How long to wait each time, from the first time on until the database's timeout is over.

        Raises:
            Cancelled: The unit was cancelled meanwhile.
        """
        until = time.monotonic() + self._database.timeout
        rest = self._database.timeout
        while True:
            self._ticket.check()
            yield max(0.0, min(rest, _PATIENCE))
            if rest <= 0:
                return
            rest = until - time.monotonic()


def _identity(path: str) -> tuple[int, int] | None:
    """What tells a file from another one that has its name; None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116  # looked at for each write: a third of the time
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _carried_out(connection: sqlite3.Connection, query: Query) -> Reply:
    if query.many:
        cursor = connection.executemany(query.sql, query.values)
    else:
        cursor = connection.execute(query.sql, query.values)
    return Reply(cursor.fetchall(), cursor.rowcount)


@contextmanager
def _ending(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        _roll_back(connection)
        raise


def _roll_back(connection: sqlite3.Connection) -> None:
    """Ends a transaction without a trace; SQLite may have done so already."""
    with suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _require_what_is_needed(connection: sqlite3.Connection) -> None:
    options = {row[0] for row in connection.execute("PRAGMA compile_options")}
    if sqlite3.sqlite_version_info < _OLDEST or "ENABLE_FTS5" not in options:
        wanted = ".".join(map(str, _OLDEST))
        raise ConfigError(
            f"this Python's SQLite is {sqlite3.sqlite_version}, "
            f"{'with' if 'ENABLE_FTS5' in options else 'without'} FTS5: convostore-sql needs "
            f"{wanted} or newer, with FTS5"
        )


def _write_ahead(connection: sqlite3.Connection, until: float) -> None:
    """Lets readers read while another one writes; the file remembers it."""
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            if mode != "wal":
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            # SQLite does not wait here by itself while another process does the same.
            if not is_busy(error) or time.monotonic() > until:
                raise
            time.sleep(_PAUSE)
