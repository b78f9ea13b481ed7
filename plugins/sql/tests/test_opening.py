"""Files and tables that are missing, go away or become newer: what opening and open stores do."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

import convostore
from convostore import ConfigError, Message, TextPart, UnavailableError
from convostore.config import open_adapter
from convostore_sql.migrations import VERSION

from .support.databases import KINDS, SQLite

KEEPS_NO_FILE = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps an open file")


def make_message(message_id: str) -> Message:
    return Message(id=message_id, role="user", parts=(TextPart(text="words"),))


def filled(database, size: int = 1):
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
        store.append_messages("c", [make_message(str(number)) for number in range(size)])
    return database


# Stores that must not be made


def test_a_file_that_must_not_be_made_is_not_made(tmp_path):
    database = SQLite(tmp_path / "typo.db")

    async def read() -> None:
        async with convostore.aopen(database.dsn(create="false")) as store:
            await store.list_conversations()

    with convostore.open(database.dsn(), create=False) as store:
        for call in (store.check, store.list_conversations, store.create_conversation):
            with pytest.raises(ConfigError, match=r"there is no file .*typo\.db.*create=true"):
                call()
    with pytest.raises(ConfigError, match="there is no file"):
        asyncio.run(read())
    assert not list(tmp_path.iterdir())


def test_tables_that_must_not_be_made_are_not_made(bare_database):
    bare_database.look("SELECT 1")  # SQLite makes an empty file
    with convostore.open(bare_database.dsn(), create=False) as store:
        for call in (store.check, store.list_conversations, store.create_conversation):
            with pytest.raises(ConfigError, match=r"no tables of convostore.*create=true"):
                call()
    filled(bare_database)
    with convostore.open(bare_database.dsn(), create=False) as store:
        store.append_messages("c", [make_message("written")])
        assert [message.id for message in store.messages("c")] == ["0", "written"]


def test_the_file_of_another_program_is_left_as_it_is(tmp_path):
    database = SQLite(tmp_path / "other.db")
    with closing(sqlite3.connect(database.file)) as connection:
        connection.execute("CREATE TABLE notes (text)")
    before = database.file.read_bytes()
    with convostore.open(database.dsn(), create=False) as store, pytest.raises(ConfigError):
        store.check()
    assert database.file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [database.file]


def test_a_store_in_memory_needs_no_file():
    with convostore.open("sqlite://", create=False) as store:
        store.create_conversation(id="c")
        assert store.get_conversation("c").id == "c"


@pytest.mark.parametrize("name", ["a b?c#d%20e&mode=ro.db", "潮汐.db", "file:x.db"])
def test_a_file_may_have_any_name(tmp_path, name):
    filled(SQLite(tmp_path / name))
    assert (tmp_path / name).is_file()
    with convostore.open(SQLite(tmp_path / name).dsn(), create=False) as store:
        assert store.get_conversation("c").id == "c"


def test_a_path_is_opened_as_its_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with convostore.open(Path("a b?.db")) as store:
        store.create_conversation(id="c")
    with convostore.open(tmp_path / "a b?.db", create=False) as store:
        assert store.get_conversation("c").id == "c"
    assert asyncio.run(counted(tmp_path / "a b?.db")) == 1


async def counted(path: Path) -> int:
    async with convostore.aopen(path) as store:
        return len((await store.list_conversations()).items)


@pytest.mark.parametrize("place", ["Chats.db", "Data/Chats.db", "./潮汐.db"])
def test_two_slashes_get_the_three_that_were_meant(place):
    with pytest.raises(ConfigError) as caught:
        convostore.open(f"sqlite://{place}")
    assert str(caught.value).endswith(f"did you mean sqlite:///{place}?")


# Files that go away


@KEEPS_NO_FILE
def test_a_replaced_file_is_never_read_beside_the_old_one(tmp_path):
    database, restored = filled(SQLite(tmp_path / "a.db"), 5), filled(SQLite(tmp_path / "b.db"), 9)
    with convostore.open(database.dsn()) as store, ThreadPoolExecutor(4) as pool:
        assert store.list_messages("c").total == 5
        restored.file.replace(database.file)
        results = [pool.submit(store.list_messages, "c") for _ in range(40)]
        assert {type(result.exception()) for result in results} == {ConfigError}
    with convostore.open(database.dsn()) as store:
        assert store.list_messages("c").total == 9


@KEEPS_NO_FILE
def test_a_read_of_a_deleted_file_makes_none(tmp_path):
    database = filled(SQLite(tmp_path / "a.db"))
    adapter = open_adapter(database.dsn())
    transport = adapter.transport()

    def delete_and_read():
        first = yield from adapter.get_conversation("c")
        database.file.unlink()
        with pytest.raises(ConfigError, match="deleted"):  # on another connection
            transport.run(lambda: adapter.get_conversation("c"))
        return first

    with closing(transport):
        assert transport.run(delete_and_read).id == "c"
        with pytest.raises(ConfigError, match="open the store again"):
            transport.run(lambda: adapter.get_conversation("c"))
    assert not database.file.exists()


FORKING = """
import os, sys, convostore
store = convostore.open(sys.argv[1])
store.check()
os.unlink(sys.argv[2])
child = os.fork()
try:
    store.list_conversations()
except convostore.ConfigError as error:
    status = 0 if "open the store again" in str(error) else 3
else:
    status = 4
if child:
    status = status or os.waitpid(child, 0)[1]
    status = status or 5 * os.path.exists(sys.argv[2])
os._exit(status)
"""


@pytest.mark.rim
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_no_side_of_a_fork_makes_a_deleted_file_anew(python, new_database):
    database = filled(new_database("sqlite"))
    code, complaints = python.run("-c", FORKING, database.dsn(), str(database.file))
    assert code == 0, complaints


# Tables that become newer


@pytest.mark.parametrize("kind", KINDS)
def test_an_open_store_whose_tables_became_newer_reads_and_does_not_write(new_database, kind):
    database = filled(new_database(kind, bare=True))

    async def write(store) -> None:
        async with store:
            await store.append_messages("c", [make_message("again")])
            make_newer(database)
            with pytest.raises(ConfigError, match="4711"):
                await store.append_messages("c", [make_message("late")])
            assert (await store.get_conversation("c")).id == "c"

    with convostore.open(database.dsn()) as store:
        store.append_messages("c", [make_message("early")])
        make_newer(database)
        for _ in range(2):
            with pytest.raises(ConfigError, match=r"4711.*upgrade convostore-sql"):
                store.append_messages("c", [make_message("late")])
        assert len(store.list_messages("c").items) == 2
        database.look(f"UPDATE convostore_schema SET version = {VERSION}")
        store.append_messages("c", [make_message("again")])
    asyncio.run(write(convostore.aopen(database.dsn())))
    assert database.look("SELECT count(*) FROM convostore_messages") == [(3,)]


def make_newer(database) -> None:
    database.look("UPDATE convostore_schema SET version = 4711")


# The number of calls at a time


def test_no_more_connections_than_calls_at_a_time_are_opened(tmp_path, monkeypatch):
    adapter = open_adapter(filled(SQLite(tmp_path / "a.db")).dsn(concurrency=2))
    connect, made = sqlite3.connect, []
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: made.append(a) or connect(*a, **k))
    start, pair = threading.Barrier(8), threading.Barrier(2)

    def read_in_pairs():
        found = yield from adapter.get_conversation("c")
        pair.wait()
        return found.id

    def work(_: int) -> str:
        start.wait()
        return transport.run(read_in_pairs)

    with closing(adapter.transport()) as transport, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == ["c"] * 8
        assert len(made) == 2
        transport.run(lambda: adapter.set_feedback("c", "0", None))
    assert len(made) == 2


def test_who_waits_for_the_calls_of_others_beyond_the_timeout_is_told_so(tmp_path):
    adapter = open_adapter(filled(SQLite(tmp_path / "a.db")).dsn(concurrency=1, timeout=0))

    def read_while_another_reads():
        with pytest.raises(UnavailableError, match="concurrency") as caught:
            transport.run(lambda: adapter.get_conversation("c"))
        assert caught.value.retryable
        return (yield from adapter.get_conversation("c")).id

    def read_and_read():
        yield from adapter.get_conversation("c")
        return (yield from read_while_another_reads())

    with closing(adapter.transport()) as transport:
        assert transport.run(read_and_read) == "c"
        assert transport.run(lambda: adapter.get_conversation("c")).id == "c"
