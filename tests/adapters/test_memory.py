"""The in-memory adapter beyond what the contract kit asks of every store."""

import asyncio
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

import convostore
import convostore.adapters.memory
import convostore.adapters.write_rules
from convostore import ConfigError, ConflictError, InvalidError, Message, TextPart
from convostore.adapters.memory import MemoryTransport


def message(text, **fields):
    return Message(role="user", parts=(TextPart(text=text),), **fields)


def eight_at_once(work):
    """Returns the results of a job in eight threads, which begin it together."""
    start = threading.Barrier(8)

    def begin(name):
        start.wait()
        return work(name)

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(begin, range(8)))


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
    with convostore.open("memory://") as store:
        store.create_conversation(id="c")

        def work(name):
            for number in range(50):
                store.append_messages("c", [message(f"{name}-{number}")])

        eight_at_once(work)
        texts = [message.text for message in store.messages("c")]
    assert sorted(texts) == sorted(f"{name}-{number}" for name in range(8) for number in range(50))
    for name in range(8):
        assert [text for text in texts if text.startswith(f"{name}-")] == [
            f"{name}-{number}" for number in range(50)
        ]


def test_of_writers_that_saw_the_same_tip_one_wins():
    with convostore.open("memory://") as store:
        store.create_conversation(id="c")
        (tip,) = store.append_messages("c", [message("first")])

        def work(_):
            try:
                store.append_messages("c", [message("mine")], after=tip.id)
            except ConflictError:
                return "lost"
            return "won"

        outcomes = eight_at_once(work)
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

    for module in (convostore.adapters.memory, convostore.adapters.write_rules):
        monkeypatch.setattr(module, "datetime", Clock)
    with convostore.open("memory://") as store:
        times = [store.create_conversation(id="c").updated_at]
        for number in range(3):
            store.append_messages("c", [message(str(number))])
            times.append(store.get_conversation("c").updated_at)
    assert times == sorted(set(times))
    assert len(times) == 4


def test_updated_at_moves_on_with_every_write_of_content():
    with convostore.open("memory://") as store:
        times = [store.create_conversation(id="c").updated_at]
        for number in range(20):
            store.append_messages("c", [message(str(number))])
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


def test_what_tells_no_time_is_searched_by_the_time_of_storing():
    before = datetime.now(UTC)
    with convostore.open("memory://") as store:
        store.create_conversation(id="c", title="tides")
        store.append_messages("c", [message("tides", id="m")])
        now = store.search("tides", since=before, until=datetime.now(UTC) + timedelta(days=1))
        assert [hit.where for hit in now.items] == ["title", "text"]
        assert store.search("tides", until=before).items == ()


def test_a_time_that_is_told_counts_and_not_that_of_storing():
    time = datetime(2024, 12, 7, tzinfo=UTC)
    with convostore.open("memory://") as store:
        store.create_conversation(id="c", title="tides", created_at=time)
        store.append_messages("c", [message("tides", id="m", created_at=time)])
        then = store.search("tides", since=time, until=time + timedelta(seconds=1))
        assert [hit.where for hit in then.items] == ["title", "text"]


def test_hits_of_one_time_come_in_the_order_of_ids_and_the_last_message_first():
    time = datetime(2024, 12, 7, tzinfo=UTC)
    with convostore.open("memory://") as store:
        for name in ("b", "a"):
            store.create_conversation(id=name, created_at=time)
            store.append_messages(
                name, [message("tides", id=f"{name}{number}", created_at=time) for number in (1, 2)]
            )
        ids = [hit.message.id for hit in store.search("tides").items]
    assert ids == ["a2", "a1", "b2", "b1"]


def test_a_fork_names_the_store_that_it_is_of(request):
    dsn = f"memory://{request.node.name.lower().replace('_', '-')}"
    with convostore.open(dsn) as store:
        store.create_conversation(id="c")
        store.append_messages("c", [message("first", id="m")])
        fork = store.fork_conversation("c", "m")
    assert (fork.origin.store, fork.origin.conversation_id) == (dsn, "c")
    assert fork.created_at is None


def test_threads_that_fork_to_one_id_make_one_fork():
    with convostore.open("memory://") as store:
        store.create_conversation(id="c")
        store.append_messages("c", [message("first", id="m")])

        def work(_):
            try:
                store.fork_conversation("c", "m", id="fork")
            except ConflictError:
                return "lost"
            return "won"

        outcomes = eight_at_once(work)
        assert len(list(store.messages("fork"))) == 1
    assert sorted(outcomes) == ["lost"] * 7 + ["won"]


def test_numbers_that_python_takes_for_equal_are_other_metadata():
    with convostore.open("memory://") as store:
        store.create_conversation(id="c", metadata={"k": 1})
        store.update_conversation("c", metadata={"k": True})
        assert store.get_conversation("c").metadata["k"] is True
        with pytest.raises(ConflictError):
            store.create_conversation(id="c", metadata={"k": 1})


def test_a_message_with_what_equals_nothing_is_edited_as_it_was_read():
    with convostore.open("sqlite://") as store:
        store.create_conversation(id="c")
        store.append_messages("c", [message("a", id="m", raw={"score": float("nan")})])
        was = store.get_message("c", "m")
        store.update_message("c", was.model_copy(update={"model": "x"}), was=was)
        assert store.get_message("c", "m").model == "x"
