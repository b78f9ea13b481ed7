"""Views of one store: thousands of namespaces cost no connection, thread or descriptor."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import convostore
from convostore import InvalidError, Message, TextPart, UnsupportedError
from convostore.config import open_adapter

IN_TURN = 200
AT_ONCE = 50
CONCURRENCY = 4
DESCRIPTORS = Path("/proc/self/fd")
counted = pytest.mark.skipif(not DESCRIPTORS.exists(), reason="descriptors are not listed here")
PER_CONNECTION = 3
"""Most descriptors of a connection: SQLite has the file, its log and the log's index open."""


def said(name: str) -> Message:
    return Message(id="m", role="user", parts=(TextPart(text=f"said in {name}"),))


def costs() -> tuple[int, int]:
    return len(list(DESCRIPTORS.iterdir())), threading.active_count()


def connections(database) -> int:
    if database.kind == "sqlite":
        return 0  # they are descriptors
    ((count,),) = database.look(
        f"SELECT count(*) - 1 FROM pg_stat_activity WHERE datname = '{database.name}'"
    )
    return count


def write_in(store: convostore.ConversationStore, name: str) -> str:
    view = store.with_namespace(name)
    view.create_conversation(id="c", title=name)
    view.append_messages("c", [said(name)])
    (message,) = view.messages("c")
    return message.text


@counted
def test_namespaces_of_a_sync_store_cost_nothing(database):
    before = costs()
    with convostore.open(database.dsn(concurrency=CONCURRENCY)) as store:
        store.check()
        for number in range(IN_TURN):
            write_in(store, f"in turn {number}")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            names = [f"at once {number}" for number in range(AT_ONCE)]
            texts = list(pool.map(lambda name: write_in(store, name), names))
        assert texts == [f"said in {name}" for name in names]
        after = costs()
        assert connections(database) <= CONCURRENCY
    assert after[0] - before[0] <= PER_CONNECTION * CONCURRENCY + 2
    assert after[1] - before[1] <= 2


@counted
def test_namespaces_of_an_async_store_cost_nothing(database):
    asyncio.run(namespaces_of_an_async_store_cost_nothing(database))


async def namespaces_of_an_async_store_cost_nothing(database) -> None:
    before = costs()
    async with convostore.aopen(database.dsn(concurrency=CONCURRENCY)) as store:

        async def write(name: str) -> str:
            view = store.with_namespace(name)
            await view.create_conversation(id="c", title=name)
            await view.append_messages("c", [said(name)])
            return (await view.list_messages("c")).items[0].text

        for number in range(IN_TURN):
            await write(f"in turn {number}")
        names = [f"at once {number}" for number in range(AT_ONCE)]
        texts = await asyncio.gather(*map(write, names))
        assert texts == [f"said in {name}" for name in names]
        after = costs()
        assert connections(database) <= CONCURRENCY
    assert after[0] - before[0] <= PER_CONNECTION * CONCURRENCY + 2
    assert after[1] - before[1] <= CONCURRENCY + 2


def test_a_view_is_the_store_that_an_address_with_its_namespace_opens(database):
    with convostore.open(database.dsn()) as store:
        view = store.with_namespace("ann")
        view.create_conversation(id="c")
        with convostore.open(database.dsn(namespace="ann")) as opened:
            assert [item.id for item in opened.conversations()] == ["c"]
            assert opened.is_same_store(view)
            assert opened.label == view.label
        assert list(store.conversations()) == []
        for other in (store, store.with_namespace("ben")):
            assert not other.is_same_store(view)


@pytest.mark.parametrize("target", ["sqlite://", "postgresql://localhost/x"])
def test_a_view_has_no_further_namespaces(target):
    adapter = open_adapter(target)
    view = adapter.in_namespace("ann")
    assert (adapter.has_namespaces, view.has_namespaces) == (True, False)
    with pytest.raises(UnsupportedError):
        view.in_namespace("ben")


def test_memories_are_one_store_only_if_they_are_one_memory():
    with convostore.open("sqlite://") as store, convostore.open("sqlite://") as other:
        assert not store.is_same_store(other)
        assert store.with_namespace("a").is_same_store(store.with_namespace("a"))
        assert not store.with_namespace("a").is_same_store(other.with_namespace("a"))


def test_a_view_ends_with_its_store(database):
    store = convostore.open(database.dsn())
    with store.with_namespace("ann") as view:
        view.create_conversation(id="c")
    view.get_conversation("c")  # to leave a view closes nothing
    store.close()
    with pytest.raises(InvalidError):
        view.get_conversation("c")
