"""The databases that tests run on: how each is addressed, and looked at beside the plugin."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, TypeAlias
from urllib.parse import quote, urlencode

from .servers import Server

Row: TypeAlias = tuple[Any, ...]


class Database(Protocol):
    """A database of one test, empty at its start."""

    kind: str

    def dsn(self, **options: object) -> str:
        """How an app addresses it."""

    def look(self, statement: str) -> list[Row]:
        """Carries out a statement behind the plugin's back, and commits it."""

    def held(self, statement: str) -> contextlib.AbstractContextManager[None]:
        """Keeps a transaction with this statement open, and rolls it back in the end."""


class SQLite:
    """A file."""

    kind = "sqlite"

    def __init__(self, file: Path) -> None:
        self.file = file

    def dsn(self, **options: object) -> str:
        query = f"?{urlencode(options)}" if options else ""
        return f"sqlite:///{quote(self.file.as_posix())}{query}"

    def look(self, statement: str) -> list[Row]:
        with contextlib.closing(self._connect()) as connection:
            return connection.execute(statement).fetchall()

    @contextlib.contextmanager
    def held(self, statement: str) -> Iterator[None]:
        with contextlib.closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(statement)
            yield
            connection.execute("ROLLBACK")

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.file, isolation_level=None, timeout=30)


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
