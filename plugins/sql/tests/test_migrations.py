"""Schema versions: made under a lock, never older than what it opens, nothing of others touched."""

from __future__ import annotations

import random
import signal

import pytest
from tests.support.naming import naming

import convostore
from convostore import ConfigError, StoreError

from .support import processes
from .support.databases import KINDS
from .support.processes import Writer

OPENERS = 6
LIVES = (0.02, 0.05, 0.1, 0.2)
"""Seconds that processes live at the longest: to make the tables takes longer on some machines."""


def shown(database) -> list[tuple[str, list[str]]]:
    with convostore.open(database.dsn()) as store:
        return [
            (transcript.conversation_id, [message.id for message in transcript.messages])
            for transcript in store.transcripts()
        ]


def version(database) -> int:
    ((found,),) = database.look("SELECT version FROM convostore_schema")
    return found


@pytest.mark.rim
@pytest.mark.parametrize("kind", KINDS)
def test_processes_that_open_an_empty_database_at_once_all_succeed(python, new_database, kind):
    for attempt in range(3):
        database = new_database(kind, bare=True)
        openers = [
            Writer(database.dsn(), f"w{number}", [f"c{number}"], 1, options={"make": True})
            for number in range(OPENERS)
        ]
        with naming("attempt", attempt):
            processes.run(python, openers)
            assert [(opener.complaints, opener.returned) for opener in openers] == [
                ("", 0)
            ] * OPENERS
            assert sorted(shown(database)) == [(f"c{n}", [f"w{n}-0"]) for n in range(OPENERS)]
            assert version(database) > 0


def test_the_tables_are_made_once_and_then_only_looked_at(bare_database):
    database = bare_database
    for number in range(3):
        with convostore.open(database.dsn()) as store:
            store.create_conversation(id=f"c{number}")
        assert version(database) > 0
    assert len(shown(database)) == 3


def test_a_newer_schema_is_refused_by_an_error_that_names_both_versions(bare_database):
    database = bare_database
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c", title="of the future")
    ours = version(database)
    database.look("UPDATE convostore_schema SET version = 4711")
    with convostore.open(database.dsn()) as store:
        for _ in range(2):
            with pytest.raises(ConfigError, match="4711") as caught:
                store.create_conversation(id="d")
            assert str(ours) in str(caught.value).replace("4711", "")
    assert database.look("SELECT id, title FROM convostore_conversations") == [
        ("c", "of the future")
    ]
    assert version(database) == 4711


@pytest.mark.rim
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer signals on this system")
@pytest.mark.parametrize("kind", KINDS)
def test_a_creation_that_was_cut_off_is_made_up_for(python, new_database, kind):
    for seed in range(4):
        with naming("seed", seed):
            cut_off_and_made_up_for(python, new_database(kind, bare=True), random.Random(seed))


def cut_off_and_made_up_for(python, database, chance: random.Random) -> None:
    cut_off = [
        Writer(
            database.dsn(),
            f"cut{number}",
            ["cut"],
            1,
            options={"make": True, "seconds_to_live": chance.uniform(0.001, longest)},
        )
        for number, longest in enumerate(LIVES)
    ]
    processes.run(python, cut_off)
    told = {f"{item.name}-0" for item in cut_off if item.acknowledged}
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="after")
        there = {conversation.id for conversation in store.conversations()}
    assert "after" in there
    ids = dict(shown(database)).get("cut", [])
    assert told <= set(ids)
    assert len(set(ids)) == len(ids)
    assert version(database) > 0
    if database.kind == "sqlite":
        assert database.look("PRAGMA integrity_check") == [("ok",)]


def test_an_empty_file_is_made_a_store(new_database):
    database = new_database("sqlite")
    database.file.touch()
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
    assert shown(database) == [("c", [])]


def test_tables_of_another_program_stay_as_they_are(bare_database):
    database = bare_database
    database.look("CREATE TABLE conversations (id int)")
    database.look("CREATE TABLE messages (id int)")
    database.look("INSERT INTO messages VALUES (1)")
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
        store.clear_conversations()
    assert database.look("SELECT * FROM messages") == [(1,)]
    assert database.look("SELECT * FROM conversations") == []


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(new_database):
    database = new_database("sqlite")
    database.file.write_bytes(content := b"a letter, not a database\n" * 200)
    with convostore.open(database.dsn()) as store, pytest.raises(StoreError) as caught:
        store.create_conversation(id="c")
    assert not caught.value.retryable
    assert database.file.name in str(caught.value)
    assert database.file.read_bytes() == content


def test_a_file_in_a_folder_that_does_not_exist_is_named(tmp_path):
    with convostore.open(f"sqlite:///{tmp_path.as_posix()}/none/notes.db") as store:
        with pytest.raises(StoreError, match=r"notes\.db") as caught:
            store.check()
        assert not caught.value.retryable


def test_a_damaged_file_is_told_by_an_error_of_ours(new_database):
    database = new_database("sqlite")
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
    damaged = bytearray(database.file.read_bytes())
    damaged[100:] = b"\xff" * (len(damaged) - 100)
    database.file.write_bytes(damaged)
    with convostore.open(database.dsn()) as store, pytest.raises(StoreError) as caught:
        list(store.conversations())
    assert not caught.value.retryable
