"""Processes that append side by side and are killed on the way lose and double nothing."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest

import convostore
from convostore import ConversationStore

from .support import processes
from .support.processes import Writer

pytestmark = pytest.mark.rim

NAMES = [f"writer{number}" for number in range(8)]
COUNT = 120
LIVES = 3
"""How often a process that rises again is killed before it is left to run to its end."""
TARGETS = {
    "one conversation": ["shared"],
    "many conversations": [f"many-{number:02}" for number in range(20)],
}


@pytest.fixture(params=TARGETS)
def conversations(request, database):
    """Return the ids of the conversations to write to, created beforehand."""
    with convostore.open(database.dsn()) as store:
        for target in TARGETS[request.param]:
            store.create_conversation(id=target)
    return TARGETS[request.param]


def stored(store: ConversationStore, conversations: list[str]) -> dict[str, list[int]]:
    """Return the numbers of each writer's messages in the order of their conversations."""
    numbers = defaultdict(list)
    for conversation_id in conversations:
        ids = [message.id for message in store.messages(conversation_id)]
        assert len(set(ids)) == len(ids)
        found = defaultdict(list)
        for id_ in ids:
            name, _, number = id_.partition("-")
            found[name].append(int(number))
        for name, item in found.items():
            assert item == sorted(item), f"{name} in {conversation_id}"
            numbers[name] += item
    return numbers


def check_the_whole(database, conversations: list[str]) -> dict[str, list[int]]:
    """Check all that is stored, counters and index included, and return the writers' numbers."""
    with convostore.open(database.dsn()) as store:
        numbers = stored(store, conversations)
        totals = [
            store.list_messages(conversation, limit=1).total for conversation in conversations
        ]
        assert sum(totals) == sum(map(len, numbers.values()))
        assert found_by_search(store) == {
            f"{name}-{number}" for name, item in numbers.items() for number in item
        }
    rows = database.look(
        "SELECT c.message_count, c.next_seq, count(m.seq), coalesce(max(m.seq), -1) "
        "FROM convostore_conversations c LEFT JOIN convostore_messages m "
        "ON m.namespace = c.namespace AND m.conversation_id = c.id "
        "GROUP BY c.namespace, c.id, c.message_count, c.next_seq"
    )
    assert len(rows) == len(conversations)
    for counted, following, rows_there, last in rows:
        assert counted == rows_there
        assert following > last
    if database.kind == "sqlite":
        assert database.look("PRAGMA integrity_check") == [("ok",)]
        for index in ("convostore_message_words", "convostore_title_words"):
            database.look(f"INSERT INTO {index}({index}) VALUES ('integrity-check')")
    return numbers


def found_by_search(store: ConversationStore) -> set[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = store.search("harmless", limit=1000, cursor=cursor)
        found += [hit.message.id for hit in page.items]
        if (cursor := page.cursor) is None:
            assert len(set(found)) == len(found)
            return set(found)


def test_all_that_eight_processes_append_is_there_in_order_and_once(
    python, database, conversations
):
    writers = [Writer(database.dsn(), name, conversations, COUNT) for name in NAMES]
    processes.run(python, writers)
    assert [(writer.complaints, writer.returned) for writer in writers] == [("", 0)] * len(NAMES)
    assert all(writer.acknowledged == list(range(COUNT)) for writer in writers)
    numbers = check_the_whole(database, conversations)
    assert {name: sorted(number) for name, number in numbers.items()} == {
        name: list(range(COUNT)) for name in NAMES
    }


def test_what_killed_processes_were_told_of_is_there_once(python, database, conversations):
    """Every second one is started again and again, and sends what it was not told of once more."""
    chance = random.Random(f"{database.kind} {len(conversations)}")
    writers = [
        Writer(
            database.dsn(),
            name,
            conversations,
            COUNT,
            kill_after=[chance.randint(1, COUNT // (LIVES + 1)) for _ in range(LIVES)],
            rises_again=place % 2 == 0,
        )
        for place, name in enumerate(NAMES)
    ]
    processes.run(python, writers)
    assert [writer.complaints for writer in writers] == [""] * len(NAMES)
    assert any(writer.returned for writer in writers)
    numbers = check_the_whole(database, conversations)
    for writer in writers:
        found = sorted(numbers[writer.name])
        assert found[: len(writer.acknowledged)] == writer.acknowledged
        # What was under way may have been stored without its writer being told.
        assert len(found) - len(writer.acknowledged) in {0, 1}
        if writer.rises_again:
            assert writer.returned == 0
            assert found == list(range(COUNT))
