"""Sessions: connections of psycopg, and what is sent on them besides the queries of flows.

Behind a pooler, such as PgBouncer, a session may be lent: each transaction may run on another of
the server's connections. A prepared statement, or a setting, would then be met by other clients,
and theirs here. So a new connection compares the process that was announced with the one that
answers, and if they differ, nothing outlasts a transaction.
"""

from __future__ import annotations

import math
import threading
from typing import Any, Final, TypeAlias

import psycopg
from psycopg import generators
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, PipelineStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from ..migrations import refuse_newer
from ..options import PostgreSQLOptions
from ..queries import Query, Reply, Row
from ..statements import statements_of
from ..tables import POSTGRESQL
from .errors import translated, wrong_encoding
from .upgrading import prepare_tables

COMMIT: Final = b"COMMIT"
ROLLBACK: Final = b"ROLLBACK"
_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
"""Explicit, as the server's default may differ: flows lock the rows that they will change."""
_VERSION: Final = "convostore_version"
"""Name of the prepared statement that reads the version of the tables: each unit asks for it."""
_BEGIN_AGAIN: Final = f"{_BEGIN}; EXECUTE {_VERSION}".encode()
_PATIENCE: Final = 1.0
"""Least number of seconds to get a connection, however short the timeout is."""
_PREPARED_AFTER: Final = 5
"""Number of executions after which a statement is prepared; psycopg's default."""


class Session(psycopg.Connection[Row]):
    """A connection of the sync face.

    Attributes:
        is_lent: Whether each transaction may run on another of the server's connections.
        knows_version: Whether the statement that reads the tables' version is prepared.
        is_old_at: Time of the monotonic clock at which it is not used again.
        idle_since: Time of the monotonic clock at which it was last returned.
    """

    is_lent: bool = True
    knows_version: bool = False
    is_old_at: float = math.inf
    idle_since: float = 0.0


class AsyncSession(psycopg.AsyncConnection[Row]):
    """A connection of the async face.

    Attributes:
        is_lent: Whether each transaction may run on another of the server's connections.
        knows_version: Whether the statement that reads the tables' version is prepared.
    """

    is_lent: bool = True
    knows_version: bool = False


AnySession: TypeAlias = Session | AsyncSession


class Settings:
    """The common settings of the connections of either face, and the preparation of the tables.

    Attributes:
        parameters: What psycopg connects with.
        size: Most connections at a time.
        timeout: Seconds to wait for what another transaction holds.
        patience: Seconds to wait for a connection.
    """

    def __init__(self, parameters: dict[str, Any], options: PostgreSQLOptions) -> None:
        self.parameters = {**parameters, "autocommit": True, "prepare_threshold": None}
        self.size = options.concurrency
        self.timeout = options.timeout
        self.patience = max(options.timeout, _PATIENCE)
        self._create = options.create
        self._prepare = options.prepare
        milliseconds = max(1, math.ceil(options.timeout * 1000))  # 0 would mean no limit
        self._lock_timeout = f"SET LOCAL lock_timeout = {milliseconds}"
        self._question = (
            "SELECT CASE WHEN pg_backend_pid() = {} "
            f"THEN set_config('lock_timeout', '{milliseconds}', false) END"
        )
        version = statements_of(POSTGRESQL).version().sql
        self._begin_lent = f"{_BEGIN}; {self._lock_timeout}; {version}".encode()
        prepare = f"PREPARE {_VERSION} AS {version}"
        self._begin_first = f"{_BEGIN}; {version}; {prepare}".encode()
        self._prepared = False  # no Event: an interrupt may leave its lock held
        self._lock = threading.Lock()

    # New connections

    def connect(self, timeout: int | None = None) -> Session:
        """Return a new connection.

        Args:
            timeout: Most seconds that it may take; None for the usual number.
        """
        limit = {} if timeout is None else {"connect_timeout": timeout}
        session = Session.connect(**{**self.parameters, **limit})
        try:
            question = self._question.format(session.info.backend_pid)
            self._adopt(session, session.execute(question, prepare=False).fetchone())
        except BaseException:
            session.close()
            raise
        return session

    async def configure(self, session: AsyncSession) -> None:
        """Find out whether a new connection of the async face is lent, and set it up."""
        question = self._question.format(session.info.backend_pid)
        cursor = await session.execute(question, prepare=False)
        self._adopt(session, await cursor.fetchone())

    def _adopt(self, session: AnySession, answer: Row | None) -> None:
        session.is_lent = answer is None or answer[0] is None
        if self._prepare or (self._prepare is None and not session.is_lent):
            session.prepare_threshold = _PREPARED_AFTER

    # The beginning of a unit that writes

    def begin(self, session: AnySession) -> bytes:
        """Return the statements that begin a unit, and read the version of the tables."""
        if session.is_lent:
            return self._begin_lent
        return _BEGIN_AGAIN if session.knows_version else self._begin_first

    def check_begun(self, session: AnySession, results: list[PGresult]) -> None:
        """Check the version in the replies to `begin`.

        Raises:
            ConfigError: The tables are newer than this library.
        """
        session.knows_version = not session.is_lent
        for result in results:
            for row in range(result.ntuples):
                refuse_newer(int(result.get_value(row, 0) or 0))

    # Tables

    def prepare(self) -> None:
        """Upgrade the tables on a separate connection, whose errors say more than a pool's.

        Raises:
            StoreError: The server is out of reach, or refuses.
        """
        with self._lock:
            if self._prepared:
                return
            with translated(None):
                session = self.connect()
            with session, translated(session):
                self._prepare_tables(session)
            self._prepared = True

    def _prepare_tables(self, session: Session) -> None:
        if session.is_lent:  # a pooler may refuse transactions, which a read would not notice
            send(session, _BEGIN.encode())
            send(session, ROLLBACK)
        (encoding,) = session.execute("SHOW server_encoding", prepare=False).fetchone() or (None,)
        if encoding != "UTF8":
            raise wrong_encoding(encoding)

        def reply(query: Query) -> Reply:
            return execute(session, query)

        prepare_tables(session, reply, create=self._create, timeout=self.timeout)


def is_idle(session: AnySession) -> bool:
    """Return whether nothing is under way on a session, which may be used again."""
    return (
        session.pgconn.transaction_status == TransactionStatus.IDLE
        and session.pgconn.pipeline_status == PipelineStatus.OFF
    )


def begin(session: Session, settings: Settings) -> None:
    """Begin a unit that writes.

    Raises:
        ConfigError: The tables are newer than this library.
    """
    settings.check_begun(session, send(session, settings.begin(session)))


async def begin_async(session: AsyncSession, settings: Settings) -> None:
    """Begin a unit that writes, as `begin` does."""
    settings.check_begun(session, await send_async(session, settings.begin(session)))


def send(session: Session, statements: bytes) -> list[PGresult]:
    """Send statements without values in one message; a cursor of psycopg costs as much again."""
    session.pgconn.send_query(statements)
    return _check(session.wait(generators.execute(session.pgconn)))


async def send_async(session: AsyncSession, statements: bytes) -> list[PGresult]:
    """Send statements without values in one message, as `send` does."""
    session.pgconn.send_query(statements)
    return _check(await session.wait(generators.execute(session.pgconn)))


def _check(results: list[PGresult]) -> list[PGresult]:
    for result in results:
        if result.status == ExecStatus.FATAL_ERROR:
            raise error_from_result(result)
    return results


def execute(session: Session, query: Query) -> Reply:
    """Execute a query and return its reply."""
    with session.cursor() as cursor:
        if query.many:
            cursor.executemany(query.sql, query.values)
            return Reply([], cursor.rowcount)
        cursor.execute(query.sql, query.values or None)
        return Reply([] if cursor.rownumber is None else cursor.fetchall(), cursor.rowcount)


async def execute_async(session: AsyncSession, query: Query) -> Reply:
    """Execute a query and return its reply."""
    async with session.cursor() as cursor:
        if query.many:
            await cursor.executemany(query.sql, query.values)
            return Reply([], cursor.rowcount)
        await cursor.execute(query.sql, query.values or None)
        return Reply([] if cursor.rownumber is None else await cursor.fetchall(), cursor.rowcount)
