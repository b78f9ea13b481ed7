"""Rows and tables that another program damaged: the rest is read, and nothing is lost."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.cli import run
from tests.support.naming import naming

import convostore
from convostore import ConfigError, ConflictError, Feedback, Message, Source, TextPart
from convostore.serialization import dumps, is_damage, join_surrogates, load_message
from convostore.testing.samples import full_message
from convostore.testing.strategies import corrupted

BEFORE = Message(id="before", role="user", parts=(TextPart(text="words before"),))
AFTER = Message(id="after", role="user", parts=(TextPart(text="words after"),))
DAMAGED = Message(
    id="m",
    role="assistant",
    parts=(TextPart(text="words within"),),
    sources=(Source(title="words"),),
    feedback=Feedback(rating="good"),
)
BODIES = (
    "",
    "{",
    "[1]",
    "~",
    '{"parts":[{"kind":"text","text":"words wi',
    '{"parts":"words within"}',
    '{"parts":[{"kind":"text","text":5}]}',
    '{"parts":[{"kind":"text","text":"words"}],"feedback":"good"}',
    '{"created_at":"yesterday"}',
    '{"status":"weird"}',
    '{"colour":"blue"}',
    '{"created_at":"2024-01-01T00:00:00"}',
    '{"raw":' + 100_000 * "[",
)


@pytest.fixture
def filled(database):
    """Return a database with the conversation `c`, whose second message will be damaged."""
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c", title="words of a title")
        store.append_messages("c", [BEFORE, DAMAGED, AFTER])
    return database


def damage(database, body):
    quoted = body.replace("'", "''")
    database.look(f"UPDATE convostore_messages SET body = '{quoted}' WHERE id = 'm'")


def look_at_all(store):
    """Return the damaged message, after every operation that reads has shown it and the others."""
    first, read, last = store.messages("c")
    assert (first, last) == (BEFORE, AFTER)
    assert (read.id, read.role) == ("m", "assistant")
    (transcript,) = store.transcripts()
    assert transcript.messages == (first, read, last)
    newest = list(store.messages("c", order="newest_first"))
    assert newest == [last, read, first]
    texts = store.messages_as_json("c").items
    shown = [load_message(join_surrogates(json.loads(text))) for text in texts]
    assert [item.portable() for item in shown] == [item.portable() for item in (first, read, last)]
    hits = [hit.message.id for hit in store.search("words").items if hit.message]
    assert {"before", "after"} <= set(hits)
    return read


def test_a_damaged_row_costs_no_other_and_keeps_its_text(filled):
    with convostore.open(filled.dsn()) as store:
        for body in BODIES:
            with naming(body[:60]):
                damage(filled, body)
                read = look_at_all(store)
                assert any(map(is_damage, read.problems))
                assert read.raw == body.removeprefix("~")


def test_a_damaged_row_is_read_by_the_async_face(filled):
    async def read():
        async with convostore.aopen(filled.dsn()) as store:
            return [message.raw async for message in store.messages("c")]

    damage(filled, "[1]")
    assert asyncio.run(read()) == [None, "[1]", None]


def test_feedback_on_a_damaged_row_keeps_what_was_stored(filled):
    with convostore.open(filled.dsn()) as store:
        for body in BODIES:
            with naming(body[:60]):
                damage(filled, body)
                before = look_at_all(store)
                store.set_feedback("c", "m", Feedback(rating="bad"))
                rated = look_at_all(store)
                assert rated == before.model_copy(update={"feedback": Feedback(rating="bad")})
                store.set_feedback("c", "m", None)
                assert look_at_all(store).raw == before.raw


def test_a_damaged_row_is_not_the_message_that_it_was_and_can_be_replaced(filled):
    damage(filled, '{"parts":"words within"}')
    with convostore.open(filled.dsn()) as store:
        with pytest.raises(ConflictError):
            store.append_messages("c", [DAMAGED])
        store.replace_messages("c", [DAMAGED, AFTER], after="before")
        assert list(store.messages("c")) == [BEFORE, DAMAGED, AFTER]


def test_a_conversation_with_a_damaged_row_is_forked_mirrored_and_exported(filled):
    damage(filled, '{"parts":"words within"}')
    with convostore.open(filled.dsn()) as store, convostore.open("sqlite://") as copy:
        store.fork_conversation("c", "after", id="fork")
        expected = [message.portable() for message in store.messages("c")]
        assert [message.portable() for message in store.messages("fork")] == expected
        report = convostore.mirror(store, copy)
        assert (report.copied, report.skipped) == (2, ())
        for conversation in copy.conversations():
            messages = copy.messages(conversation.id)
            assert [message.portable() for message in messages] == expected
        file = io.StringIO()
        convostore.export_conversations(store, file, format="jsonl")
        assert file.getvalue().count("words within") == 4  # in the parts and in raw


def test_a_mirror_mends_a_damaged_copy(filled, database):
    with convostore.open("memory://") as source, convostore.open(database.dsn()) as target:
        source.create_conversation(id="s")
        source.append_messages("s", [BEFORE, DAMAGED, AFTER])
        convostore.mirror(source, target, name="source")
        database.look("UPDATE convostore_messages SET body = '{' WHERE id = 'm'")
        convostore.mirror(source, target, name="source", full=True)
        (copy,) = [item for item in target.conversations() if item.id != "c"]
        assert list(target.messages(copy.id)) == [BEFORE, DAMAGED, AFTER]


@pytest.mark.parametrize("body", ["", "{", "[1]", '{"files":5}', '{"origin":{"store":1}}'])
def test_a_damaged_conversation_is_listed_and_can_be_renamed(filled, body):
    filled.look(f"UPDATE convostore_conversations SET body = '{body}'")
    with convostore.open(filled.dsn()) as store:
        (read,) = store.conversations()
        assert (read.id, read.title, read.raw) == ("c", "words of a title", body)
        assert all(map(is_damage, read.problems))
        assert read.problems
        store.update_conversation("c", title="another")
        renamed = store.get_conversation("c")
        assert (renamed.title, renamed.raw, renamed.problems) == ("another", body, read.problems)
        assert len(list(store.messages("c"))) == 3


def test_a_column_of_sqlite_may_hold_anything(new_database):
    database = new_database("sqlite")
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c", title="words of a title")
        store.append_messages("c", [BEFORE, DAMAGED, AFTER])
        for column, value in {
            "title": "x'ff'",
            "pinned": "'perhaps'",
            "created_at": "'yesterday'",
            "updated_at": str(2**62),
            "body": "x'7bff7d'",
        }.items():
            before = database.look(f"SELECT {column} FROM convostore_conversations")
            with naming(column), closing(sqlite3.connect(database.file)) as connection:
                set_column(connection, "convostore_conversations", column, value)
                (read,) = store.conversations()
                assert read.id == "c"
                assert column in {problem.where for problem in read.problems}
                assert [message.id for message in store.messages("c")] == ["before", "m", "after"]
                connection.execute(f"UPDATE convostore_conversations SET {column} = ?", before[0])
                connection.commit()
        for column, value in {"role": "'nobody'", "body": "CAST(x'7bff7d' AS TEXT)"}.items():
            with naming(column), closing(sqlite3.connect(database.file)) as connection:
                set_column(connection, "convostore_messages", column, f"{value}", "id = 'm'")
                first, read, last = store.messages("c")
                assert (first, last) == (BEFORE, AFTER)
                assert any(map(is_damage, read.problems))


def test_a_conversation_whose_times_are_damaged_can_be_written_to(new_database):
    past, now = datetime(2001, 1, 1, tzinfo=UTC), datetime.now(UTC)
    for column in ("created_at", "updated_at", "stored_at"):
        for value in ("'yesterday'", "x'ff'", str(2**62)):
            database = new_database("sqlite")
            with naming(column, value), convostore.open(database.dsn()) as store:
                store.create_conversation(id="c", created_at=past)
                store.append_messages("c", [BEFORE, DAMAGED])
                with closing(sqlite3.connect(database.file)) as connection:
                    set_column(connection, "convostore_conversations", column, value)
                store.append_messages("c", [AFTER.model_copy(update={"created_at": past})])
                store.delete_message("c", "m")
                assert [message.id for message in store.messages("c")] == ["before", "after"]
                assert store.get_conversation("c").updated_at >= now


def test_a_damaged_revision_costs_no_other_conversation(new_database):
    database = new_database("sqlite")
    with convostore.open(database.dsn()) as store, convostore.open("memory://") as copy:
        for identity in "abc":
            store.create_conversation(id=identity)
            store.append_messages(identity, [BEFORE])
        with closing(sqlite3.connect(database.file)) as connection:
            set_column(connection, "convostore_conversations", "revision", "x'fffe'", "id = 'b'")
        damaged = store.get_conversation("b")
        assert damaged.revision is None
        assert [problem.where for problem in damaged.problems if is_damage(problem)] == ["revision"]
        sound = [item.id for item in store.conversations() if item.revision is not None]
        assert sorted(sound) == ["a", "c"]
        assert convostore.mirror(store, copy).copied == 3
    assert len(json.loads(run("ls", "--json", database.dsn()).stdout)) == 3
    result = run("doctor", database.dsn())
    assert result.exit_code == 1
    assert "conversation b: revision is damaged in the store" in result.stdout


def cut(text, length):
    return text[:length]


def set_column(connection, table, column, value, where="true"):
    connection.execute(f"UPDATE {table} SET {column} = {value} WHERE {where}")
    connection.commit()


SPOILT = corrupted(json.loads(dumps(full_message())), places=2).map(json.dumps)


def test_however_a_body_is_damaged_everything_can_be_read(new_database):
    database = new_database("sqlite")
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c", title="words of a title")
        store.append_messages("c", [BEFORE, DAMAGED, AFTER])

        @given(SPOILT | st.builds(cut, SPOILT, st.integers(0, 400)))
        def read_it(body):
            damage(database, body)
            look_at_all(store)

        read_it()


def test_doctor_names_the_damaged_rows_and_a_quick_one_reads_none(filled):
    assert run("doctor", filled.dsn()).exit_code == 0
    damage(filled, "[1]")
    filled.look("UPDATE convostore_conversations SET body = '{'")
    result = run("doctor", filled.dsn())
    assert result.exit_code == 1
    lines = [line for line in result.stdout.splitlines() if line.startswith("✗ damaged")]
    assert "conversation c: body is damaged in the store: it is not JSON" in lines[0]
    assert "message m of conversation c: body is damaged" in lines[1]
    found = json.loads(run("doctor", filled.dsn(), "--json").stdout)
    assert (found["ok"], [row["message_id"] for row in found["damaged"]]) == (False, [None, "m"])
    assert run("doctor", filled.dsn(), "--quick").exit_code == 0


def test_a_damaged_time_of_storage_is_damage_that_doctor_names(new_database):
    database = new_database("sqlite")
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
        store.append_messages("c", [BEFORE, DAMAGED, AFTER])
        for value in ("'soon'", "x'ff'", str(2**62)):
            with naming(value), closing(sqlite3.connect(database.file)) as connection:
                set_column(connection, "convostore_messages", "stored_at", value, "id = 'm'")
                (problem,) = look_at_all(store).problems
                assert problem.where == "stored_at"
                assert is_damage(problem)
    result = run("doctor", database.dsn())
    assert result.exit_code == 1
    reason = "stored_at is damaged in the store: it is not a time"
    assert f"message m of conversation c: {reason}" in result.stdout


# Tables


def test_a_check_names_the_tables_and_columns_that_are_missing(new_database):
    database = new_database("sqlite")
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
        store.check()
        database.look("DROP TRIGGER convostore_message_words_deleted")
        database.look("DROP TABLE convostore_message_words")
        database.look("ALTER TABLE convostore_conversations RENAME COLUMN stored_at TO kept_at")
        with pytest.raises(ConfigError) as caught:
            store.check()
    assert "the table convostore_message_words" in str(caught.value)
    assert "the column convostore_conversations.stored_at" in str(caught.value)
    result = run("doctor", database.dsn())
    assert result.exit_code == 2
    assert "convostore_message_words" in result.stderr


def test_a_missing_table_or_column_is_named_by_the_call_that_needs_it(bare_database):
    with convostore.open(bare_database.dsn()) as store:
        store.create_conversation(id="c")
    bare_database.look("ALTER TABLE convostore_messages RENAME COLUMN role TO author")
    with convostore.open(bare_database.dsn()) as store:
        for call in (store.check, lambda: store.list_messages("c")):
            with pytest.raises(ConfigError, match=r"role.*restore a backup"):
                call()
        bare_database.look("DROP TABLE convostore_messages")
        for call in (store.check, lambda: store.list_messages("c")):
            with pytest.raises(ConfigError, match=r"convostore_messages.*restore a backup"):
                call()


def test_a_schema_without_a_version_is_told(bare_database):
    with convostore.open(bare_database.dsn()) as store:
        store.create_conversation(id="c")
    bare_database.look("DELETE FROM convostore_schema")
    with (
        convostore.open(bare_database.dsn()) as store,
        pytest.raises(ConfigError, match="convostore_schema has no row"),
    ):
        store.check()
