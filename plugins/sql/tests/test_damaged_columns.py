"""Columns of SQLite that hold what no program of ours wrote there: a table of columns and values.

Whatever stands in one column of one row, everything else is read and written; what can be read of
that row is, with a problem; what cannot be done is an error that says where to look.
"""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import sqlite3
from contextlib import closing

import pytest
from tests.support.cli import run
from tests.support.naming import naming

import convostore
from convostore import ANY, ConflictError, Feedback, Message, NotFoundError, ProtocolError, TextPart
from convostore.serialization import load_message

VALUES = (
    "x'fffe'",
    "x''",
    "x'62'",
    "CAST(x'eda080' AS TEXT)",
    "'zzz'",
    "''",
    "-5",
    str(2**62),
    str(-(2**63)),
    "1.5e300",
    "-1.5e300",
    "9e999",
)
CONVERSATIONS, MESSAGES = "convostore_conversations", "convostore_messages"
COLUMNS = [
    *((CONVERSATIONS, "id = 'b'", name) for name in ("id", "title", "pinned", "created_at")),
    *((CONVERSATIONS, "id = 'b'", name) for name in ("updated_at", "stored_at", "rank")),
    *((CONVERSATIONS, "id = 'b'", name) for name in ("message_count", "next_seq", "body")),
    *((CONVERSATIONS, "id = 'b'", name) for name in ("owner", "revision")),
    *(
        (MESSAGES, f"conversation_id = 'b' AND id = '{message}'", name)
        for name in ("seq", "id", "role", "said_at", "body", "stored_at")
        for message in ("m1", "m3")
    ),
]


def message(name):
    return Message(id=name, role="user", parts=(TextPart(text=f"words of {name}"),))


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """Return a file with three conversations of four messages each."""
    file = tmp_path_factory.mktemp("columns") / "filled.db"
    with convostore.open(f"sqlite:///{file.as_posix()}") as store:
        for identity in "abc":
            store.create_conversation(
                id=identity, title=f"words of {identity}", owner="ann", metadata={"k": 1}
            )
            store.append_messages(identity, [message(f"m{place}") for place in range(4)])
    return file


@pytest.fixture
def damaged(filled, tmp_path):
    """Return a function that copies the file, sets one column, and returns the DSN.

    With it comes whether the column then holds a value of another type.
    """

    def set_column(column, value):
        table, where, name = column
        file = tmp_path / "damaged.db"
        shutil.copy(filled, file)
        with closing(sqlite3.connect(file)) as connection:
            (before,) = connection.execute(f"SELECT typeof({name}) FROM {table} WHERE {where}")
            ((row,),) = connection.execute(f"SELECT rowid FROM {table} WHERE {where}")
            connection.execute(f"UPDATE {table} SET {name} = {value} WHERE rowid = {row}")
            (after,) = connection.execute(f"SELECT typeof({name}) FROM {table} WHERE rowid = {row}")
            connection.commit()
        expected = {"created_at": ("integer",), "body": ("text",)}.get(name, before)
        return f"sqlite:///{file.as_posix()}", after != expected or "eda080" in value

    return set_column


def is_lost(conversation):
    return any(problem.where == "id" for problem in conversation.problems)


def walk(page):
    """Return the items of a list that is read item by item."""
    items, cursor = [], None
    for _ in range(40):
        found = page(limit=1, cursor=cursor)
        items += found.items
        cursor = found.cursor
        if cursor is None:
            return items
    raise AssertionError("the list has no end")


def allowed(call):
    """Return what a call does, or None where it says that it cannot."""
    try:
        return call()
    except (NotFoundError, ConflictError):
        return None
    except ProtocolError as error:
        if "convostore doctor" not in str(error):
            raise
        return None


def hit_id(hit):
    return hit.conversation.id, hit.message and hit.message.id


def check_reading(store, *, is_shown):
    """Check that all is read, item by item as at once."""
    conversations = list(store.conversations())
    assert len(conversations) == 3
    assert {"a", "c"} < {item.id for item in conversations}
    assert walk(store.list_conversations) == conversations
    reverse = list(store.conversations(order="oldest_first"))
    assert reverse == conversations[::-1]
    assert walk(lambda **page: store.list_conversations(order="oldest_first", **page)) == reverse
    assert len(list(store.transcripts())) == 3
    for conversation in conversations:
        messages = allowed(lambda of=conversation.id: list(store.messages(of)))
        if conversation.id in {"a", "c"}:
            assert [item.id for item in messages] == ["m0", "m1", "m2", "m3"]
        if messages is not None:
            assert len(messages) == (4 if conversation.id in "abc" else 0)
            check_messages(store, conversation.id, messages)
    hits = [hit_id(hit) for hit in walk(lambda **page: store.search("words", **page))]
    assert hits == [hit_id(hit) for hit in store.search("words").items]
    sound = {(of, name) for of in "ac" for name in (None, "m0", "m1", "m2", "m3")}
    assert sound <= set(hits)
    assert len(hits) == len(set(hits))
    if is_shown:
        assert len(hits) == 15


def check_messages(store, conversation_id, messages):
    assert walk(lambda **page: store.list_messages(conversation_id, **page)) == messages
    newest = walk(lambda **page: store.list_messages(conversation_id, order="newest_first", **page))
    assert newest == messages[::-1]
    texts = store.messages_as_json(conversation_id).items
    assert [load_message(json.loads(text)).id for text in texts] == [item.id for item in messages]
    for item in messages:
        allowed(lambda of=item.id: store.get_message(conversation_id, of))


def writes(store, conversation_id):
    """Yield calls of all writes, each of which changes a sound conversation."""
    edited = message("m1").model_copy(update={"parts": (TextPart(text="new words"),)})
    yield lambda: store.append_messages(conversation_id, [message("m3"), message("n1")])
    yield lambda: store.append_messages(conversation_id, [message("n2")], after="n1")
    yield lambda: store.set_feedback(conversation_id, "m1", Feedback(rating="good"))
    yield lambda: store.update_conversation(conversation_id, title="another title")
    yield lambda: store.fork_conversation(conversation_id, "m1")
    yield lambda: store.update_message(conversation_id, edited)
    yield lambda: store.pop_message(conversation_id, tip=ANY)
    yield lambda: store.delete_message(conversation_id, "m2")
    yield lambda: store.replace_messages(conversation_id, [message("m3")], after="m1")
    yield lambda: store.replace_messages(conversation_id, [message("new")], after=None)


def ids(store, conversation_id):
    return allowed(lambda: [item.id for item in store.messages(conversation_id)])


def check_writing(store):
    """Check that each write of one conversation is made or refused, those of others made."""
    for call in writes(store, "b"):
        before = ids(store, "b")
        if allowed(call) is None and before is not None:
            assert len(ids(store, "b")) in {len(before), len(before) - 1}
    for identity in "ac":
        assert ids(store, identity) == ["m0", "m1", "m2", "m3"]
        for call in writes(store, identity):
            call()
        assert ids(store, identity) == ["new"]
    for conversation in list(store.conversations()):
        if not is_lost(conversation):
            store.delete_conversation(conversation.id)
            store.create_conversation(id=conversation.id)
            assert ids(store, conversation.id) == []


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: f"{column[2]}-{column[1][-4:-1]}")
def test_whatever_a_column_holds_everything_is_read_and_the_doctor_names_it(damaged, column):
    for value in VALUES:
        with naming(value):
            dsn, is_damaged = damaged(column, value)
            is_message, name = column[0] == MESSAGES, column[2]
            is_shown = name in {"rank", "created_at", "updated_at", "stored_at", "seq"}
            with convostore.open(dsn) as store, convostore.open("memory://") as copy:
                check_reading(store, is_shown=is_shown)
                report = convostore.mirror(store, copy)
                assert report.copied + len(report.skipped) == 3
                exported = convostore.export_conversations(
                    store, io.StringIO(), format="jsonl", on_error="skip"
                )
                assert exported.conversations + len(exported.skipped) == 3
                lost = [item.id for item in store.conversations() if is_lost(item)]
                assert [item.conversation_id for item in exported.skipped] == lost
                assert {item.conversation_id for item in report.skipped} >= {*lost}
            result = run("doctor", dsn)
            if is_damaged:
                assert result.exit_code == 1
                row = "message " if is_message else "damaged     conversation "
                lines = [line for line in result.stdout.splitlines() if row in line]
                assert f"{name} is damaged in the store" in "".join(lines)


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: f"{column[2]}-{column[1][-4:-1]}")
def test_whatever_a_column_holds_a_write_does_it_or_says_why_not(damaged, column):
    for value in VALUES:
        with naming(value), convostore.open(damaged(column, value)[0]) as store:
            check_writing(store)


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: f"{column[2]}-{column[1][-4:-1]}")
def test_the_async_face_reads_whatever_a_column_holds(damaged, column):
    async def read(dsn):
        async with convostore.aopen(dsn) as store:
            ids = [item.id async for item in store.conversations()]
            hits = (await store.search("words")).items
            return ids, [item.id async for item in store.messages("a")], len(hits)

    for value in VALUES[:6]:
        with naming(value):
            ids, messages, hits = asyncio.run(read(damaged(column, value)[0]))
            assert (len(ids), messages) == (3, ["m0", "m1", "m2", "m3"])
            assert hits >= 10


def test_an_edit_mends_a_damaged_time_of_storage(damaged):
    dsn, _ = damaged((MESSAGES, "conversation_id = 'b' AND id = 'm1'", "stored_at"), "'soon'")
    with convostore.open(dsn) as store:
        edited = message("m1").model_copy(update={"parts": (TextPart(text="new words"),)})
        returned = store.update_message("b", edited)
        assert returned.stored_at == store.get_message("b", "m0").stored_at
        assert store.get_message("b", "m1") == returned
        assert returned.problems == ()


def test_a_time_of_storage_that_cannot_be_known_is_that_of_the_edit(damaged):
    where = "conversation_id = 'b' AND id = 'm1'"
    dsn, _ = damaged((MESSAGES, where, "stored_at"), "x'ff'")
    with closing(sqlite3.connect(dsn.removeprefix("sqlite:///"))) as connection:
        connection.execute(f"UPDATE {MESSAGES} SET said_at = x'ff' WHERE {where}")
        connection.commit()
    with convostore.open(dsn) as store:
        edited = message("m1").model_copy(update={"parts": (TextPart(text="new words"),)})
        returned = store.update_message("b", edited)
        assert returned.stored_at > store.get_message("b", "m0").stored_at
        assert store.get_message("b", "m1") == returned


def test_a_repeated_append_deletes_no_message_whose_place_is_damaged(damaged):
    dsn, _ = damaged((MESSAGES, "conversation_id = 'b' AND id = 'm1'", "seq"), "'zzz'")
    with convostore.open(dsn) as store:
        before = list(store.messages("b"))
        store.append_messages("b", [message("m3")])
        assert list(store.messages("b")) == before


def test_a_damage_that_stays_is_named_once_after_each_write(damaged):
    dsn, _ = damaged((CONVERSATIONS, "id = 'b'", "next_seq"), "'zzz'")
    with convostore.open(dsn) as store:
        for title in ("one", "two"):
            store.update_conversation("b", title=title)
            assert [item.where for item in store.get_conversation("b").problems] == ["next_seq"]
        with pytest.raises(ProtocolError, match=r"'b' is damaged in the store .*next_seq"):
            store.append_messages("b", [message("new")])


def test_a_page_that_begins_at_a_damaged_row_goes_on_or_says_why_not(damaged):
    dsn, _ = damaged((CONVERSATIONS, "id = 'b'", "rank"), "'zzz'")
    with convostore.open(dsn) as store:
        assert [item.id for item in store.list_conversations(start="b").items] == ["b"]
        page = store.list_conversations(start="b", order="oldest_first", limit=2)
        assert [item.id for item in page.items] == ["b", "a"]
        rest = store.list_conversations(order="oldest_first", limit=2, cursor=page.cursor)
        assert [item.id for item in rest.items] == ["c"]
        with pytest.raises(ProtocolError, match="convostore doctor"):
            store.list_conversations(start="b", order="oldest_first", limit=1)


def test_a_page_after_skipped_messages_that_are_gone_is_empty(damaged):
    dsn, _ = damaged((MESSAGES, "conversation_id = 'b' AND id = 'm0'", "seq"), "-1e300")
    with convostore.open(dsn) as store:
        page = store.list_messages("b", limit=1)
        assert [item.id for item in page.items] == ["m0"]
        store.replace_messages("b", [], after=None, tip=ANY)
        assert store.list_messages("b", cursor=page.cursor).items == ()
