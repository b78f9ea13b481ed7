"""The adapters keep the contract: a file, a private memory, a server; alone and in a namespace."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import convostore
from convostore import ConversationStore
from convostore.config import open_adapter
from convostore.testing import Backend, StoreContract

from .support.databases import Database, PostgreSQL, SQLite


def in_bobs_namespace(database: Database) -> Callable[[], Callable[[], int]]:
    """Put bob's conversations into the same tables, and count them."""

    def put() -> Callable[[], int]:
        with convostore.open(database.dsn(namespace="bob")) as store:
            for number in range(3):
                store.create_conversation(id=f"c{number:04}", title="bob's")

        def count() -> int:
            with convostore.open(database.dsn(namespace="bob")) as store:
                return len(list(store.conversations()))

        return count

    return put


EMPTYING = "DELETE FROM convostore_messages", "DELETE FROM convostore_conversations"


@pytest.fixture(scope="module")
def emptied_file(tmp_path_factory) -> Iterator[Callable[[], SQLite]]:
    """Empty one file for each clause: to make one, and to close it, waits for the disk."""
    database = SQLite(tmp_path_factory.mktemp("contract") / "store.db")
    with convostore.open(database.dsn()) as store:
        store.check()
    with database.connected() as connection:

        def emptied() -> SQLite:
            for statement in EMPTYING:
                connection.execute(statement)
            return database

        yield emptied


class TestSQLiteFile(StoreContract):
    @pytest.fixture
    def backend(self, emptied_file) -> Backend:
        database = emptied_file()
        return Backend(database.dsn(), unlisted=in_bobs_namespace(database))


@pytest.fixture(scope="module")
def shared_file(tmp_path_factory) -> Iterator[SQLite]:
    """One file for all clauses, each of which has a namespace of its own."""
    database = SQLite(tmp_path_factory.mktemp("contract") / "store.db")
    with database.connected():
        yield database


class TestSQLiteNamespace(StoreContract):
    @pytest.fixture
    def backend(self, shared_file, request) -> Backend:
        dsn = shared_file.dsn(namespace=request.node.name)
        return Backend(dsn, unlisted=in_bobs_namespace(shared_file))


class TestSQLiteMemory(StoreContract):
    @pytest.fixture
    def backend(self) -> Iterator[Backend]:
        adapter = open_adapter("sqlite://")
        # It lasts as long as a store of the adapter is open, whatever a clause closes.
        with ConversationStore(adapter, adapter.transport()) as lasting:
            lasting.check()
            yield Backend(lambda **options: adapter)


@pytest.fixture(scope="module")
def emptied_server(databases) -> Iterator[Callable[[], PostgreSQL]]:
    """Empty one database for each clause: to make one takes its time."""
    with databases.one() as database, database.server.connect(database.name) as connection:
        with convostore.open(database.dsn()) as store:
            store.check()

        def emptied() -> PostgreSQL:
            for statement in EMPTYING:
                connection.execute(statement)
            return database

        yield emptied


@pytest.mark.rim
class TestPostgreSQL(StoreContract):
    @pytest.fixture
    def backend(self, emptied_server) -> Backend:
        database = emptied_server()
        return Backend(database.dsn(), unlisted=in_bobs_namespace(database))


@pytest.mark.rim
class TestPostgreSQLBehindPgBouncer(StoreContract):
    @pytest.fixture
    def backend(self, emptied_server, pooler) -> Backend:
        database = emptied_server()
        return Backend(pooler.dsn(database.name), unlisted=in_bobs_namespace(database))


@pytest.fixture(scope="module")
def shared_server(databases) -> Iterator[PostgreSQL]:
    """One database for all clauses, each of which has a namespace of its own."""
    with databases.one() as database:
        yield database


@pytest.mark.rim
class TestPostgreSQLNamespace(StoreContract):
    @pytest.fixture
    def backend(self, shared_server, request) -> Backend:
        dsn = shared_server.dsn(namespace=request.node.name)
        return Backend(dsn, unlisted=in_bobs_namespace(shared_server))


def test_a_memory_is_a_new_one_for_each_opening():
    with convostore.open("sqlite://") as one, convostore.open("sqlite://") as other:
        one.create_conversation(id="c")
        assert list(other.conversations()) == []


def test_a_file_named_where_a_host_stands_is_refused():
    with pytest.raises(convostore.ConfigError, match="sqlite:///"):
        convostore.open("sqlite://store.db")


def test_a_relative_file_lies_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with convostore.open("sqlite:///notes.db") as store:
        store.create_conversation(id="c", title="kept")
    assert (tmp_path / "notes.db").is_file()
    with convostore.open(f"sqlite:///{tmp_path.as_posix()}/notes.db") as store:
        assert store.get_conversation("c").title == "kept"


def test_a_file_may_have_any_name(tmp_path):
    odd = tmp_path / "a b?c#d%e'é笔记.db"
    database = SQLite(odd)
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
    assert odd.is_file()


def test_opening_does_no_work(tmp_path):
    convostore.open(SQLite(tmp_path / "none.db").dsn()).close()
    assert not (tmp_path / "none.db").exists()
    convostore.open("postgresql://nobody:secret@127.0.0.1:1/none").close()


@pytest.mark.rim
def test_a_server_out_of_reach_is_unavailable_and_its_password_stays_secret():
    with convostore.open("postgresql://me:hush-hush@127.0.0.1:1/none?timeout=5") as store:
        with pytest.raises(convostore.UnavailableError) as caught:
            store.check()
        assert caught.value.retryable
        shown = f"{caught.value!r} {caught.value} {caught.value.detail} {store!r} {store.label}"
    assert "hush" not in shown


@pytest.mark.rim
def test_a_wrong_password_is_an_auth_error(server):
    dsn = server.dsn("postgres").replace(
        server.dsn("x").partition("@")[0], "postgresql://postgres:no"
    )
    with convostore.open(dsn) as store, pytest.raises(convostore.AuthError):
        store.check()


@pytest.mark.rim
def test_a_password_may_be_given_as_an_argument(new_database):
    database = new_database("postgresql")
    dsn = f"postgresql://postgres@127.0.0.1:{database.server.port}/{database.name}"
    with convostore.open(dsn, password=database.server.password) as store:
        store.create_conversation(id="c")
        assert "password" not in repr(store)
    with convostore.open(database.dsn()) as store:
        assert store.get_conversation("c").id == "c"


@pytest.mark.rim
def test_a_database_that_does_not_exist_is_named(server):
    with convostore.open(server.dsn("nowhere-at-all")) as store:
        with pytest.raises(convostore.StoreError, match="nowhere-at-all") as caught:
            store.check()
        assert not caught.value.retryable


def test_durability_is_normal_or_full(new_database):
    database = new_database("sqlite")
    for durability in ("normal", "full"):
        with convostore.open(database.dsn(durability=durability)) as store:
            store.create_conversation(id=durability)
    with pytest.raises(convostore.ConfigError, match="durability"):
        convostore.open(database.dsn(durability="none"))


def test_a_store_has_a_write_ahead_log(new_database):
    database = new_database("sqlite")
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
    assert database.look("PRAGMA journal_mode") == [("wal",)]


def test_a_dsn_that_names_no_file_is_no_memory():
    with pytest.raises(convostore.ConfigError, match="must name a file"):
        convostore.open("sqlite:///")


def test_a_file_is_the_same_store_by_whatever_way_it_is_reached(tmp_path):
    file, folder = tmp_path / "store.db", tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "link.db").symlink_to(file)
    ways = [file, tmp_path / "link.db", folder / ".." / "store.db"]
    opened = [convostore.open(f"sqlite:///{way.as_posix()}") for way in ways]
    assert len({item.label for item in opened}) == 1
    with pytest.raises(convostore.InvalidError, match="different stores"):
        convostore.mirror(opened[0], opened[1])
    for item in opened:
        item.close()
