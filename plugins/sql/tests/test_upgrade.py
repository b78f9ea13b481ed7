"""Tables of version 1, as the library of that time made them, are upgraded with all they hold."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

import convostore
from convostore import Feedback, Message, UnavailableError

from .support import processes
from .support.databases import KINDS
from .support.processes import Writer

VERSION_1 = Path(__file__).with_name("support") / "version_1"
OPENERS = 6
SAID = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
OWNED = "convostore_conversations_owned"


@pytest.fixture(params=KINDS)
def old_database(request, new_database):
    """Return a database of version 1 with two conversations in the namespace n."""
    return make_old(new_database(request.param, bare=True))


def make_old(database):
    script = (VERSION_1 / f"{database.kind}.sql").read_text(encoding="utf-8")
    if database.kind == "sqlite":
        with database.connected() as connection:
            connection.executescript(script)
    else:
        database.look(script)
    return database


def version(database) -> int:
    ((found,),) = database.look("SELECT version FROM convostore_schema")
    return found


def columns(database) -> set[tuple[object, ...]]:
    if database.kind == "sqlite":
        return {
            (table, *column[1:4])
            for table in ("convostore_conversations", "convostore_messages")
            for column in database.look(f"PRAGMA table_info({table})")
        }
    return set(
        database.look(
            "SELECT table_name, column_name, data_type, collation_name, is_nullable "
            "FROM information_schema.columns WHERE table_name LIKE 'convostore%'"
        )
    )


def indexes(database) -> set[tuple[str, str]]:
    if database.kind == "sqlite":
        found = database.look("SELECT name, sql FROM sqlite_master WHERE type = 'index'")
    else:
        found = database.look(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename LIKE 'convostore%'"
        )
    return {(name, (sql or "").replace("IF NOT EXISTS ", "")) for name, sql in found}


def test_an_upgrade_keeps_all_that_was_stored(old_database):
    with convostore.open(old_database.dsn(namespace="n")) as store:
        assert version(old_database) == 1
        pinned, kept = store.conversations()
        question, answer = store.messages("c")
        (hit,) = store.search("tides").items
        (title,) = store.search("version").items
    assert version(old_database) == 2
    assert (pinned.id, pinned.pinned) == ("empty \x00", True)
    assert (kept.title, kept.created_at) == ("What was kept of version one", SAID)
    assert kept.origin.conversation_id == "7"
    assert (question.text, question.created_at) == ("When is high tide at Hilo, 夏威夷?", SAID)
    assert (answer.text, answer.feedback.comment) == ("At noon [1].", "thanks")
    assert answer.raw == {"n": 1, "s": "\ud800"}
    assert hit.message == answer
    assert title.conversation == kept


def test_what_version_1_did_not_store_is_not_known(old_database):
    with convostore.open(old_database.dsn(namespace="n")) as store:
        conversation = store.get_conversation("c")
        question, answer = store.messages("c")
        assert (conversation.owner, conversation.metadata) == (None, {})
        assert conversation.revision is None
        assert question.stored_at is None  # it has a time of its own
        assert answer.stored_at.year == 2026
        assert [store.get_message("c", id_).stored_at for id_ in ("m1", "m2")] == [
            question.stored_at,
            answer.stored_at,
        ]
        edited = store.update_message("c", answer.model_copy(update={"created_at": SAID}))
        assert edited.stored_at == answer.stored_at == store.get_message("c", "m2").stored_at


def test_the_first_write_after_an_upgrade_gives_a_revision(old_database):
    with convostore.open(old_database.dsn(namespace="n")) as store:
        store.set_feedback("c", "m1", Feedback(rating="good"))
        first = store.get_conversation("c").revision
        store.append_messages("c", [Message(id="m3", role="user")])
        second = store.get_conversation("c").revision
        assert None not in {first, second}
        assert first != second


def test_conversations_of_version_1_can_be_given_an_owner(old_database):
    with convostore.open(old_database.dsn(namespace="n")) as store:
        assert [item.id for item in store.conversations(owner=None)] == ["empty \x00", "c"]
        store.update_conversation("c", owner="ann", metadata={"topic": "tides"})
        assert [item.id for item in store.conversations(owner="ann")] == ["c"]
        assert store.get_conversation("c").metadata == {"topic": "tides"}


def test_upgraded_tables_are_those_of_a_new_database(old_database, new_database):
    new = new_database(old_database.kind, bare=True)
    for database in (old_database, new):
        with convostore.open(database.dsn()) as store:
            store.check()
    assert columns(old_database) == columns(new)
    assert indexes(old_database) == indexes(new)


@pytest.mark.rim
def test_processes_that_upgrade_at_once_all_write(python, old_database):
    dsn = old_database.dsn(namespace="n")
    openers = [Writer(dsn, f"w{number}", ["c"], 2) for number in range(OPENERS)]
    processes.run(python, openers)
    assert [(opener.complaints, opener.returned) for opener in openers] == [("", 0)] * OPENERS
    with convostore.open(dsn) as store:
        ids = {message.id for message in store.messages("c")}
    written = {f"w{number}-{message}" for number in range(OPENERS) for message in range(2)}
    assert ids == {"m1", "m2"} | written
    assert version(old_database) == 2
    assert OWNED in dict(indexes(old_database))


@pytest.mark.rim
def test_an_upgrade_that_others_keep_out_changes_nothing_and_can_be_repeated(new_database):
    database = make_old(new_database("postgresql", bare=True))
    before = columns(database)
    with convostore.open(database.dsn(namespace="n", timeout=0.1)) as store:
        with database.held("UPDATE convostore_conversations SET title = title"):
            with pytest.raises(UnavailableError):
                store.get_conversation("c")
            assert (version(database), columns(database)) == (1, before)
        assert store.get_conversation("c").title == "What was kept of version one"


@pytest.mark.rim
def test_an_index_that_was_left_half_made_is_made_again_by_the_next_opening(new_database):
    database = new_database("postgresql", bare=True)
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c", owner="ann")
    database.look(f"DROP INDEX {OWNED}")
    is_valid = f"SELECT indisvalid FROM pg_index WHERE indexrelid = '{OWNED}'::regclass"
    with database.held("UPDATE convostore_conversations SET title = title"):
        with convostore.open(database.dsn(timeout=0.1)) as store:  # it does without
            assert [item.id for item in store.conversations(owner="ann")] == ["c"]
        assert database.look(is_valid) == [(False,)]
    with convostore.open(database.dsn()) as store:
        store.check()
    assert database.look(is_valid) == [(True,)]


def test_a_time_of_storing_that_is_none_is_a_problem_of_its_message(new_database):
    database = new_database("sqlite")
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
        store.append_messages("c", [Message(id=id_, role="user") for id_ in ("m1", "m2")])
        database.look("UPDATE convostore_messages SET stored_at = 'noon' WHERE id = 'm1'")
        damaged, sound = store.messages("c")
        assert [problem.where for problem in damaged.problems] == ["stored_at"]
        assert (damaged.stored_at, sound.problems) == (None, ())
        first, _ = store.messages_as_json("c").items
        assert "is not a time" in first
