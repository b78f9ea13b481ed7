"""The transport of the async face, which runs units again as the sync one does.

No statement of a flow may be known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Self, TypeVar

import psycopg
import psycopg_pool

from convostore.adapters import AsyncTransport
from convostore.errors import StoreError
from convostore.flow import Flow, arun

from ..options import PostgreSQLOptions
from ..queries import MOST_RUNS, Query, Reply, Rerun, alone, pause_after, too_many_runs
from .errors import closed, committing, translated
from .sessions import (
    COMMIT,
    ROLLBACK,
    AsyncSession,
    Settings,
    begin_async,
    execute_async,
    is_idle,
    send_async,
)

T = TypeVar("T")


class AsyncPostgreSQLTransport(AsyncTransport[Query, Reply]):
    """A transport that runs units for the async face, on psycopg's async connections."""

    def __init__(self, parameters: dict[str, Any], options: PostgreSQLOptions) -> None:
        self.concurrency = options.concurrency
        self.settings = Settings(parameters, options)
        self._pool: psycopg_pool.AsyncConnectionPool[AsyncSession] | None = None
        self._opening: asyncio.Lock | None = None
        self._closed = False

    async def send(self, request: Query) -> Reply:
        return await self.run(lambda: alone(request))

    async def run(self, make: Callable[[], Flow[Query, Reply, T]]) -> T:
        for number in range(MOST_RUNS):
            try:
                async with _Unit(self) as unit:
                    return await arun(make(), unit.send)
            except Rerun as error:
                last = error
            await asyncio.sleep(pause_after(number))
        raise too_many_runs(last)

    async def take(self) -> AsyncSession:
        """Return a session for the caller alone, and wait for one while all are in use."""
        pool = self._pool or await self._open()
        with translated(None):
            return await pool.getconn()

    async def give_back(self, session: AsyncSession, *, is_abandoned: bool) -> None:
        """Take back a session, of which nothing is under way."""
        pool, is_broken = self._pool, session.closed and not is_abandoned
        if pool is None:
            await session.close()
            return
        await pool.putconn(session)
        if is_broken:
            await pool.check()  # the others may be broken as well

    async def _open(self) -> psycopg_pool.AsyncConnectionPool[AsyncSession]:
        if self._opening is None:
            self._opening = asyncio.Lock()
        async with self._opening:
            if self._pool is None:
                await asyncio.to_thread(self.settings.prepare)
                if self._closed:
                    raise closed()
                pool = self._new_pool()
                await pool.open()
                self._pool = pool
            return self._pool

    def _new_pool(self) -> psycopg_pool.AsyncConnectionPool[AsyncSession]:
        return psycopg_pool.AsyncConnectionPool(
            connection_class=AsyncSession,
            configure=self.settings.configure,
            kwargs=self.settings.parameters,
            min_size=0,
            max_size=self.settings.size,
            timeout=self.settings.patience,
            reconnect_timeout=self.settings.patience,  # a server that is back is soon found
            open=False,
            name="convostore",
            num_workers=1,
        )

    async def aclose(self) -> None:
        self._closed = True
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()


class _Unit:
    """One flow's queries, in one transaction where the first of them writes."""

    def __init__(self, transport: AsyncPostgreSQLTransport) -> None:
        self._transport = transport
        self._session: AsyncSession | None = None
        self._writes = False

    async def send(self, query: Query) -> Reply:
        session = self._session or await self._begin(writes=query.writes)
        with translated(session):
            return await execute_async(session, query)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._session is None:
            return
        is_whole = kind is not None and issubclass(kind, StoreError)
        try:
            if self._writes and kind is None:
                with committing(self._session):
                    await send_async(self._session, COMMIT)
            is_whole = is_whole or kind is None
        finally:
            await _run_to_end(self._leave(self._session, is_whole=is_whole))

    async def _leave(self, session: AsyncSession, *, is_whole: bool) -> None:
        """Give the session back; closed, if a cancellation may have left it in any state."""
        if not is_whole:
            await session.close()
        elif not is_idle(session):
            with suppress(psycopg.Error):
                await send_async(session, ROLLBACK)
            if not is_idle(session):
                await session.close()
        await self._transport.give_back(session, is_abandoned=not is_whole)

    async def _begin(self, *, writes: bool) -> AsyncSession:
        session = self._session = await self._transport.take()
        if writes:
            with translated(session):
                await begin_async(session, self._transport.settings)
        self._writes = writes
        return session


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
