"""The databases that tests run on: how each is addressed, and looked at beside the plugin.

Those of PostgreSQL are used by one test after the other: to make one takes longer than most tests.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, TypeAlias
from urllib.parse import quote, urlencode

import psycopg
import pytest

from .servers import Server

Row: TypeAlias = tuple[Any, ...]

KINDS = ("sqlite", pytest.param("postgresql", marks=pytest.mark.rim))


class Database(Protocol):
    """A database of one test, empty at its start."""

    kind: str

    def dsn(self, **options: object) -> str:
        """How an app addresses it."""

    def look(self, statement: str) -> list[Row]:
        """Execute a statement without the plugin, and commit it."""

    def held(self, statement: str) -> contextlib.AbstractContextManager[None]:
        """Keep a transaction with this statement open, and roll it back in the end."""


class SQLite:
    """A file."""

    kind = "sqlite"

    def __init__(self, file: Path) -> None:
        self.file = file

    def dsn(self, **options: object) -> str:
        query = f"?{urlencode(options)}" if options else ""
        return f"sqlite:///{quote(self.file.as_posix())}{query}"

    def look(self, statement: str) -> list[Row]:
        with self.connected() as connection:
            return connection.execute(statement).fetchall()

    @contextlib.contextmanager
    def held(self, statement: str) -> Iterator[None]:
        with self.connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(statement)
            yield
            connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection beside the plugin's, in autocommit.

        As long as there is one, no other writes all to the file when it is closed.
        """
        with contextlib.closing(
            sqlite3.connect(self.file, isolation_level=None, timeout=30)
        ) as connection:
            yield connection


class PostgreSQL:
    """A database of the session's server."""

    kind = "postgresql"

    def __init__(self, server: Server, name: str) -> None:
        self.server, self.name = server, name

    def dsn(self, **options: object) -> str:
        return self.server.dsn(self.name, **options)

    def look(self, statement: str) -> list[Row]:
        with self.server.connect(self.name) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    @contextlib.contextmanager
    def held(self, statement: str) -> Iterator[None]:
        with self.server.connect(self.name) as connection:
            connection.execute("BEGIN")
            connection.execute(statement)
            yield
            connection.execute("ROLLBACK")


class Databases:
    """Databases of a server, each of which is one test's at a time, and empty for each."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._free: defaultdict[bool, list[str]] = defaultdict(list)

    @contextlib.contextmanager
    def one(self, *, bare: bool = False) -> Iterator[PostgreSQL]:
        """Yield a database without rows; with `bare`, without tables either."""
        free = self._free[bare]
        name = free.pop() if free else self._server.create_database()
        try:
            yield PostgreSQL(self._server, name)
        finally:
            self._server.restore(name, _without_tables if bare else _without_rows)
            free.append(name)


def _without_tables(connection: psycopg.Connection) -> None:
    connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


def _without_rows(connection: psycopg.Connection) -> None:
    (table,) = connection.execute("SELECT to_regclass('convostore_messages')").fetchone()
    if table:
        connection.execute("TRUNCATE convostore_conversations, convostore_messages")
