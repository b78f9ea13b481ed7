"""The in-memory adapter beyond what the contract kit asks of every store."""

import asyncio
import itertools
import threading
from datetime import datetime, timedelta

import pytest

import convostore
import convostore.memory
from convostore import ConfigError, ConflictError, InvalidError, Message, TextPart
from convostore.memory import MemoryTransport


def said(text, **fields):
    return Message(role="user", parts=(TextPart(text=text),), **fields)


def test_a_store_without_a_name_is_new_each_time():
    with convostore.open("memory://") as one, convostore.open("memory://") as other:
        one.create_conversation(id="c")
        assert list(other.conversations()) == []


def test_a_store_with_a_name_is_the_same_for_the_whole_process(request):
    dsn = f"memory://{request.node.name.lower().replace('_', '-')}"
    with convostore.open(dsn) as one:
        one.create_conversation(id="c", title="kept")

    async def read():
        async with convostore.aopen(dsn) as other:
            return await other.get_conversation("c")

    assert asyncio.run(read()).title == "kept"


def test_the_memory_takes_no_options():
    with pytest.raises(ConfigError, match="colour"):
        convostore.open("memory://?colour=blue")


def test_threads_that_append_lose_nothing():
    start = threading.Barrier(8)
    with convostore.open("memory://") as store:
        store.create_conversation(id="c")

        def work(name):
            start.wait()
            for number in range(50):
                store.append_messages("c", [said(f"{name}-{number}")])

        threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        texts = [message.text for message in store.messages("c")]
    assert sorted(texts) == sorted(f"{name}-{number}" for name in range(8) for number in range(50))
    for name in range(8):
        assert [text for text in texts if text.startswith(f"{name}-")] == [
            f"{name}-{number}" for number in range(50)
        ]


def test_of_writers_that_saw_the_same_tip_one_wins():
    start = threading.Barrier(8)
    outcomes = []
    with convostore.open("memory://") as store:
        store.create_conversation(id="c")
        (tip,) = store.append_messages("c", [said("first")])

        def work():
            start.wait()
            try:
                store.append_messages("c", [said("mine")], after=tip.id)
            except ConflictError:
                outcomes.append("lost")
            else:
                outcomes.append("won")

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(outcomes) == ["lost"] * 7 + ["won"]


def test_a_call_is_made_while_nobody_else_can_make_one():
    lock, free = threading.RLock(), []

    def call():
        other = threading.Thread(target=lambda: free.append(lock.acquire(blocking=False)))
        other.start()
        other.join()

    MemoryTransport(lock).send(call)
    assert free == [False]


@pytest.mark.parametrize("step", [0, -1], ids=["stands still", "goes back"])
def test_updated_at_moves_on_even_where_the_clock_does_not(monkeypatch, step):
    class Clock(datetime):
        ticks = itertools.count(0, step)

        @classmethod
        def now(cls, tz=None):
            return datetime(2026, 3, 1, tzinfo=tz) + timedelta(seconds=next(cls.ticks))

    monkeypatch.setattr(convostore.memory, "datetime", Clock)
    with convostore.open("memory://") as store:
        times = [store.create_conversation(id="c").updated_at]
        for number in range(3):
            store.append_messages("c", [said(str(number))])
            times.append(store.get_conversation("c").updated_at)
    assert times == sorted(set(times))
    assert len(times) == 4


def test_updated_at_moves_on_with_every_write_of_content():
    with convostore.open("memory://") as store:
        times = [store.create_conversation(id="c").updated_at]
        for number in range(20):
            store.append_messages("c", [said(str(number))])
            times.append(store.get_conversation("c").updated_at)
    assert times == sorted(set(times))


def test_a_title_and_a_pin_do_not_move_updated_at():
    with convostore.open("memory://") as store:
        before = store.create_conversation(id="c").updated_at
        store.update_conversation("c", title="new", pinned=True)
        changed = store.get_conversation("c")
    assert (changed.title, changed.pinned, changed.updated_at) == ("new", True, before)


def test_closing_one_face_leaves_the_other_ones_of_the_same_name_open(request):
    dsn = f"memory://{request.node.name.lower().replace('_', '-')}"
    one, other = convostore.open(dsn), convostore.open(dsn)
    one.close()
    with pytest.raises(InvalidError):
        one.create_conversation()
    other.create_conversation(id="c")
    assert other.get_conversation("c").id == "c"
