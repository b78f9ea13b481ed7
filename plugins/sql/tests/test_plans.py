"""No statement goes through a whole table: what a database says that it is going to do.

Every statement that the adapters use is asked about, by its name in `convostore_sql.statements`.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

import convostore
from convostore import Message
from convostore.search import Search
from convostore_sql.queries import Statement
from convostore_sql.statements import Statements, statements_of

LISTS = [
    f"{name}{restricted}{reverse}"
    for name in ("conversations", "conversations_from")
    for restricted in ("", "[owner]")
    for reverse in ("", " reversed")
]
PAGES = [
    *LISTS,
    *(f"messages{begun}[{o}_first]" for begun in ("", "_from") for o in ("oldest", "newest")),
    "tip",
    "last_message",
]
"""Pages: what they read does not grow with their list."""
ONE = {"tip", "last_message"}
LIMIT = 21

ONE_ROW = {"convostore_schema"}
RESTRICTIONS = [
    frozenset(),
    frozenset({"id"}),
    frozenset({"id", "since", "until"}),
    frozenset({"owner"}),
    frozenset({"unowned"}),
]
FILTERS = [(), ("owner",), ("unowned",), ("older",), ("older", "owner"), ("older", "unowned")]
SEARCHES = ["quick", "getUserName 夏威夷 x86"]


def statements(sql: Statements) -> Iterator[tuple[str, Statement]]:
    """Yield the statements with their names."""
    for name, held in vars(sql).items():
        if isinstance(held, Statement):
            yield name, held
        elif isinstance(held, dict):
            yield from ((f"{name}[{key}]", item) for key, item in held.items())
        elif isinstance(held, tuple):
            yield from ((f"{name}[{place}]", item) for place, item in enumerate(held))


def lists(sql: Statements) -> Iterator[tuple[str, Statement]]:
    """Yield the statements of lists of conversations with their names."""
    for restricted in FILTERS:
        shown = f"[{', '.join(restricted)}]" if restricted else ""
        yield f"locked_ids{shown}", sql.locked_ids(frozenset(restricted))
        for name, compiled in (
            ("conversations", sql.conversations),
            ("conversations_from", sql.conversations_from),
        ):
            for reverse in (False, True):
                statement = compiled(frozenset(restricted), reverse=reverse)
                yield f"{name}{shown}{' reversed' * reverse}", statement


def searches(sql: Statements) -> Iterator[tuple[str, Statement, dict[str, object]]]:
    """Yield the statements of searches with their values for the index."""
    for typed in SEARCHES:
        values, choices = sql.index_query(Search(typed).terms, "")
        for restricted in RESTRICTIONS:
            yield "search_titles", sql.search_titles(choices, restricted), values
            for role in (frozenset(), frozenset({"role"})):
                yield "search_messages", sql.search_messages(choices, restricted | role), values


def example(sql: Statements, key: str) -> object:
    """Return a value that a statement could be given."""
    several = sql.texts(["c1", "c2", "c3"])
    examples: dict[str, object] = {
        "namespace": "n1",
        "id": "c1",
        "new_id": "c2",
        "message_id": "m1",
        "ids": several,
        "message_ids": several,
        "after_id": "",
        "owner": "u1",
        "start_id": "c251",
        "after_time": -(2**62),
        "after_seq": -(2**62),
        "since": 0,
        "until": 2**60,
        "rank": -(2**62),
        "limit": LIMIT,
        "skipped": 0,
        "seq": 500,
        "role": "user",
        "words": sql.words(["quick"], ""),
        "new_words": sql.words(["quick"], ""),
        "pinned": False,
        "new_pinned": False,
        "title": "a title",
        "new_title": "a title",
        "body": "{}",
        "new_body": "{}",
    }
    return examples.get(key, 5)


def all_statements(kind: str) -> Iterator[tuple[str, str, list[object]]]:
    sql = statements_of(kind)
    for name, statement in [*statements(sql), *lists(sql)]:
        yield name, *bound(sql, statement, _place(name))
    for name, statement, index_values in searches(sql):
        yield name, *bound(sql, statement, index_values)


def _place(name: str) -> dict[str, object]:
    if name.startswith("messages_from"):
        return {"start_id": "m300"}
    return {"rank": 2**62} if name.endswith(" reversed") else {}


def bound(
    sql: Statements, statement: Statement, index_values: dict[str, object]
) -> tuple[str, list]:
    wanted = [key for key in statement.keys if key not in statement.constants]
    all_values = {key: example(sql, key) for key in wanted} | index_values
    query = statement(**all_values)
    return query.sql, list(query.values)


@pytest.fixture(scope="module")
def sqlite_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("plans") / "store.db"
    with convostore.open(f"sqlite:///{file.as_posix()}") as store:
        store.create_conversation(id="c")
    return file


@pytest.fixture(scope="module")
def filled_server(server):
    """Yield a database of 20 namespaces with 10,000 conversations and 60,000 messages.

    A fifth of the messages are of one conversation, the one that the examples name.
    """
    with server.database() as name:
        with convostore.open(server.dsn(name)) as store:
            store.check()
        with server.connect(name) as connection:
            connection.execute(
                "INSERT INTO convostore_conversations (namespace, id, title, pinned, created_at, "
                "updated_at, stored_at, rank, message_count, next_seq, words, body, owner) "
                "SELECT 'n' || n % 20, 'c' || n / 20, 'title ' || n, false, n, n, n, -n, 5, 5, "
                "ARRAY['title', 'w' || n % 1000], '{}', 'u' || (n / 20 % 2) "
                "FROM generate_series(0, 9999) n"
            )
            connection.execute(
                "INSERT INTO convostore_messages (namespace, conversation_id, seq, id, role, "
                "said_at, words, body) "
                "SELECT 'n' || n % 20, 'c' || n / 20, seq, 'm' || seq, 'user', 5 * n + seq, "
                "ARRAY['said', 'w' || n % 1000, 'v' || seq], '{}' "
                "FROM generate_series(0, 9999) n, generate_series(0, 4) seq"
            )
            connection.execute(
                "INSERT INTO convostore_messages (namespace, conversation_id, seq, id, role, "
                "said_at, words, body) "
                "SELECT 'n1', 'c1', seq, 'm' || seq, 'user', seq, ARRAY['said'], '{}' "
                "FROM generate_series(5, 10004) seq"
            )
            connection.execute("VACUUM ANALYZE")
        yield name


def test_sqlite_goes_through_no_table(sqlite_file):
    found = []
    with closing(sqlite3.connect(sqlite_file)) as connection:
        for name, sql, values in all_statements("sqlite"):
            plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
            steps = [row[3] for row in plan]
            found += [(name, step) for step in steps if _is_a_scan(step)]
    assert found == []


def _is_a_scan(step: str) -> bool:
    """Return whether it reads a whole table; `SCAN t VIRTUAL TABLE INDEX 0:M1` does not."""
    if not step.startswith("SCAN") or step.split()[1] in ONE_ROW:
        return False
    _, _, index = step.partition("VIRTUAL TABLE INDEX ")
    return "convostore" in step and index in {"", "0:"}


def test_a_scan_of_sqlite_would_be_noticed(sqlite_file):
    with closing(sqlite3.connect(sqlite_file)) as connection:
        for sql in (
            "SELECT * FROM convostore_conversations WHERE title = 'x'",
            "SELECT * FROM convostore_messages WHERE role = 'x'",
            "SELECT * FROM convostore_message_words",
        ):
            plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
            assert any(_is_a_scan(row[3]) for row in plan), plan


@pytest.mark.rim
def test_postgresql_goes_through_no_table(server, filled_server):
    found = []
    with server.connect(filled_server) as connection:
        for name, sql, values in all_statements("postgresql"):
            plan = _plan(connection, sql, values)
            scans = [node for node in _nodes(plan) if node["Node Type"] == "Seq Scan"]
            found += [(name, scan["Relation Name"]) for scan in scans]
    assert [item for item in found if item[1] not in ONE_ROW] == []


@pytest.mark.rim
def test_a_scan_of_postgresql_would_be_noticed(server, filled_server):
    with server.connect(filled_server) as connection:
        for table in ("convostore_conversations", "convostore_messages"):
            plan = _plan(connection, f"SELECT * FROM {table} WHERE body = %s", ["x"])
            assert [node["Node Type"] for node in _nodes(plan)] == ["Seq Scan"]


@pytest.mark.rim
@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_postgresql_reads_no_more_rows_than_it_shows(server, filled_server, page):
    (index_values,) = [
        (sql, values) for name, sql, values in all_statements("postgresql") if name == page
    ]
    with server.connect(filled_server) as connection:
        plan = _plan(connection, *index_values, "ANALYZE")
    shown = plan["Actual Rows"]
    assert shown == (1 if page in ONE else LIMIT)
    assert [node["Node Type"] for node in _nodes(plan) if node["Actual Rows"] > shown] == []


@pytest.fixture(scope="module")
def lists_of_sqlite(tmp_path_factory):
    """Two files with a list of conversations and one of messages: ten times as long in one."""
    folder = tmp_path_factory.mktemp("lists")
    files = []
    for length in (600, 6000):
        files.append(file := folder / f"{length}.db")
        with convostore.open(f"sqlite:///{file.as_posix()}?namespace=n1") as store:
            store.create_conversation(id="c1")
            store.append_messages(
                "c1", [Message(id=f"m{number}", role="user") for number in range(length)]
            )
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute(
                "INSERT INTO convostore_conversations (namespace, id, pinned, stored_at, rank, "
                "message_count, next_seq, owner) WITH RECURSIVE n(n) AS "
                "(SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n <= ?) "
                "SELECT 'n1', 'c' || n, 0, n, n, 0, 0, 'u' || (n % 2) FROM n",
                [length],
            )
    return files


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_sqlite_costs_as_much_in_a_long_list_as_in_a_short_one(lists_of_sqlite, page):
    (index_values,) = [
        (sql, values) for name, sql, values in all_statements("sqlite") if name == page
    ]
    steps = []
    for file in lists_of_sqlite:
        with closing(sqlite3.connect(file)) as connection:
            steps.append(_steps(connection, *index_values))
    assert steps[1] <= 1.5 * steps[0]


def _steps(connection, sql, values):
    """How many steps SQLite's machine makes until it has all rows."""
    made = itertools.count()
    connection.set_progress_handler(lambda: next(made) < 0, 1)
    assert len(connection.execute(sql, values).fetchall()) in {1, LIMIT}
    connection.set_progress_handler(None, 1)
    return next(made)


def _plan(connection, sql, values, *options):
    index_values = ", ".join(["FORMAT JSON", *options])
    (rows,) = connection.execute(f"EXPLAIN ({index_values}) {sql}", values).fetchall()
    (plan,) = rows[0] if isinstance(rows[0], list) else json.loads(rows[0])
    return plan["Plan"]


def _nodes(plan):
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)
