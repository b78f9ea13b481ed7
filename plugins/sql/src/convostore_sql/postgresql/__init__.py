"""PostgreSQL: the adapter, and the transports that run its units on connections of psycopg.

A unit that fails because of another transaction is run again as a whole; so is one whose connection
broke before the commit. No statement and no column may be known here.
"""

from __future__ import annotations

import asyncio
import math
import os
import re
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar, Final, Self, TypeAlias, TypeVar
from urllib.parse import unquote

try:
    import psycopg
    import psycopg_pool
except ImportError as error:  # pragma: no cover - depends on what is installed
    raise ImportError(
        "postgresql:// needs psycopg: pip install 'convostore-sql[postgresql]'"
    ) from error

from convostore.adapters import AsyncTransport, Transport
from convostore.dsn import DSN
from convostore.errors import ConfigError, InvalidError, UnavailableError
from convostore.flow import Flow, arun, run

from ..adapter import SQLAdapter
from ..migrations import is_current, upgrade
from ..options import PostgreSQLOptions
from ..queries import MOST_RUNS, Query, Reply, Rerun, alone, pause_after, too_many_runs
from ..statements import Statements, statements_of
from ..tables import POSTGRESQL
from .errors import closed, translate, wrong_encoding

T = TypeVar("T")
_Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]
_AsyncConnection: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]

_CONNECT: Final = 10
"""Seconds that one attempt to connect may take."""
_PATIENCE: Final = 1.0
"""Least number of seconds to get a connection, however short the timeout is."""
_NO_TEXT: Final = re.compile("[\x00\ud800-\udfff]")
_BEGIN: Final = b"BEGIN ISOLATION LEVEL READ COMMITTED"
"""Explicit, as the server's default may differ: flows lock the rows that they will change."""
_COMMIT: Final = b"COMMIT"
_ROLLBACK: Final = b"ROLLBACK"


class PostgreSQLAdapter(SQLAdapter):
    """Conversations in a PostgreSQL database, which many processes may share."""

    name: ClassVar[str] = "postgresql"
    Options = PostgreSQLOptions

    def __init__(self, dsn: DSN, options: PostgreSQLOptions) -> None:
        super().__init__(dsn, options)
        self._parameters = _parameters(dsn, options)

    @property
    def _address(self) -> str:
        host = self.options.host or self.dsn.host or "localhost"
        port = f":{self.dsn.port}" if self.dsn.port else ""
        return f"postgresql://{host}{port}{self.dsn.path}"

    @property
    def _sql(self) -> Statements:
        return statements_of(POSTGRESQL)

    def transport(self) -> Transport[Query, Reply]:
        return PostgreSQLTransport(self._parameters, self.options)

    def async_transport(self) -> AsyncTransport[Query, Reply]:
        return AsyncPostgreSQLTransport(self._parameters, self.options)


def _parameters(dsn: DSN, options: PostgreSQLOptions) -> dict[str, Any]:
    if dsn.transport:
        raise ConfigError("a PostgreSQL DSN must not name HTTP: write postgresql://host/database")
    database = dsn.path.removeprefix("/")
    if "/" in database:
        raise ConfigError("a PostgreSQL DSN must name one database: postgresql://host/database")
    password = options.password.get_secret_value() if options.password else dsn.password
    parameters = {
        "host": options.host or dsn.host,
        "port": dsn.port,
        "user": dsn.username,
        "password": password,
        "dbname": unquote(database),
        "sslmode": options.sslmode,
        "sslrootcert": options.sslrootcert,
        "connect_timeout": _CONNECT,
        "fallback_application_name": "convostore",
        "client_encoding": "UTF8",
    }
    for name, value in parameters.items():
        if isinstance(value, str) and _NO_TEXT.search(value):
            raise ConfigError(f"the {name} for PostgreSQL must not contain NUL or a lone surrogate")
    return {name: value for name, value in parameters.items() if value not in {None, ""}}


class _Settings:
    """Settings of the connection pool of either face, and the preparation of the tables."""

    def __init__(self, parameters: dict[str, Any], options: PostgreSQLOptions) -> None:
        milliseconds = max(1, math.ceil(options.timeout * 1000))  # 0 would mean no limit
        self.kwargs = {
            **parameters,
            "autocommit": True,
            "options": f"-c lock_timeout={milliseconds}",
        }
        self.size = options.concurrency
        self.timeout = options.timeout
        self.prepared = threading.Event()
        self._lock = threading.Lock()

    def pool(self) -> dict[str, Any]:
        patience = max(self.timeout, _PATIENCE)
        return {
            "kwargs": self.kwargs,
            "min_size": 0,
            "max_size": self.size,
            "timeout": patience,
            "reconnect_timeout": patience,  # a server that is back is soon found
            "open": False,
            "name": "convostore",
            "num_workers": 1,
        }

    def prepare(self) -> None:
        """Upgrade the tables on a separate connection, whose errors say more than a pool's.

        Raises:
            StoreError: The server is out of reach, or refuses.
        """
        with self._lock:
            if self.prepared.is_set():
                return
            with translated(None), psycopg.connect(**self.kwargs) as connection:
                _prepare(connection)
            self.prepared.set()


def _prepare(connection: _Connection) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise wrong_encoding(encoding)
    statements = statements_of(POSTGRESQL)

    def send(query: Query) -> Reply:
        return _execute(connection, query)

    if run(is_current(statements), send):
        return
    with connection.transaction():
        run(upgrade(statements), send)


class PostgreSQLTransport(Transport[Query, Reply]):
    """A transport that runs units in the caller's thread, on a connection of the pool."""

    def __init__(self, parameters: dict[str, Any], options: PostgreSQLOptions) -> None:
        self._parameters, self._options = parameters, options
        self._inherited: list[object] = []
        self._closed = False
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._settings = _Settings(self._parameters, self._options)
        self._pool: psycopg_pool.ConnectionPool[_Connection] | None = None

    def _check_fork(self) -> None:
        """Set aside the pool that was inherited by a fork, neither using nor closing it."""
        if self._pid != os.getpid():
            self._inherited.append(self._pool)
            self._start()

    def send(self, request: Query) -> Reply:
        return self.run(lambda: alone(request))

    def run(self, make: Callable[[], Flow[Query, Reply, T]]) -> T:
        for number in range(MOST_RUNS):
            try:
                with _Unit(self) as unit:
                    return run(make(), unit.send)
            except Rerun as error:
                last = error
            time.sleep(pause_after(number))
        raise too_many_runs(last)

    def take(self) -> _Connection:
        self._check_fork()
        pool = self._pool or self._open()
        with translated(None):
            return pool.getconn()

    def give_back(self, connection: _Connection) -> None:
        pool, broken = self._pool, connection.closed
        if pool is None:
            connection.close()
            return
        pool.putconn(connection)
        if broken:
            pool.check()  # the others may be broken as well

    def _open(self) -> psycopg_pool.ConnectionPool[_Connection]:
        self._settings.prepare()
        with self._lock:
            if self._closed:
                raise closed()
            if self._pool is None:
                pool = psycopg_pool.ConnectionPool(**self._settings.pool())
                pool.open()
                self._pool = pool
            return self._pool

    def close(self) -> None:
        self._check_fork()
        with self._lock:
            self._closed = True
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()


class _Unit:
    """One flow's queries, in one transaction where the first of them writes."""

    def __init__(self, transport: PostgreSQLTransport) -> None:
        self._transport = transport
        self._connection: _Connection | None = None
        self._writes = False

    def send(self, query: Query) -> Reply:
        connection = self._connection or self._begin(writes=query.writes)
        with translated(connection):
            return _execute(connection, query)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._connection is None:
            return
        try:
            if self._writes and kind is None:
                with committing(self._connection):
                    self._connection.execute(_COMMIT)
        finally:
            _roll_back(self._connection)
            self._transport.give_back(self._connection)

    def _begin(self, *, writes: bool) -> _Connection:
        connection = self._connection = self._transport.take()
        if writes:
            with translated(connection):
                connection.execute(_BEGIN)
        self._writes = writes
        return connection


@contextmanager
def _pass_interruptions() -> Iterator[None]:
    """Raise a cancellation or an interrupt that strikes as psycopg enters a pipeline.

    psycopg (3.3) then asserts that the pipeline was left, and its AssertionError hides them.
    """
    try:
        yield
    except AssertionError as error:
        if isinstance(error.__context__, asyncio.CancelledError | KeyboardInterrupt):
            raise error.__context__ from None
        raise


def _execute(connection: _Connection, query: Query) -> Reply:
    with connection.cursor() as cursor:
        if query.many:
            with _pass_interruptions():
                cursor.executemany(query.sql, query.values)
            return Reply([], cursor.rowcount)
        cursor.execute(query.sql, query.values or None)
        return Reply([] if cursor.rownumber is None else cursor.fetchall(), cursor.rowcount)


def _roll_back(connection: _Connection) -> None:
    if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        with suppress(psycopg.Error):
            connection.execute(_ROLLBACK)


class AsyncPostgreSQLTransport(AsyncTransport[Query, Reply]):
    """A transport that runs units for the async face, on psycopg's async connections."""

    def __init__(self, parameters: dict[str, Any], options: PostgreSQLOptions) -> None:
        self.concurrency = options.concurrency
        self._settings = _Settings(parameters, options)
        self._pool: psycopg_pool.AsyncConnectionPool[_AsyncConnection] | None = None
        self._opening: asyncio.Lock | None = None
        self._closed = False

    async def send(self, request: Query) -> Reply:
        return await self.run(lambda: alone(request))

    async def run(self, make: Callable[[], Flow[Query, Reply, T]]) -> T:
        for number in range(MOST_RUNS):
            try:
                async with _AsyncUnit(self) as unit:
                    return await arun(make(), unit.send)
            except Rerun as error:
                last = error
            await asyncio.sleep(pause_after(number))
        raise too_many_runs(last)

    async def take(self) -> _AsyncConnection:
        pool = self._pool or await self._open()
        with translated(None):
            return await pool.getconn()

    async def give_back(self, connection: _AsyncConnection) -> None:
        pool, broken = self._pool, connection.closed
        if pool is None:
            await connection.close()
            return
        await pool.putconn(connection)
        if broken:
            await pool.check()  # the others may be broken as well

    async def _open(self) -> psycopg_pool.AsyncConnectionPool[_AsyncConnection]:
        if self._opening is None:
            self._opening = asyncio.Lock()
        async with self._opening:
            if self._pool is None:
                await asyncio.to_thread(self._settings.prepare)
                if self._closed:
                    raise closed()
                pool = psycopg_pool.AsyncConnectionPool(**self._settings.pool())
                await pool.open()
                self._pool = pool
            return self._pool

    async def aclose(self) -> None:
        self._closed = True
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()


class _AsyncUnit:
    """One flow's queries, in one transaction where the first of them writes."""

    def __init__(self, transport: AsyncPostgreSQLTransport) -> None:
        self._transport = transport
        self._connection: _AsyncConnection | None = None
        self._writes = False

    async def send(self, query: Query) -> Reply:
        connection = self._connection or await self._begin(writes=query.writes)
        with translated(connection):
            return await _execute_async(connection, query)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._connection is None:
            return
        try:
            if self._writes and kind is None:
                with committing(self._connection):
                    await self._connection.execute(_COMMIT)
        finally:
            await _run_to_end(self._release(self._connection))

    async def _release(self, connection: _AsyncConnection) -> None:
        if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            with suppress(psycopg.Error):
                await connection.execute(_ROLLBACK)
        await self._transport.give_back(connection)

    async def _begin(self, *, writes: bool) -> _AsyncConnection:
        connection = self._connection = await self._transport.take()
        if writes:
            with translated(connection):
                await connection.execute(_BEGIN)
        self._writes = writes
        return connection


async def _execute_async(connection: _AsyncConnection, query: Query) -> Reply:
    async with connection.cursor() as cursor:
        if query.many:
            with _pass_interruptions():
                await cursor.executemany(query.sql, query.values)
            return Reply([], cursor.rowcount)
        await cursor.execute(query.sql, query.values or None)
        return Reply([] if cursor.rownumber is None else await cursor.fetchall(), cursor.rowcount)


async def _run_to_end(work: Coroutine[Any, Any, None]) -> None:
    """Await work that a cancellation must not leave half done."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    task.result()


@contextmanager
def translated(connection: psycopg.BaseConnection[Any] | None) -> Iterator[None]:
    """Raise the library's errors in place of psycopg's.

    Raises:
        Rerun: Nothing was committed, and another run may succeed.
    """
    try:
        yield
    except psycopg.Error as error:
        broken = connection is not None and connection.closed
        raise translate(error, broken=broken) from error
    except OverflowError:
        raise InvalidError("a number must be within PostgreSQL's range of 64 bits") from None
    except UnicodeEncodeError:
        raise InvalidError("invalid cursor: pass page.cursor unchanged") from None


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
                "repeat the call, as nothing is stored twice"
            ) from error
        raise
