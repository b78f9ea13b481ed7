"""Batches in databases: one transaction, whichever write begins it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

import convostore
from convostore import ConflictError, Conversation, Feedback, Message, Operation, TextPart
from convostore.adapters import READING
from convostore.store import ConversationStore, WriteCall
from convostore_sql.queries import MOST_RUNS, pause_after

WRITES = {
    "create_conversation": WriteCall("create_conversation", id="new"),
    "create the same": WriteCall("create_conversation", id="c"),
    "put_conversation": WriteCall("put_conversation", Conversation(id="new")),
    "fork_conversation": WriteCall("fork_conversation", "c", "m1", id="new"),
    "append_messages": WriteCall("append_messages", "c", []),
    "replace_messages": WriteCall("replace_messages", "c", [], after="m1"),
    "update_message": WriteCall("update_message", "c", Message(id="m1", role="user")),
    "pop_message": WriteCall("pop_message", "c", tip="m2"),
    "update_conversation": WriteCall("update_conversation", "c", title="another"),
    "update nothing": WriteCall("update_conversation", "c"),
    "delete_conversation": WriteCall("delete_conversation", "d"),
    "delete what is absent": WriteCall("delete_conversation", "absent"),
    "delete_conversations": WriteCall(
        "delete_conversations", older_than=datetime(2020, 1, 1, tzinfo=UTC)
    ),
    "delete_message": WriteCall("delete_message", "c", "m1"),
    "delete an absent message": WriteCall("delete_message", "c", "absent"),
    "set_feedback": WriteCall("set_feedback", "c", "m1", Feedback(rating="good")),
    "clear_conversations": WriteCall("clear_conversations"),
}


def said(message_id: str) -> Message:
    return Message(id=message_id, role="user", parts=(TextPart(text=message_id),))


def state(store: ConversationStore) -> object:
    return [(each.conversation, each.messages) for each in store.transcripts()]


@pytest.fixture
def store(database):
    with convostore.open(database.dsn()) as store:
        for identity in ("c", "d"):
            store.create_conversation(id=identity)
            store.append_messages(identity, [said("m1"), said("m2")])
        yield store


def test_every_write_of_the_databases_has_a_case(store):
    written = {operation for operation in Operation if store.offers(operation)} - READING
    assert {call.operation for call in WRITES.values()} == written


@pytest.mark.parametrize("first", WRITES.values(), ids=WRITES.keys())
def test_a_batch_may_begin_with_any_write(store, first):
    last = WriteCall("put_conversation", Conversation(id="last"))
    results = store.write_batch([first, last])
    assert len(results) == 2
    assert store.get_conversation("last").id == "last"


@pytest.mark.parametrize("first", WRITES.values(), ids=WRITES.keys())
def test_nothing_of_a_batch_that_fails_is_stored(store, first):
    before = state(store)
    stale = WriteCall("append_messages", "stale", [said("x")], after="never seen")
    made = WriteCall("create_conversation", id="stale")
    with pytest.raises(ConflictError):
        store.write_batch([first, made, stale])
    assert state(store) == before


@pytest.mark.rim
@pytest.mark.slow
def test_batches_that_lock_each_others_conversations_are_all_stored(store):
    def write(thread, order):
        for number in range(2):
            calls = [
                WriteCall("append_messages", identity, [said(f"{thread}-{number}-{identity}")])
                for identity in order
            ]
            store.write_batch(calls)

    with ThreadPoolExecutor(2) as pool:
        written = [pool.submit(write, "one", "cd"), pool.submit(write, "other", "dc")]
        for each in written:
            each.result()
    stored = {message.id for message in store.messages("c")}
    assert stored == {"m1", "m2"} | {f"{name}-{n}-c" for name in ("one", "other") for n in (0, 1)}


def test_pauses_between_runs_are_drawn_and_bounded():
    drawn = [pause_after(run) for run in range(MOST_RUNS) for _ in range(10)]
    assert all(0 <= pause <= 1 for pause in drawn)
    assert len(set(drawn)) > MOST_RUNS
    assert max(pause_after(0) for _ in range(20)) < 0.01
