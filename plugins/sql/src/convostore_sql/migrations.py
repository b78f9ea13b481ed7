"""Migrations: flows that upgrade a database's tables to the version that this library writes.

An upgrade runs in one short transaction, under a lock that keeps out other processes that open the
same database. It adds what is null in the rows that are there, and fills nothing. No migration may
drop a table or a column that holds data.
"""

from __future__ import annotations

from typing import Final

from convostore.errors import ConfigError

from .queries import Query, SQLFlow
from .statements import Statements
from .tables import Tables

VERSION: Final = 2
"""The version of the tables."""

_LOCK: Final = 7_236_502_219_073_471_573
"""Key of PostgreSQL's advisory lock; any number that no other program uses."""
_SECOND: Final = (
    ("conversations", "owner"),
    ("conversations", "revision"),
    ("messages", "stored_at"),
)
"""The columns that version 2 adds."""


def is_current(statements: Statements, *, create: bool = True) -> SQLFlow[bool]:
    """Return whether the tables have this version.

    Args:
        statements: The statements of the database.
        create: Whether tables that are missing may be made.

    Raises:
        ConfigError: They are newer, or are missing and may not be made.
    """
    version = yield from _version(statements)
    if not version and not create:
        raise ConfigError(
            "this database has no tables of convostore: check its name; to create them, pass the "
            "option create=true"
        )
    return version == VERSION


def refuse_newer(version: int) -> None:
    """Refuse tables of a version that this library does not know.

    Raises:
        ConfigError: They are newer.
    """
    if version > VERSION:
        raise ConfigError(
            f"this database was written by a newer convostore-sql: its tables have version "
            f"{version}, this one supports up to version {VERSION}: upgrade convostore-sql"
        )


def upgrade(statements: Statements) -> SQLFlow[None]:
    """Upgrade the tables to this version, unless another process just did."""
    if statements.tables.is_sqlite:
        yield _query("SELECT 1")  # a writing unit holds the lock from its first query on
    else:
        yield _query(f"SELECT pg_advisory_xact_lock({_LOCK})")
    version = yield from _version(statements)
    if version == VERSION:
        return
    for sql in statements.tables.ddl() if version == 0 else _to_second(statements.tables):
        yield _query(sql)
    yield _query("DELETE FROM convostore_schema")
    yield _query(f"INSERT INTO convostore_schema (version) VALUES ({VERSION})")  # noqa: S608


def _to_second(tables: Tables) -> list[str]:
    """Return the statements that upgrade version 1 to version 2.

    PostgreSQL makes the index outside of the transaction, which would else keep out writers.
    """
    columns = [tables.add_column(table, column) for table, column in _SECOND]
    return [*columns, tables.create_owned()] if tables.is_sqlite else columns


def _version(statements: Statements) -> SQLFlow[int]:
    """Return the version of the tables; 0 if there are none."""
    if statements.tables.is_sqlite:
        exists = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'convostore_schema'"
    else:
        # Not to_regclass: its cache may miss a table that another process has just created.
        exists = (
            "SELECT 1 FROM pg_catalog.pg_tables WHERE tablename = 'convostore_schema' "
            "AND schemaname = ANY (current_schemas(false))"
        )
    if not (yield _query(exists, writes=False)).rows:
        return 0
    rows = (yield statements.version()).rows
    if not rows:
        raise ConfigError(
            "the table convostore_schema has no row, so the version of the tables is not known: "
            "restore a backup, or write the version back if you know it: "
            "INSERT INTO convostore_schema (version) VALUES (…)"
        )
    version = int(rows[0][0])
    refuse_newer(version)
    return version


def _query(sql: str, *, writes: bool = True) -> Query:
    return Query(sql, (), False, writes)
