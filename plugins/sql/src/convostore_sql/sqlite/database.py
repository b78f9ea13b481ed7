"""A SQLite database for both faces: its connections, and units of queries in transactions.

No adapter and no operation may be known here.
"""
# Units. Every call of a store is one unit: `Database.run` takes a connection, sends the flow's
# queries on it, and commits. A unit whose first query writes begins with BEGIN IMMEDIATE, which
# takes the file's write lock before anything is read: so what a unit reads cannot change before
# it writes, and a transaction is never upgraded from reading to writing, which SQLite refuses
# when another writer was faster. A unit that only reads needs no transaction; each of its
# statements sees one moment. Writing ahead (WAL) lets readers read while somebody writes.
#
# Waiting. SQLite has one writer per file, and no queue: who finds the lock taken sleeps and tries
# again. Within one process that would be unfair and slow, so writers of one `Database` first
# queue for `_writing`, a lock of Python; only the one at its head competes with other processes.
# A database in memory has a single connection, for which readers queue as well (`_alone`). All
# waits of a unit draw from one budget, `timeout`, in steps of `_PATIENCE` seconds: `_waits`
# yields the next step as long as the budget lasts, and between two steps a cancellation or an
# interrupt is noticed. For the same reason the connection's own busy_timeout is that short.
#
# Cancellation. The async face runs a unit in a worker thread, and cancels it with a `Ticket`. A
# unit that reads is interrupted in the midst of a statement. One that writes stops between two
# statements: after an interrupt within a transaction SQLite may refuse even the ROLLBACK. Once
# COMMIT has begun, the unit is done. `leave` may run twice, because a KeyboardInterrupt may
# strike inside the first run; the locks are reentrant, and so know their owner, that a release is
# right wherever it struck.
#
# Connections. At most `concurrency` units run at a time, in whatever threads, and idle connections
# are kept for later ones. A unit that writes queues for its turn first and for a slot then: those
# that only wait to write must not take the slots of those that could read. A connection that cannot
# leave its transaction is closed. When the last store that uses the database is closed, the idle
# connections are, and the rest as soon as their units end.
#
# Replaced files. A process that deletes or replaces the file leaves an open connection with a
# file that nobody will ever open again, and further connections would open another one. So each
# unit first compares device and inode of the path with those that were opened first, and raises
# ConfigError: what it writes would be lost in silence, what it reads belongs to another history.
# A new connection is compared once it is open. Only the first one may make the file.
#
# Newer tables. While this store is open, a process with a newer version of this library may upgrade
# the tables. A unit that writes reads their version once it has the write lock, and refuses.
#
# Forks. POSIX locks belong to a process: when any descriptor of the file is closed, the process
# loses its locks on it, whoever took them. SQLite therefore keeps tables of its locks in memory,
# which a child inherits and believes to hold. So before a fork all idle connections are closed
# (`_before_fork`). A unit that runs in another thread at that moment cannot be: the child then
# neither uses nor closes what it inherited, and raises ConfigError rather than lose what is
# written.

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

from convostore.errors import ConfigError, StoreError
from convostore.flow import Flow, run

from ..migrations import is_current, refuse_newer, upgrade
from ..queries import Query, Reply
from ..statements import statements_of
from ..tables import SQLITE
from .errors import Cancelled, absent, busy, crowded, is_busy, replaced, translate
from .files import Identity, file_uri, identity, require_features, write_ahead
from .slots import Slots

T = TypeVar("T")

MEMORY: Final = ":memory:"
_NOT_UTF8: Final = "Could not decode to UTF-8"
_PATIENCE: Final = 0.1
"""Seconds after which a waiting unit checks whether it was cancelled or interrupted."""


_VERSION: Final = "SELECT version FROM convostore_schema"
"""Written out, as each unit that writes sends it."""


class _Connection(sqlite3.Connection):
    """A connection that weak references can refer to."""


class Database:
    """A database and its open connections; threads may share it.

    A database in memory has a single connection, which lives as long as this object.
    """

    def __init__(
        self, path: str, *, timeout: float, full: bool, concurrency: int, create: bool
    ) -> None:
        self.path = path
        self.timeout = timeout
        self._concurrency = concurrency
        self._create = create
        self._synchronous = "FULL" if full else "NORMAL"
        self._users = 0
        self._only: sqlite3.Connection | None = None
        self._idle: list[sqlite3.Connection] = []
        self._open: weakref.WeakSet[sqlite3.Connection] = weakref.WeakSet()
        self._inherited: list[sqlite3.Connection] = []
        self._current = False
        self._file: Identity | None = None
        self._make_locks()
        _DATABASES.add(self)

    def _make_locks(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._preparing = threading.Lock()
        # Reentrant locks know their owner: a release is safe wherever an interrupt struck.
        self._writing = threading.RLock()
        self._alone = threading.RLock() if self.path == MEMORY else None
        self.slots = Slots(self._concurrency)

    def opened(self) -> Self:
        """Count one more user of the database."""
        with suppress(ConfigError):
            self._check_fork()
        with self._lock:
            self._users += 1
        return self

    def close(self) -> None:
        """Count one user less; close the connections when there is none."""
        with suppress(ConfigError):
            self._check_fork()
        with self._lock:
            self._users -= 1
            users = self._users
        if users <= 0:
            self.close_idle()

    def run(self, make: Callable[[], Flow[Query, Reply, T]], ticket: Ticket | None = None) -> T:
        """Run a flow as one unit: all of it, or nothing.

        Raises:
            UnavailableError: Others wrote, or held all slots, for longer than `timeout` seconds.
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
                unit.leave()  # finishes what an interrupt cut off

    def queue_lock(self, *, writes: bool) -> threading.RLock | None:
        """Return the lock that a unit must hold; None for one that may run beside others.

        Raises:
            ConfigError: This process was forked while the database was in use.
        """
        self._check_fork()
        return self._alone or (self._writing if writes else None)

    def check_file(self) -> None:
        """Check that the path still names the file that was opened first.

        Raises:
            ConfigError: The file was moved, deleted or replaced.
        """
        if self._file is not None and self._file != identity(self.path):
            raise replaced(self.path)

    def take(self) -> sqlite3.Connection:
        """Return a connection for the caller's exclusive use until it is returned.

        Raises:
            StoreError: The database cannot be opened.
        """
        if self._alone is not None:
            self._only = self._only or self._connect()
            return self._only
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._connect()

    def give_back(self, connection: sqlite3.Connection) -> None:
        """Return a connection to the pool; close one that cannot leave its transaction."""
        if self._alone is not None:
            return
        with self._lock:
            is_reusable = self._users > 0 and not connection.in_transaction
            if is_reusable:
                self._idle.append(connection)
        if not is_reusable:
            self._close(connection)

    def close_idle(self) -> None:
        """Close the connections that no unit uses; later units open new ones."""
        if self._alone is None:
            with self._lock:
                idle, self._idle = self._idle, []
            for connection in idle:
                self._close(connection)

    def _close(self, connection: sqlite3.Connection) -> None:
        connection.close()
        self._open.discard(connection)

    def _check_fork(self) -> None:
        """Set aside the connections that were inherited by a fork, neither using nor closing them.

        Raises:
            ConfigError: Another thread was using the database when the process was forked. SQLite
                then takes the parent's locks for its own, and writes could be lost.
        """
        if self._pid != os.getpid():
            self._make_locks()
            self._inherited, self._idle = [*self._open], []
        if self._inherited:
            raise ConfigError(
                f"this process was forked while {Path(self.path).name!r} was in use: fork earlier, "
                "start processes with spawn, or open the store in each process"
            )

    def _connect(self) -> sqlite3.Connection:
        connection: _Connection | None = None
        try:
            connection = sqlite3.connect(
                self._address(),
                uri=True,
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
                raise self.failure(error) from error
            raise
        if self._alone is None:
            self._open.add(connection)
        else:
            weakref.finalize(self, connection.close)
        return connection

    def _address(self) -> str:
        if self._alone is not None:
            return MEMORY
        return file_uri(self.path, create=self._create and self._file is None)

    def failure(self, error: Exception) -> StoreError:
        """Return the error of ours for one of SQLite's, or for the reason of it."""
        if self._file is not None:
            if self._file != identity(self.path):
                return replaced(self.path)
        elif not self._create and self._alone is None and identity(self.path) is None:
            return absent(self.path)
        return translate(error, self.path)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        with self._preparing:
            self._prepare_tables(connection)
        patience = int(1000 * min(self.timeout, _PATIENCE))
        connection.execute(f"PRAGMA busy_timeout = {patience}").fetchone()

    def _prepare_tables(self, connection: sqlite3.Connection) -> None:
        if self._current and self._alone is None:
            self.check_file()
            return
        opened = identity(self.path)
        require_features(connection)
        statements = statements_of(SQLITE)

        def send(query: Query) -> Reply:
            return _execute(connection, query)

        if self._alone is None:
            if not self._create:  # a file of another program is not even switched
                run(is_current(statements, create=False), send)
            write_ahead(connection, time.monotonic() + self.timeout)
        if not run(is_current(statements), send):
            connection.execute("BEGIN IMMEDIATE")
            with _ending(connection):
                run(upgrade(statements), send)
        if self._alone is None:
            self._file = opened
            self.check_file()
        self._current = True


_DATABASES: Final[weakref.WeakSet[Database]] = weakref.WeakSet()


def _before_fork() -> None:
    """Close idle connections, whose locks a child would take for its own."""
    for database in [*_DATABASES]:
        database.close_idle()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork)


class Ticket:
    """Cancellation of a unit from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self.cancelled = False

    def cancel(self) -> None:
        """Stop the unit before its next statement; while it only reads, in the midst of one."""
        with self._lock:
            self.cancelled = True
            if self._connection is not None:
                self._connection.interrupt()

    def set_connection(self, connection: sqlite3.Connection | None) -> None:
        """Set the connection to interrupt: that of a reading unit, or None once it has ended.

        A writing unit is never interrupted: within a transaction SQLite may then refuse even the
        ROLLBACK.
        """
        with self._lock:
            self._connection = connection

    def check(self) -> None:
        """Check whether the unit may continue.

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
        self._queue_lock: threading.RLock | None = None
        self._connection: sqlite3.Connection | None = None

    def send(self, query: Query) -> Reply:
        connection = self._connection or self._begin(writes=query.writes)
        self._ticket.check()
        return self._retry(lambda: _execute(connection, query))

    def commit(self) -> None:
        """Commit the unit's transaction, if it has one.

        Raises:
            Cancelled: The unit was cancelled before.
        """
        connection = self._connection
        if connection is not None and connection.in_transaction:
            self._ticket.check()
            self._retry(lambda: connection.execute("COMMIT"))

    def leave(self) -> None:
        """Roll back what was not committed, and release everything; a second call is harmless."""
        connection = self._connection
        if connection is not None:
            if connection.in_transaction:
                _roll_back(connection)
            self._ticket.set_connection(None)
            self._connection = None
            self._database.give_back(connection)
        self._database.slots.give_back(self)
        if self._queue_lock is not None:
            with suppress(RuntimeError):  # it was not acquired yet
                self._queue_lock.release()
            self._queue_lock = None

    def _begin(self, *, writes: bool) -> sqlite3.Connection:
        database = self._database
        self._queue_lock = database.queue_lock(writes=writes)
        if self._queue_lock is not None:
            self._acquire(self._queue_lock)
        if not database.slots.take(self, self._waits):
            raise crowded()
        connection = self._connection = database.take()
        if writes:
            self._retry(lambda: connection.execute("BEGIN IMMEDIATE"))
            database.check_file()  # now, as waiting for the lock may have taken long
            self._retry(lambda: _refuse_newer(connection))
        else:
            database.check_file()
            self._ticket.set_connection(connection)
        return connection

    def _acquire(self, lock: threading.RLock) -> None:
        for seconds in self._waits:
            if lock.acquire(timeout=seconds):
                return
        raise busy()

    def _retry(self, work: Callable[[], T]) -> T:
        """Retry the work while other processes hold the file's lock."""
        while True:
            try:
                return work()
            except (sqlite3.Error, OverflowError, UnicodeEncodeError) as error:
                if not is_busy(error) or next(self._waits, None) is None:
                    raise self._database.failure(error) from error

    def _pauses(self) -> Iterator[float]:
        """Yield the seconds of each wait until the database's timeout is over.

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


def _execute(connection: sqlite3.Connection, query: Query) -> Reply:
    if query.many:
        cursor = connection.executemany(query.sql, query.values)
    else:
        cursor = connection.execute(query.sql, query.values)
    try:
        return Reply(cursor.fetchall(), cursor.rowcount)
    except sqlite3.OperationalError as error:
        if not str(error).startswith(_NOT_UTF8):
            raise
        return _execute_leniently(connection, query)


def _execute_leniently(connection: sqlite3.Connection, query: Query) -> Reply:
    """Execute a SELECT again; a text that is not UTF-8 comes as bytes, and costs no other row."""
    connection.text_factory = _text_or_bytes
    try:
        return Reply(connection.execute(query.sql, query.values).fetchall(), -1)
    finally:
        connection.text_factory = str


def _text_or_bytes(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _refuse_newer(connection: sqlite3.Connection) -> None:
    for (version,) in connection.execute(_VERSION):
        refuse_newer(version)


@contextmanager
def _ending(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        _roll_back(connection)
        raise


def _roll_back(connection: sqlite3.Connection) -> None:
    """Roll back a transaction, unless SQLite has done so already."""
    with suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")
