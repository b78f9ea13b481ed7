"""Inspection: whether a database has all that this library's tables consist of.

The rows are not read here: a check must cost the same however many there are.
"""

from __future__ import annotations

from typing import Final

from convostore.errors import ConfigError

from .queries import Query, SQLFlow
from .tables import Tables

_COLUMNS: Final = {
    True: (
        "SELECT made.name, of.name FROM sqlite_master AS made "
        "JOIN pragma_table_info(made.name) AS of WHERE made.type = 'table'"
    ),
    False: (
        "SELECT made.relname, of.attname FROM pg_catalog.pg_class AS made "
        "JOIN pg_catalog.pg_namespace AS space ON space.oid = made.relnamespace "
        "JOIN pg_catalog.pg_attribute AS of ON of.attrelid = made.oid AND NOT of.attisdropped "
        "WHERE space.nspname = ANY (current_schemas(false))"
    ),
}


def check_tables(tables: Tables) -> SQLFlow[None]:
    """Check that no table and no column is missing.

    Raises:
        ConfigError: One is; the text names all that are.
    """
    rows = (yield Query(_COLUMNS[tables.is_sqlite], (), False, False)).rows
    found = {(str(table), str(column)) for table, column in rows}
    names = {table for table, _ in found}
    absent: list[str] = []
    for table in (tables.version, tables.conversations, tables.messages, *tables.words.values()):
        if table.name not in names:
            absent.append(f"the table {table.name}")
        else:
            absent += [
                f"the column {table.name}.{column.name}"
                for column in table.c
                if column.name != "rowid" and (table.name, column.name) not in found
            ]
    if absent:
        raise missing(", ".join(dict.fromkeys(absent)))


def missing(what: str) -> ConfigError:
    """Make the error of a database that lacks a table or a column."""
    return ConfigError(
        f"this database lacks what convostore needs ({what}): restore a backup of it, or mirror "
        "what can still be read into a new one"
    )
