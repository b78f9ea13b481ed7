"""SQLite: the adapter, and the transports that run its units.

The async transport runs a whole unit in one call of a worker thread: a hop for each statement would
cost several times as much. Connections and transactions belong in `database`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar
from urllib.parse import quote, unquote

from convostore.adapters import AsyncTransport, Transport
from convostore.dsn import DSN
from convostore.errors import ConfigError
from convostore.flow import Flow

from ..adapter import SQLAdapter
from ..options import SQLiteOptions
from ..queries import Query, Reply, alone
from ..statements import Statements, statements_of
from ..tables import SQLITE
from .database import MEMORY, Database, Ticket

T = TypeVar("T")


_PLAIN: Final = "/:!$&'()*+,;=@ "


class SQLiteAdapter(SQLAdapter):
    """Conversations in a file, or in memory for as long as the adapter lives."""

    name: ClassVar[str] = "sqlite"
    Options = SQLiteOptions

    def __init__(self, dsn: DSN, options: SQLiteOptions) -> None:
        super().__init__(dsn, options)
        self._path = _path(dsn)
        self._database = Database(
            self._path,
            timeout=options.timeout,
            full=options.durability == "full",
            concurrency=options.concurrency,
            create=options.create,
        )

    @property
    def _address(self) -> str:
        if self._path == MEMORY:
            return "sqlite://"
        path = Path(self._path).resolve().as_posix()  # a file is one store, by any path
        return f"sqlite:///{quote(path, safe=_PLAIN)}"

    @property
    def _database_key(self) -> object:
        return self._database if self._path == MEMORY else self._address

    @property
    def _sql(self) -> Statements:
        return statements_of(SQLITE)

    def transport(self) -> Transport[Query, Reply]:
        return SQLiteTransport(self._database)

    def async_transport(self) -> AsyncTransport[Query, Reply]:
        return AsyncSQLiteTransport(self._database, self.options.concurrency)


def _path(dsn: DSN) -> str:
    if dsn.username or dsn.port or dsn.transport:
        raise ConfigError(
            "a sqlite DSN must have no host, user or port: write sqlite:///file.db, with four "
            "slashes for an absolute path, or sqlite:// for a store in memory"
        )
    if dsn.host:
        raise ConfigError(
            "a sqlite DSN must have three slashes before a relative path, and four before an "
            f"absolute one: did you mean sqlite:///{dsn.written_host}{dsn.path}?"
        )
    path = unquote(dsn.path.removeprefix("/"))
    if "\x00" in path:
        raise ConfigError("the path of a sqlite DSN must not contain NUL")
    if dsn.path and not path:
        raise ConfigError(
            "sqlite:/// must name a file: write sqlite:///file.db, or sqlite:// for a store in "
            "memory"
        )
    if path in {"", MEMORY}:
        return MEMORY
    return str(Path(path).absolute())  # the same file even if the working folder changes


class SQLiteTransport(Transport[Query, Reply]):
    """A transport that runs units in the caller's thread."""

    def __init__(self, database: Database) -> None:
        self._database = database.opened()
        self._closed = False

    def send(self, request: Query) -> Reply:
        return self._database.run(lambda: alone(request))

    def run(self, make: Callable[[], Flow[Query, Reply, T]]) -> T:
        return self._database.run(make)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._database.close()


class AsyncSQLiteTransport(AsyncTransport[Query, Reply]):
    """A transport that runs units in worker threads; a cancelled unit ends before its call does."""

    def __init__(self, database: Database, concurrency: int) -> None:
        self.concurrency = concurrency
        self._database = database.opened()
        self._workers: ThreadPoolExecutor | None = ThreadPoolExecutor(
            concurrency, thread_name_prefix="convostore-sqlite"
        )

    async def send(self, request: Query) -> Reply:
        return await self.run(lambda: alone(request))

    async def run(self, make: Callable[[], Flow[Query, Reply, T]]) -> T:
        if self._workers is None:
            return self._database.run(make)  # closed: the flow raises before any query
        ticket = Ticket()
        job = self._workers.submit(self._database.run, make, ticket)
        done = asyncio.wrap_future(job)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            job.cancel()
            ticket.cancel()
            await _wait_for(done)
            raise

    async def aclose(self) -> None:
        if self._workers is not None:
            workers, self._workers = self._workers, None
            workers.shutdown(wait=False)
            self._database.close()
            await asyncio.to_thread(workers.shutdown)  # until what is under way has ended


async def _wait_for(future: asyncio.Future[Any]) -> None:
    """Wait until a unit has ended, however often its caller is cancelled."""
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            continue
    if not future.cancelled():
        future.exception()  # marks it as retrieved; the cancellation is raised
