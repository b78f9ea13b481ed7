"""Writes the plans on the page about scaling: what each database says it does for each statement.

    python benchmarks/plans.py
    python benchmarks/plans.py --partitioned    # prints how such tables are made

PostgreSQL is asked twice: with the tables as they are made, and with the same tables partitioned by
namespace, where it counts how many partitions each statement touches.
"""

from __future__ import annotations

import re
import sqlite3
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

import chats
import psycopg
import sql_tests
from chats import messages
from harness import HERE
from psycopg import ClientCursor

import convostore
from convostore_sql.migrations import VERSION
from convostore_sql.statements import statements_of
from convostore_sql.tables import POSTGRESQL

PAGE: Final = HERE.parent / "docs" / "explanation" / "scaling.md"
PARTITIONS: Final = 16
_PLACE: Final = r"(<!-- plans: {} -->\n).*?(<!-- end of plans -->)"
_VARIANT: Final = re.compile(r"unowned|, | reversed")
"""The names of statements that differ little from others."""
_FILL: Final = (
    """INSERT INTO convostore_conversations (namespace, id, title, pinned, created_at, updated_at,
    stored_at, rank, message_count, next_seq, words, body)
    SELECT 'n' || n % 50, 'c' || n / 50, 'title ' || n, false, n, n, n, -n, 100, 100,
    ARRAY['title', 'w' || n % 1000], '{}' FROM generate_series(0, 4999) n""",
    """INSERT INTO convostore_messages (namespace, conversation_id, seq, id, role, said_at, words,
    body) SELECT 'n' || n % 50, 'c' || n / 50, seq, 'm' || seq, 'user', 100 * n + seq,
    ARRAY['said', 'w' || n % 1000, 'v' || seq], '{}'
    FROM generate_series(0, 4999) n, generate_series(0, 99) seq""",
    "VACUUM ANALYZE",
)


def asked_about(kind: str) -> Iterator[tuple[str, str, list[object]]]:
    """The statements with their names and some values, as the plugin's tests ask about them."""
    seen = set()
    for name, sql, values in sql_tests.plans().all_statements(kind):
        if name not in seen and not _VARIANT.search(name):
            seen.add(name)
            yield name, sql, values


def of_sqlite() -> str:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "store.db"
        with convostore.open(f"sqlite:///{file.as_posix()}") as store:
            store.check()
        with closing(sqlite3.connect(file)) as connection:
            return "\n".join(
                f"{name}\n{_steps_of_sqlite(connection, sql, values)}"
                for name, sql, values in asked_about("sqlite")
            )


def _steps_of_sqlite(connection: sqlite3.Connection, sql: str, values: Sequence[Any]) -> str:
    rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
    depths = {0: 1}
    lines = []
    for number, parent, _, step in rows:
        depths[number] = depths[parent] + 1
        lines.append("  " * depths[parent] + step)
    return "\n".join(lines or ["  (no table is read)"])


def of_postgresql(connection: psycopg.Connection) -> str:
    return "\n".join(
        "\n".join([name, *(f"  {line}" for line in _lines(connection, sql, values))])
        for name, sql, values in asked_about("postgresql")
    )


def _lines(connection: psycopg.Connection, sql: str, values: Sequence[Any]) -> list[str]:
    rows = ClientCursor(connection).execute(f"EXPLAIN (COSTS OFF) {sql}", values).fetchall()
    return [row[0] for row in rows]


def of_partitions(connection: psycopg.Connection) -> str:
    """How many partitions of each table a statement touches, by name."""
    lines = []
    for name, sql, values in asked_about("postgresql"):
        text = "\n".join(_lines(connection, sql, values))
        counts = {
            table: len(set(re.findall(rf"\b{table}_p(\d+)\b(?!_)", text)))
            for table in ("convostore_conversations", "convostore_messages")
        }
        told = [f"{count} of {table}" for table, count in counts.items() if count]
        lines.append(f"{name:28}{', '.join(told) or '–'}")
    return "\n".join(lines)


def partitioned() -> Iterator[str]:
    """What makes the tables as the page says: as the library's, and partitioned."""
    for statement in statements_of(POSTGRESQL).tables.ddl():
        name = re.match(r"CREATE TABLE (convostore_(?:conversations|messages)) ", statement)
        if name is None:
            yield statement
            continue
        yield f"{statement} PARTITION BY HASH (namespace)"
        for number in range(PARTITIONS):
            yield (
                f"CREATE TABLE {name[1]}_p{number} PARTITION OF {name[1]} "
                f"FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {number})"
            )
    yield f"INSERT INTO convostore_schema VALUES ({VERSION})"


def carry_out(connection: psycopg.Connection, statements: Iterable[str]) -> None:
    for statement in statements:
        connection.execute(statement.encode())


def works(address: str) -> None:
    """Looks whether a store does its work with the tables as they are."""
    with convostore.open(address) as store:
        made = store.create_conversation(title="a chat")
        (said,) = messages(list(chats.said(1)))
        for _ in range(2):  # the second time it is there already
            store.append_messages(made.id, [said])
        assert [each.id for each in store.messages(made.id)] == [said.id]
        assert len(store.search(said.text.split()[0]).items) == 1
        store.fork_conversation(made.id, said.id)
        store.clear_conversations()
        assert store.list_conversations().items == ()


def _around(shown: str, found: re.Match[str]) -> str:
    return found[1] + shown + found[2]


def main() -> None:
    made = {"sqlite": of_sqlite()}
    with (
        sql_tests.servers().running() as server,
        server.database() as whole,
        server.database() as parted,
    ):
        with convostore.open(server.dsn(whole)) as store:
            store.check()
        with server.connect(whole) as connection:
            carry_out(connection, _FILL)
            made["postgresql"] = of_postgresql(connection)
        with server.connect(parted) as connection:
            carry_out(connection, partitioned())
            carry_out(connection, _FILL)
            made["partitions"] = of_partitions(connection)
        works(server.dsn(parted, namespace="alice"))
    text = PAGE.read_text("utf-8")
    for name, plans in made.items():
        shown = f"```text\n{plans}\n```\n"
        place = re.compile(_PLACE.format(name), re.DOTALL)
        text = place.sub(partial(_around, shown), text)
    PAGE.write_text(text, "utf-8", newline="\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["--partitioned"]:
        print(";\n".join(partitioned()) + ";")
    else:
        main()
