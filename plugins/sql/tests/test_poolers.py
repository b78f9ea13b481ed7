"""Behind a pooler, which lends each transaction another of the server's connections."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import psycopg
import pytest

import convostore
from convostore import ConfigError, Message, TextPart, UnavailableError

from .support import poolers, servers
from .support.databases import PostgreSQL

pytestmark = pytest.mark.rim

PREPARED = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE '\\_pg3%'"
OFTEN = 7
"""Number of executions after which psycopg has prepared a statement."""


def make_message(message_id: str) -> Message:
    return Message(id=message_id, role="user", parts=(TextPart(text="words"),))


@pytest.fixture
def database(new_database) -> PostgreSQL:
    return new_database("postgresql")


@contextmanager
def lent(pooler: servers.Server, database: PostgreSQL, number: int) -> Iterator[list[Holder]]:
    """Hold connections of the server that the pooler lends, each in a transaction."""
    with ExitStack() as stack:
        holders = [
            Holder(stack.enter_context(pooler.connect(database.name))) for _ in range(number)
        ]
        for holder in holders:
            holder.take()
        yield sorted(holders, key=lambda holder: holder.process)


class Holder:
    """A client of the pooler that keeps a connection of the server to itself."""

    def __init__(self, connection: psycopg.Connection) -> None:
        connection.prepare_threshold = None
        self._connection = connection
        self.process = 0

    def take(self) -> None:
        self._connection.execute("BEGIN")
        (self.process,) = self._connection.execute("SELECT pg_backend_pid()").fetchone()

    def give_back(self) -> None:
        self._connection.execute("ROLLBACK")

    def ask(self, statement: str) -> object:
        (answer,) = self._connection.execute(statement).fetchone()
        return answer


def test_a_read_never_runs_what_another_client_prepared(pooler, database):
    ids = [f"kept-{number}" for number in range(10)]
    with convostore.open(database.dsn()) as store:
        for name in ids:
            store.create_conversation(id=name)
    dsn = pooler.dsn(database.name, concurrency=1)
    with (
        convostore.open(dsn) as deleting,
        convostore.open(dsn) as reading,
        lent(pooler, database, 2) as (first, second),
    ):
        second.give_back()
        for number in range(2 * OFTEN):
            deleting.delete_conversation(f"none-{number}")
        second.take()
        first.give_back()
        for _ in range(OFTEN):
            reading.list_messages(ids[0], limit=1)
            reading.list_messages(ids[0], limit=1, order="newest_first")
            reading.list_conversations(limit=1)
            reading.get_conversation(ids[0])
        first.take()
        second.give_back()
        assert [reading.get_conversation(name).id for name in ids] == ids
    with convostore.open(database.dsn()) as store:
        assert {conversation.id for conversation in store.conversations()} == set(ids)


def test_nothing_outlasts_a_transaction_on_a_connection_that_is_lent(pooler, database):
    with convostore.open(pooler.dsn(database.name, timeout=5)) as store:
        store.create_conversation(id="c")
        for number in range(OFTEN):
            store.append_messages("c", [make_message(f"{number}{end}") for end in "ab"])
            store.get_conversation("c")
    with lent(pooler, database, 2) as holders:
        for holder in holders:
            assert holder.ask("SELECT count(*) FROM pg_prepared_statements") == 0
            assert holder.ask("SHOW lock_timeout") == "0"


@pytest.mark.parametrize(
    ("prepare", "are_prepared"), [(None, True), (True, True), (False, False)], ids=repr
)
def test_on_a_connection_of_its_own_a_store_prepares_unless_it_is_told_not_to(
    database, prepare, are_prepared
):
    options = {} if prepare is None else {"prepare": prepare}
    with convostore.open(database.dsn(concurrency=1), **options) as store:
        store.create_conversation(id="c")
        for _ in range(OFTEN):
            store.get_conversation("c")
        session = store._transport._opened().take()
        assert bool(session.execute(PREPARED).fetchone()[0]) == are_prepared
        store._transport._opened().give_back(session)


def test_a_call_waits_for_a_lock_no_longer_than_its_timeout(pooler, database):
    with convostore.open(pooler.dsn(database.name, timeout=0)) as store:
        store.create_conversation(id="c")
        with (
            database.held("SELECT * FROM convostore_conversations FOR UPDATE"),
            pytest.raises(UnavailableError, match="timeout"),
        ):
            store.append_messages("c", [make_message("x")])
        store.append_messages("c", [make_message("y")])


def test_stores_that_open_an_empty_database_at_once_all_find_its_tables(pooler, new_database):
    bare = new_database("postgresql", bare=True)

    def first_call(number: int) -> None:
        with convostore.open(pooler.dsn(bare.name)) as store:
            store.create_conversation(id=str(number))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(first_call, range(4)))
    assert bare.look("SELECT count(*) FROM convostore_conversations") == [(4,)]


def test_a_pooler_that_refuses_transactions_is_a_config_error_of_the_first_call(server, database):
    async def first_call(dsn: str) -> None:
        async with convostore.aopen(dsn) as store:
            await store.list_conversations()

    with servers.or_skipped(poolers.running(server, "statement")) as pooler:
        dsn = pooler.dsn(database.name)
        with convostore.open(dsn) as store, pytest.raises(ConfigError, match="pool_mode"):
            store.list_conversations()
        with pytest.raises(ConfigError, match="statement mode"):
            asyncio.run(first_call(dsn))


def test_a_pooler_ends_with_those_who_use_it(server):
    with servers.or_skipped(poolers.running(server)) as pooler, pooler.connect() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="refused"):
        pooler.connect()


def test_without_a_pooler_tests_fail_where_one_is_required(server, monkeypatch):
    monkeypatch.setattr(poolers.shutil, "which", lambda *_, **__: None)
    monkeypatch.setenv(servers.REQUIRED, "1")
    with (
        pytest.raises(pytest.fail.Exception, match="PgBouncer"),
        servers.or_skipped(poolers.running(server)),
    ):
        pass
