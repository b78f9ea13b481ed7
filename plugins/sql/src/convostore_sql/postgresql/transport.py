"""The transport of the sync face.

A unit that fails because of another transaction is run again as a whole; so is one whose connection
broke before the commit. No statement of a flow may be known here.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Self, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from convostore.adapters import Transport
from convostore.errors import StoreError
from convostore.flow import Flow, run

from ..options import PostgreSQLOptions
from ..queries import MOST_RUNS, Query, Reply, Rerun, alone, pause_after, too_many_runs
from .errors import closed, committing, translated
from .pool import Pool
from .sessions import COMMIT, ROLLBACK, Session, Settings, begin, execute, is_idle, send

T = TypeVar("T")

_CANCELLING: Final = 5.0
"""Seconds in which a server has to notice that a statement is no longer wanted."""


class PostgreSQLTransport(Transport[Query, Reply]):
    """A transport that runs units in the caller's thread, on a session of the pool."""

    def __init__(self, parameters: dict[str, Any], options: PostgreSQLOptions) -> None:
        self._parameters, self._options = parameters, options
        self._inherited: list[object] = []
        self._closed = False
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._settings = Settings(self._parameters, self._options)
        self._pool: Pool | None = None

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
                return self._run_once(make)
            except Rerun as error:
                last = error
            time.sleep(pause_after(number))
        raise too_many_runs(last)

    def _run_once(self, make: Callable[[], Flow[Query, Reply, T]]) -> T:
        pool = self._opened()
        unit = _Unit(pool, self._settings)
        try:
            with unit:
                return run(make(), unit.send)
        except StoreError:
            raise
        except BaseException:  # of a signal handler: anything may be half done
            self._retire(pool)
            unit.abandon()
            raise

    def _opened(self) -> Pool:
        self._check_fork()
        if (pool := self._pool) is not None:
            return pool
        self._settings.prepare()
        with self._lock:
            if self._closed:
                raise closed()
            if self._pool is None:
                settings = self._settings
                self._pool = Pool(settings.connect, settings.size, settings.patience)
            return self._pool

    def _retire(self, pool: Pool) -> None:
        with self._lock:
            if self._pool is pool:
                self._pool = None
        pool.retire()

    def close(self) -> None:
        self._check_fork()
        with self._lock:
            self._closed = True
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.retire()


class _Unit:
    """One flow's queries, in one transaction where the first of them writes.

    An exception that is not a `StoreError` leaves it as it is: it is then to be abandoned.
    """

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self._pool, self._settings = pool, settings
        self._session: Session | None = None
        self._writes = False

    def send(self, query: Query) -> Reply:
        session = self._session or self._begin(writes=query.writes)
        with translated(session):
            return execute(session, query)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._session is None or not (kind is None or issubclass(kind, StoreError)):
            return
        try:
            if self._writes and kind is None:
                with committing(self._session):
                    send(self._session, COMMIT)
        except StoreError:
            self._leave(self._session)
            raise
        self._leave(self._session)

    def abandon(self) -> None:
        """Close the session, whatever is under way on it."""
        session, self._session = self._session, None
        if session is None:
            return
        try:
            if session.info.transaction_status == TransactionStatus.ACTIVE:
                with suppress(psycopg.Error):
                    session.cancel_safe(timeout=_CANCELLING)
        finally:
            session.close()

    def _begin(self, *, writes: bool) -> Session:
        session = self._session = self._pool.take()
        if writes:
            with translated(session):
                begin(session, self._settings)
        self._writes = writes
        return session

    def _leave(self, session: Session) -> None:
        if not is_idle(session):
            with suppress(psycopg.Error):
                send(session, ROLLBACK)
            if not is_idle(session):
                session.close()
        self._session = None  # from here on it may be another thread's
        self._pool.give_back(session)
