"""What goes wrong around a store: interrupts, forks, servers and files that change under it.

Each time it is left usable, or says by an error of ours what is to be done.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from tests.support.naming import naming

import convostore
from convostore import (
    ANY,
    AuthError,
    ConfigError,
    ConversationStore,
    InvalidError,
    Message,
    StoreError,
    TextPart,
    UnavailableError,
)
from convostore.adapters import WrappedAdapter
from convostore.config import open_adapter
from convostore.store import WriteCall
from convostore_sql import sqlite
from convostore_sql.sqlite import database as sqlite_database
from convostore_sql.sqlite import files, slots
from convostore_sql.statements import statements_of

from .support import servers
from .support.databases import PostgreSQL

HELD = {
    "sqlite": "UPDATE convostore_conversations SET title = 'held'",
    "postgresql": "SELECT * FROM convostore_conversations FOR UPDATE",
}
WAITING = (
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


def make_message(message_id: str) -> Message:
    return Message(id=message_id, role="user", parts=(TextPart(text=f"words of {message_id}"),))


def ids(store: ConversationStore, conversation_id: str = "c") -> list[str]:
    return [message.id for message in store.messages(conversation_id)]


@pytest.fixture
def filled(database):
    """Return a database that holds the conversation `c` with a message."""
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c", title="words of a title")
        store.append_messages("c", [make_message("first")])
    return database


# Interrupts


class Interrupted(KeyboardInterrupt):
    """Ctrl-C."""


class Interrupter:
    """Raises where CPython looks for signals: when a C function returns or one of Python begins."""

    FILES = (sqlite_database.__file__, sqlite.__file__, slots.__file__, files.__file__)

    def __init__(self, moment: int) -> None:
        self._left = moment
        self.done = False

    def __call__(self, frame, event, _) -> None:
        if event in {"call", "c_return"} and frame.f_code.co_filename in self.FILES:
            self._left -= 1
            if not self._left:
                self.done = True
                sys.setprofile(None)
                raise Interrupted


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("where", ["file", "memory"])
@pytest.mark.parametrize("operation", ["append", "read"])
def test_an_interrupt_at_any_moment_leaves_a_store_that_works(new_database, where, operation):
    database = new_database("sqlite")
    url = database.dsn(timeout=0) if where == "file" else "sqlite://?timeout=0"
    moment = 1
    with database.connected():
        while an_interrupt_leaves_a_store_that_works(database, url, operation, moment):
            moment += 1
    assert moment > 20
    gc.collect()  # what an interrupt dropped unclosed is warned of here, not in a later test


def an_interrupt_leaves_a_store_that_works(database, url: str, operation: str, moment: int) -> bool:
    """Interrupt an operation at a moment, and return whether it lasted until then."""
    name = f"c{moment}"
    with naming("moment", moment), convostore.open(url) as store:
        store.create_conversation(id=name)
        interrupter = Interrupter(moment)
        sys.setprofile(interrupter)
        try:
            if operation == "append":
                store.append_messages(name, [make_message("x"), make_message("y")])
            else:
                store.get_conversation(name)
        except Interrupted:
            pass
        finally:
            sys.setprofile(None)
        if not interrupter.done:
            return False
        store.append_messages(name, [make_message("after")])
        assert ids(store, name) in (["after"], ["x", "y", "after"])
        with database.held("SELECT 1"):  # it can be written to: nobody holds its lock
            return True


@pytest.mark.parametrize("concurrency", [1, 2])
def test_a_call_that_waits_for_another_writer_is_cancelled_while_it_waits(filled, concurrency):
    async def main() -> None:
        async with convostore.aopen(filled.dsn(timeout=3600, concurrency=concurrency)) as store:
            await store.check()
            with filled.held(HELD[filled.kind]):
                for wait in (0.05, 0):
                    for _ in range(3):
                        with pytest.raises(TimeoutError):
                            await asyncio.wait_for(
                                store.append_messages("c", [make_message("x")]), wait
                            )
            await store.append_messages("c", [make_message("y")])

    asyncio.run(main())
    with convostore.open(filled.dsn()) as store:
        assert ids(store) == ["first", "y"]


# Forks

FORKING = """
import os, sys, convostore
from convostore import Message
store = convostore.open(sys.argv[1])
store.check()
child = os.fork()
name = "parent" if child else "child"
for number in range(20):
    store.append_messages("c", [Message(id=f"{name}-{number}", role="user")])
if sys.argv[2] == "closes" or child:
    store.close()
if not child:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.rim
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("child", ["closes", "leaves"])
def test_a_store_goes_on_in_both_processes_after_a_fork(python, filled, child):
    code, complaints = python.run("-c", FORKING, filled.dsn(), child)
    assert code == 0, complaints
    with convostore.open(filled.dsn()) as store:
        found = ids(store)
    for name in ("parent", "child"):
        own = [item for item in found if item.startswith(name)]
        assert own == [f"{name}-{number}" for number in range(20)]


FORKING_WHILE_IN_USE = """
import os, sys, convostore
store = convostore.open(sys.argv[1])
store.check()
store._transport._database.take()  # as a call in another thread would
if child := os.fork():
    assert os.waitpid(child, 0)[1] == 0
    store.check()
    os._exit(0)
try:
    store.check()
except convostore.ConfigError as error:
    os._exit("forked" not in str(error))
os._exit(2)
"""


@pytest.mark.rim
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_that_sqlite_would_give_the_locks_of_its_parent_is_refused(python, new_database):
    url = new_database("sqlite").dsn()
    code, complaints = python.run("-c", FORKING_WHILE_IN_USE, url)
    assert code == 0, complaints


# Waiting


def test_a_timeout_of_zero_serves_and_does_not_wait(filled):
    with convostore.open(filled.dsn(timeout=0)) as store:
        store.append_messages("c", [make_message("x")])
        with filled.held(HELD[filled.kind]), pytest.raises(UnavailableError) as caught:
            store.append_messages("c", [make_message("y")])
        assert caught.value.retryable
        store.append_messages("c", [make_message("z")])
        assert ids(store) == ["first", "x", "z"]


# What is passed


def forged(cursor: str | None, position: list[object]) -> str:
    """Return a cursor with another position."""
    assert cursor is not None
    seal = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    return base64.urlsafe_b64encode(
        json.dumps([*seal[:-1], json.dumps(position)]).encode()
    ).decode()


def test_a_forged_cursor_is_an_error_of_ours_at_the_worst(filled):
    with convostore.open(filled.dsn()) as store:
        store.create_conversation(id="d", title="words")
        store.append_messages("c", [make_message("second")])
        for text in ("\ud800", "\0", "x"):
            for number in (10**30, -(10**30), -(2**63), 0):
                with naming(ascii(text), number):
                    a_forged_cursor_is_an_error_of_ours(store, text, number)


def a_forged_cursor_is_an_error_of_ours(store: ConversationStore, text: str, number: int) -> None:
    listed = forged(store.list_conversations(limit=1).cursor, [number, text])
    told = forged(store.list_messages("c", limit=1).cursor, [number])
    found = store.search("words", limit=1).cursor
    with suppress(InvalidError):
        store.list_conversations(cursor=listed)
    with suppress(InvalidError):
        store.list_messages("c", cursor=told)
    for in_titles in (True, False):
        with suppress(InvalidError):
            store.search("words", cursor=forged(found, [in_titles, number, text, number]))


def test_a_limit_may_be_of_any_size(filled):
    with convostore.open(filled.dsn()) as store:
        for limit in (10**6, 2**62, 2**63, 10**30):
            with naming(limit):
                found = store.search("words", limit=limit).items
                assert [hit.where for hit in found] == ["title", "text"]
                assert len(store.list_conversations(limit=limit).items) == 1
                assert len(store.list_messages("c", limit=limit).items) == 1


def test_what_is_found_does_not_depend_on_how_many_candidates_are_none(filled):
    def phrase(number: int) -> str:
        return "two words" if number % 700 == 0 else "words, two"

    messages = [
        Message(id=str(number), role="user", parts=(TextPart(text=phrase(number)),))
        for number in range(2500)
    ]
    with convostore.open(filled.dsn()) as store:
        store.append_messages("c", messages)
        expected = ["2100", "1400", "700", "0"]
        for limit in (1, 3, 10_000):
            page = store.search('"two words"', limit=limit)
            hits = [*page.items]
            while page.cursor is not None:
                page = store.search('"two words"', limit=limit, cursor=page.cursor)
                hits += page.items
            assert [hit.message.id for hit in hits if hit.message] == expected


# Files


def test_a_store_stays_with_its_file_when_the_working_folder_changes(tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    with convostore.open("sqlite:///notes.db") as store:
        label = store.label
        store.create_conversation(id="before")
        monkeypatch.chdir("other")
        with ThreadPoolExecutor(4) as pool:
            start = threading.Barrier(4)

            def read(_: int) -> str:
                start.wait()
                return store.get_conversation("before").id

            assert list(pool.map(read, range(4))) == ["before"] * 4
        assert store.label == label
    with convostore.open("sqlite:///notes.db") as fresh:
        assert fresh.list_conversations().items == ()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a file that is open")
@pytest.mark.parametrize("replaced", [False, True])
def test_what_would_be_written_to_a_file_that_is_gone_is_refused(new_database, replaced):
    database, another = new_database("sqlite"), new_database("sqlite")
    for item in (database, another):
        with convostore.open(item.dsn()) as store:
            store.create_conversation(id="c")
    with convostore.open(database.dsn()) as store:
        store.append_messages("c", [make_message("x")])
        for path in database.file.parent.glob(f"{database.file.name}*"):
            path.unlink()
        if replaced:
            another.file.rename(database.file)
        with pytest.raises(ConfigError, match=database.file.name) as caught:
            store.append_messages("c", [make_message("y")])
        assert "open the store again" in str(caught.value)
        assert database.file.exists() == replaced
    if replaced:
        with convostore.open(database.dsn()) as store:
            assert ids(store) == []


# Servers


@pytest.mark.rim
def test_more_connections_that_the_server_ended_than_a_unit_is_run_are_replaced(new_database):
    database = new_database("postgresql")
    number = 20
    with convostore.open(database.dsn(concurrency=number)) as store:
        store.create_conversation(id="c")
        with ThreadPoolExecutor(number) as pool:
            with database.held(HELD["postgresql"]):
                writing = [
                    pool.submit(store.append_messages, "c", [make_message(str(item))])
                    for item in range(number)
                ]
                while database.look(WAITING) != [(number,)]:
                    assert not any(item.done() for item in writing)
            for item in writing:
                item.result()
        assert database.server.terminate_connections(database.name) == number
        assert len(ids(store)) == number


BLOCKED = "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.mark.rim
@pytest.mark.parametrize("face", ["sync", "async"])
def test_a_first_call_whose_connection_breaks_is_run_again(new_database, face):
    database = new_database("postgresql")
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")

    async def aread() -> str:
        async with convostore.aopen(database.dsn()) as store:
            return (await store.get_conversation("c")).id

    def read() -> str:
        if face == "async":
            return asyncio.run(aread())
        with convostore.open(database.dsn()) as store:
            return store.get_conversation("c").id

    with ThreadPoolExecutor(1) as pool:
        with database.held("LOCK TABLE convostore_schema"):
            reading = pool.submit(read)
            while not database.look(f"SELECT pg_terminate_backend(pid) {BLOCKED}"):
                assert not reading.done()
        assert reading.result() == "c"


BREAKS_AT_COMMIT = """
CREATE FUNCTION break_off() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER breaks AFTER UPDATE ON convostore_conversations
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION break_off()
"""


@pytest.mark.rim
@pytest.mark.parametrize("face", ["sync", "async"])
@pytest.mark.parametrize(
    ("method", "arguments", "retryable"),
    [
        ("pop_message", {"conversation_id": "c", "tip": "m"}, True),
        ("pop_message", {"conversation_id": "c", "tip": ANY}, False),
        ("write_batch", {"calls": [WriteCall("pop_message", "c", tip="m")]}, True),
        ("write_batch", {"calls": [WriteCall("pop_message", "c", tip=ANY)]}, False),
    ],
    ids=["the tip", "any tip", "a batch with the tip", "a batch with any tip"],
)
def test_what_must_not_be_repeated_is_not_retryable_where_a_commit_breaks_off(
    new_database, face, method, arguments, retryable
):
    database = new_database("postgresql")
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
        store.append_messages("c", [make_message("m")])

    async def acall() -> None:
        async with convostore.aopen(database.dsn()) as store:
            await getattr(store, method)(**arguments)

    def call() -> None:
        with convostore.open(database.dsn()) as store:
            getattr(store, method)(**arguments)

    database.look(BREAKS_AT_COMMIT)
    try:
        with pytest.raises(UnavailableError, match="whether it took place is unknown") as caught:
            call() if face == "sync" else asyncio.run(acall())
    finally:
        database.look("DROP FUNCTION break_off CASCADE")
    assert caught.value.retryable is retryable
    assert (caught.value.adapter, caught.value.operation) == ("postgresql", method)


@pytest.mark.rim
def test_a_server_that_was_gone_for_a_while_is_found_as_soon_as_it_is_there_again():
    with servers.running_or_skipped() as server:
        database = PostgreSQL(server, server.create_database())
        with convostore.open(database.dsn(timeout=1)) as store:
            store.create_conversation(id="c")
            server.stop()
            with ThreadPoolExecutor(2) as pool:  # each call takes as long as its timeout
                for _ in range(2):
                    asked = [pool.submit(store.get_conversation, "c") for _ in range(2)]
                    assert {type(request.exception()) for request in asked} == {UnavailableError}
            server.start()
            with suppress(UnavailableError):
                store.get_conversation("c")
            assert store.get_conversation("c").id == "c"


@pytest.mark.rim
def test_a_call_that_was_under_way_at_the_close_opens_nothing_anew(new_database):
    adapter = open_adapter(new_database("postgresql").dsn())
    query = statements_of("postgresql").version()
    before = set(threading.enumerate())
    transport, other = adapter.transport(), adapter.async_transport()

    async def main() -> None:
        await other.send(query)
        await other.aclose()
        with pytest.raises(InvalidError, match="closed"):
            await other.send(query)

    transport.send(query)
    transport.close()
    with pytest.raises(InvalidError, match="closed"):
        transport.send(query)
    asyncio.run(main())
    assert set(threading.enumerate()) <= before


@pytest.mark.rim
def test_the_encoding_of_the_environment_does_not_matter(new_database, monkeypatch):
    database = new_database("postgresql")
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c", title="日本語")
        assert store.get_conversation("c").title == "日本語"
    monkeypatch.delenv("PGCLIENTENCODING")
    assert database.look("SELECT title FROM convostore_conversations") == [("日本語",)]


@pytest.mark.rim
def test_a_writer_that_waited_is_not_run_again_whatever_isolation_the_server_is_set_to(
    new_database,
):
    database = new_database("postgresql")
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
    setting = "SET default_transaction_isolation = 'serializable'"
    database.look(f'ALTER DATABASE "{database.name}" {setting}')
    runs = []

    class Counting(WrappedAdapter):
        def append_messages(self, *arguments):
            runs.append(arguments)
            return super().append_messages(*arguments)

    with convostore.open(database.dsn()) as store, ThreadPoolExecutor(1) as pool:
        with database.server.connect(database.name) as other:
            other.execute("BEGIN")
            other.execute(HELD["sqlite"])
            appended = pool.submit(store.view(Counting).append_messages, "c", [make_message("x")])
            while database.look(WAITING) != [(1,)]:
                assert not appended.done()
            other.execute("COMMIT")
        appended.result()
        assert (ids(store), len(runs)) == (["x"], 1)


@pytest.mark.rim
def test_a_database_that_may_only_be_read_is_read_and_refuses_by_an_error_of_ours(new_database):
    database = new_database("postgresql")
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
    setting = "SET default_transaction_read_only = on"
    database.look(f'ALTER DATABASE "{database.name}" {setting}')
    with convostore.open(database.dsn()) as store:
        assert store.get_conversation("c").id == "c"
        with pytest.raises(AuthError, match="read-only"):
            store.append_messages("c", [make_message("x")])


@pytest.mark.parametrize("end", ["\0", "\ud800"])
def test_a_password_that_cannot_be_sent_is_refused_and_not_shown(end):
    with pytest.raises(StoreError, match="password") as caught:
        convostore.open("postgresql://me@127.0.0.1/notes", password=f"secret{end}")
    error: BaseException | None = caught.value
    while error is not None:
        assert "secret" not in repr(error)
        error = error.__cause__ or error.__context__
