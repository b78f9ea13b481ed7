"""Threads, tasks and others at the same database: calls do not mix, block the loop, or half happen.

Nothing here waits for a clock: what waits is a call that another connection holds up.
"""

from __future__ import annotations

import asyncio
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg
import psycopg.waiting
import pytest

import convostore
from convostore import ConversationStore, Message, StoreError, TextPart, UnavailableError

from .support import servers
from .support.databases import PostgreSQL

STEPS = 300
TURNS = 15
HELD = {
    "sqlite": "UPDATE convostore_conversations SET title = 'held'",
    "postgresql": "SELECT * FROM convostore_conversations FOR UPDATE",
}


def make_message(message_id: str) -> Message:
    return Message(id=message_id, role="user", parts=(TextPart(text=f"words of {message_id}"),))


def ids(store: ConversationStore, conversation_id: str = "c") -> list[str]:
    return [message.id for message in store.messages(conversation_id)]


@pytest.fixture
def filled(database):
    """Return a database that holds the conversation `c`."""
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c", title="a title")
    return database


@pytest.mark.parametrize("concurrency", [1, 4])
def test_eight_threads_may_share_a_store(filled, concurrency):
    start = threading.Barrier(8)

    def work(name: str) -> list[list[str]]:
        start.wait()
        seen = []
        for number in range(TURNS):
            store.append_messages(
                "c", [make_message(f"{name}-{number}a"), make_message(f"{name}-{number}b")]
            )
            seen.append([id_ for id_ in ids(store) if id_.startswith(f"{name}-")])
        return seen

    with convostore.open(filled.dsn(concurrency=concurrency)) as store:
        with ThreadPoolExecutor(8) as pool:
            seen = list(pool.map(work, "abcdefgh"))
        found = ids(store)
    assert len(found) == len(set(found)) == 8 * 2 * TURNS
    for name, item in zip("abcdefgh", seen, strict=True):
        own = [f"{name}-{number}{half}" for number in range(TURNS) for half in "ab"]
        assert item == [own[: 2 * count] for count in range(1, TURNS + 1)]
    assert all(
        found.index(item) + 1 == found.index(item[:-1] + "b") for item in found if item[-1] == "a"
    )


@pytest.mark.parametrize("concurrency", [1, 4])
def test_fifty_tasks_may_share_a_store(filled, concurrency):
    async def work(store: convostore.AsyncConversationStore, name: str) -> list[str]:
        await store.create_conversation(id=name)
        for number in range(4):
            await store.append_messages("c", [make_message(f"{name}-{number}")])
            await store.append_messages(name, [make_message(str(number))])
        return [message.id async for message in store.messages(name)]

    async def main() -> list[list[str]]:
        async with convostore.aopen(filled.dsn(concurrency=concurrency)) as store:
            return await asyncio.gather(*[work(store, f"t{number}") for number in range(50)])

    assert asyncio.run(main()) == [["0", "1", "2", "3"]] * 50
    with convostore.open(filled.dsn()) as store:
        found = ids(store)
    assert len(found) == 200
    for number in range(50):
        own = [item for item in found if item.startswith(f"t{number}-")]
        assert own == [f"t{number}-{place}" for place in range(4)]


async def cancelled_after(steps: int, task: asyncio.Task) -> bool:
    """Cancel a task after some turns of the loop, and return whether it was done all the same."""
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return False
    return True


@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize(("size", "turns"), [(3, 40), (100, 12)])
def test_a_cancelled_append_has_happened_or_not_and_the_store_goes_on(
    filled, size, turns, concurrency
):
    chance = random.Random(f"{filled.kind} {size} {concurrency}")

    def batch(name: str) -> list[Message]:
        return [make_message(f"{name}.{number}") for number in range(size)]

    async def main() -> list[str]:
        told = []
        async with convostore.aopen(filled.dsn(concurrency=concurrency)) as store:
            for turn in range(turns):
                names = [f"{turn}-{number}" for number in range(3)]
                tasks = [
                    asyncio.create_task(store.append_messages("c", batch(name))) for name in names
                ]
                for name, task in zip(names, tasks, strict=True):
                    if await cancelled_after(int(STEPS ** chance.random()) - 1, task):
                        told.append(name)
                await store.append_messages("c", batch(f"{turn}-last"))
                told.append(f"{turn}-last")
        return told

    told = asyncio.run(main())
    with convostore.open(filled.dsn()) as store:
        found = ids(store)
        assert len(store.search("words", limit=len(found) + 1).items) == len(found)
    names = list(dict.fromkeys(item.partition(".")[0] for item in found))
    assert found == [f"{name}.{number}" for name in names for number in range(size)]
    assert set(told) <= set(names)


class Strike:
    """Cancels a task where psycopg gives way to others for the nth time, as in a busy loop."""

    def __init__(self, monkeypatch) -> None:
        monkeypatch.setattr(psycopg.waiting, "MAX_BUSY_TIME", -1.0)
        monkeypatch.setattr(psycopg.waiting, "sleep", self._give_way)
        self._task: asyncio.Task | None = None
        self._left = 0

    async def at(self, number: int, work) -> bool:
        """Do the work, and return whether it came to its end."""
        self._left = number
        self._task = asyncio.create_task(work)
        try:
            await self._task
        except asyncio.CancelledError:
            return False
        return True

    async def _give_way(self, seconds: float) -> None:
        if asyncio.current_task() is self._task:
            self._left -= 1
            if self._left == 0:
                self._task.cancel()
        await asyncio.sleep(seconds)


@pytest.mark.rim
def test_a_cancellation_is_one_wherever_the_driver_gives_way(new_database, monkeypatch):
    dsn = new_database("postgresql").dsn(concurrency=1)
    strike = Strike(monkeypatch)

    def batch(number: int) -> list[Message]:
        return [make_message(f"{number}.{place}") for place in range(3)]

    async def main() -> list[bool]:
        async with convostore.aopen(dsn) as store:
            await store.create_conversation(id="c")
            return [
                await strike.at(number, store.append_messages("c", batch(number)))
                for number in range(1, 40)
            ]

    ended = asyncio.run(main())
    assert not all(ended)
    assert ended[-1]


def test_cancelled_reads_and_writes_of_any_kind_leave_the_store_usable(filled):
    chance = random.Random(filled.kind)

    async def main() -> None:
        async with convostore.aopen(filled.dsn(concurrency=2)) as store:
            await store.append_messages("c", [make_message(str(number)) for number in range(20)])
            calls = [
                lambda: store.list_conversations(),
                lambda: store.list_messages("c"),
                lambda: store.search("words"),
                lambda: store.update_conversation("c", pinned=True),
                lambda: store.set_feedback("c", "3", None),
                lambda: store.get_conversation("none"),
                lambda: store.check(),
            ]
            for _ in range(10):
                tasks = [asyncio.create_task(call()) for call in calls]
                for task in tasks:
                    with suppress(convostore.NotFoundError):
                        await cancelled_after(int(STEPS ** chance.random()) - 1, task)
            assert len([message async for message in store.messages("c")]) == 20

    asyncio.run(main())


def test_a_writer_that_waits_for_another_does_not_block_the_loop(filled):
    async def main() -> list[str]:
        async with convostore.aopen(filled.dsn()) as store:
            await store.check()
            with filled.held(HELD[filled.kind]):
                writing = asyncio.create_task(store.append_messages("c", [make_message("late")]))
                for _ in range(STEPS):
                    await asyncio.sleep(0)
                    assert not writing.done()
                assert [message.id async for message in store.messages("c")] == []
            await writing
            return [message.id async for message in store.messages("c")]

    assert asyncio.run(main()) == ["late"]


def test_opening_a_database_that_another_holds_does_not_block_the_loop(filled):
    async def main() -> None:
        with filled.held(HELD[filled.kind]):
            async with convostore.aopen(filled.dsn()) as store:
                reading = asyncio.create_task(store.get_conversation("c"))
                turns = 0
                while not reading.done():
                    await asyncio.sleep(0)
                    turns += 1
                assert (await reading).title == "a title"
                assert turns > 1

    asyncio.run(main())


def test_a_call_that_waited_too_long_is_unavailable_and_may_be_repeated(filled):
    with convostore.open(filled.dsn(timeout=0.2)) as store:
        store.check()
        with filled.held(HELD[filled.kind]):
            with pytest.raises(UnavailableError) as caught:
                store.append_messages("c", [make_message("late")])
            assert caught.value.retryable
            assert ids(store) == []
        store.append_messages("c", [make_message("late")])
        assert ids(store) == ["late"]


def test_a_timeout_of_zero_waits_for_nobody_and_works_alone(filled):
    with convostore.open(filled.dsn(timeout=0)) as store:
        store.append_messages("c", [make_message("first")])
        with filled.held(HELD[filled.kind]), pytest.raises(UnavailableError):
            store.append_messages("c", [make_message("second")])
        assert ids(store) == ["first"]


@pytest.mark.rim
def test_writers_of_other_conversations_do_not_wait_on_postgresql(new_database):
    database = new_database("postgresql")
    with convostore.open(database.dsn(timeout=1)) as store:
        for item in "cd":
            store.create_conversation(id=item)
        held = "SELECT * FROM convostore_conversations WHERE id = 'c' FOR UPDATE"
        with database.held(held):
            store.append_messages("d", [make_message("d")])
            store.delete_message("d", "d")
            store.create_conversation(id="e")
            with pytest.raises(UnavailableError):
                store.append_messages("c", [make_message("c")])


def test_an_async_call_that_waited_too_long_is_unavailable_and_may_be_repeated(filled):
    async def main() -> list[str]:
        async with convostore.aopen(filled.dsn(timeout=0.2)) as store:
            await store.check()
            with filled.held(HELD[filled.kind]):
                with pytest.raises(UnavailableError) as caught:
                    await store.append_messages("c", [make_message("late")])
                assert caught.value.retryable
            await store.append_messages("c", [make_message("late")])
            return [message.id async for message in store.messages("c")]

    assert asyncio.run(main()) == ["late"]


def test_nothing_is_held_while_the_caller_goes_through_a_list(filled):
    with convostore.open(filled.dsn(concurrency=1, timeout=5)) as store:
        store.append_messages("c", [make_message(f"{number:03}") for number in range(250)])
        walked = []
        for message in store.messages("c"):
            walked.append(message.id)
            if message.id in {"010", "150"}:
                store.append_messages("c", [make_message(f"after {message.id}")])
                with convostore.open(filled.dsn(timeout=5)) as other:
                    other.update_conversation("c", title=message.id)
        assert walked == [*[f"{number:03}" for number in range(250)], "after 010", "after 150"]
        for message in store.messages("c"):
            assert message.id == "000"
            break
        store.delete_conversation("c")


@pytest.mark.parametrize("url", ["sqlite://", None])
def test_a_closed_store_leaves_no_thread_and_no_task_behind(filled, url):
    before = set(threading.enumerate())

    async def main() -> set[asyncio.Task]:
        async with convostore.aopen(url or filled.dsn()) as store:
            await asyncio.gather(
                *[store.create_conversation(id=str(number)) for number in range(8)]
            )
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(main()) == set()
    with convostore.open(url or filled.dsn()) as store:
        store.check()
    assert set(threading.enumerate()) <= before


def test_a_store_that_was_never_used_is_closed_without_a_trace(filled):
    before = set(threading.enumerate())

    async def main() -> None:
        await convostore.aopen(filled.dsn()).aclose()

    asyncio.run(main())
    convostore.open(filled.dsn()).close()
    assert set(threading.enumerate()) <= before


@pytest.mark.rim
def test_connections_that_the_server_ended_are_replaced(new_database):
    database = new_database("postgresql")
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
        for number in range(3):
            assert database.server.terminate_connections(database.name) > 0
            with suppress(UnavailableError):
                store.append_messages("c", [make_message(str(number))])
            store.append_messages("c", [make_message(str(number))])
        assert ids(store) == ["0", "1", "2"]


@pytest.mark.rim
def test_connections_that_the_server_ended_are_replaced_for_tasks_as_well(new_database):
    database = new_database("postgresql")

    async def main() -> list[str]:
        async with convostore.aopen(database.dsn()) as store:
            await store.create_conversation(id="c")
            for number in range(3):
                assert database.server.terminate_connections(database.name) > 0
                with suppress(UnavailableError):
                    await store.append_messages("c", [make_message(str(number))])
                await store.append_messages("c", [make_message(str(number))])
            return [message.id async for message in store.messages("c")]

    assert asyncio.run(main()) == ["0", "1", "2"]


@pytest.mark.rim
def test_a_connection_ended_in_the_middle_of_a_write_leaves_nothing_half_done(new_database):
    database = new_database("postgresql")
    waiting = (
        "SELECT pid FROM pg_stat_activity "
        "WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with convostore.open(database.dsn()) as store, ThreadPoolExecutor(1) as pool:
        store.create_conversation(id="c")
        with database.held(HELD["postgresql"]):
            writing = pool.submit(
                store.append_messages, "c", [make_message("x"), make_message("y")]
            )
            while not (found := database.look(waiting)):
                assert not writing.done()
            database.look(f"SELECT pg_terminate_backend({found[0][0]}, 10000)")
        failure = writing.exception()
        assert failure is None or (isinstance(failure, UnavailableError) and failure.retryable)
        assert ids(store) in ([], ["x", "y"])
        store.append_messages("c", [make_message("x"), make_message("y")])
        assert ids(store) == ["x", "y"]


@pytest.mark.rim
def test_a_server_that_stops_is_unavailable_until_it_is_there_again():
    with servers.running_or_skipped() as server:
        database = PostgreSQL(server, server.create_database())

        async def asked() -> str:
            async with convostore.aopen(database.dsn(timeout=1)) as store:
                return (await store.get_conversation("c")).id

        with convostore.open(database.dsn(timeout=1)) as store:
            store.create_conversation(id="c")
            server.stop()
            with ThreadPoolExecutor(3) as pool:  # each call takes as long as its timeout
                refused = [pool.submit(store.get_conversation, "c") for _ in range(2)]
                refused.append(pool.submit(lambda: asyncio.run(asked())))
                for item in refused:
                    with pytest.raises(UnavailableError) as caught:
                        item.result()
                    assert caught.value.retryable
            server.start()
            with suppress(StoreError):
                store.get_conversation("c")
            assert store.get_conversation("c").id == "c"
            assert asyncio.run(asked()) == "c"


def test_a_place_that_is_taken_is_never_passed_over_in_silence(database):
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
        store.append_messages("c", [Message(id="one", role="user")])
        database.look("UPDATE convostore_conversations SET next_seq = 0")  # as no store leaves it
        with pytest.raises(StoreError):
            store.append_messages("c", [Message(id="two", role="user")])
        assert [message.id for message in store.messages("c")] == ["one"]
