"""(k) Namespaces of one store: 10,000 in turn and 500 at once, beside one namespace for all.

What is counted besides the time is what runs out: descriptors and threads of the process, and the
server's connections. Each namespace makes a conversation, appends a message and reads it.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

from harness import compare, heading, line, timed
from sql_tests import servers

import convostore
from convostore import ConversationStore, Message, TextPart

IN_TURN = 10_000
AT_ONCE = 500
ROUNDS = 3
_numbers = count()


class Place(NamedTuple):
    """A database, and how many connections its server counts."""

    address: str
    connections: Callable[[], int]


def use(view: ConversationStore) -> None:
    conversation = view.create_conversation(title="a chat")
    view.append_messages(conversation.id, [Message(role="user", parts=(TextPart(text="hello"),))])
    assert len(view.list_messages(conversation.id).items) == 1


def use_each(views: Iterable[ConversationStore]) -> None:
    for view in views:
        use(view)


def use_at_once(pool: ThreadPoolExecutor, views: Iterable[ConversationStore]) -> None:
    for done in [pool.submit(use, view) for view in views]:
        done.result()


async def use_async(store: convostore.AsyncConversationStore, name: str) -> None:
    view = store.with_namespace(name)
    conversation = await view.create_conversation(title="a chat")
    said = Message(role="user", parts=(TextPart(text="hello"),))
    await view.append_messages(conversation.id, [said])
    assert len((await view.list_messages(conversation.id)).items) == 1


def name() -> str:
    return f"user-{next(_numbers)}"


def costs(place: Place) -> str:
    descriptors = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # nothing but their number
    return f"{descriptors} / {threading.active_count()} / {place.connections()}"


def measure(title: str, place: Place) -> None:
    heading(f"(k) {title}", "namespaces", "one for all")
    with convostore.open(place.address) as store:
        use(store.with_namespace(name()))
        before = costs(place)
        one = store.with_namespace("one")
        turns = range(IN_TURN // ROUNDS)
        ours, beside = [], []
        for _ in range(ROUNDS):
            ours.append(timed(lambda: use_each(store.with_namespace(name()) for _ in turns)).wall)
            beside.append(timed(lambda: use_each(one for _ in turns)).wall)
        compare(f"{IN_TURN:,} in turn", ours, beside, "", "s")
        line("  descriptors / threads / connections: then, before", costs(place), before, "")
        ours, beside = [], []
        for _ in range(ROUNDS):
            with ThreadPoolExecutor(AT_ONCE) as pool:
                views = [store.with_namespace(name()) for _ in range(AT_ONCE)]
                ours.append(timed(partial(use_at_once, pool, views)).wall)
                beside.append(timed(partial(use_at_once, pool, [one] * AT_ONCE)).wall)
                during = costs(place)
        compare(f"{AT_ONCE} at once, in as many threads", ours, beside, "")
        line("  with those threads, after them", during, costs(place), "")
    asyncio.run(measure_async(place))


async def measure_async(place: Place) -> None:
    async with convostore.aopen(place.address) as store:
        await use_async(store, name())
        before = costs(place)
        ours, beside = [], []
        for _ in range(ROUNDS):
            loop = asyncio.get_running_loop()
            begun = loop.time()
            await asyncio.gather(*[use_async(store, name()) for _ in range(AT_ONCE)])
            between = loop.time()
            await asyncio.gather(*[use_async(store, "one") for _ in range(AT_ONCE)])
            ours.append(between - begun)
            beside.append(loop.time() - between)
        compare(f"{AT_ONCE} at once on the async face", ours, beside, "")
        line("  descriptors / threads / connections: then, before", costs(place), before, "")


@contextmanager
def sqlite() -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder:
        yield Place(f"sqlite:///{(Path(folder) / 'store.db').as_posix()}", lambda: 0)


@contextmanager
def postgresql() -> Iterator[Place]:
    with ExitStack() as stack:
        server = stack.enter_context(servers().running())
        database = stack.enter_context(server.database())

        def connections() -> int:
            with server.connect("postgres") as connection:
                (row,) = connection.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = %s", [database]
                )
            return int(row[0])

        yield Place(server.dsn(database), connections)


def main() -> None:
    with sqlite() as place:
        measure("namespaces of one SQLite store", place)
    try:
        with postgresql() as place:
            measure("namespaces of one PostgreSQL store", place)
    except servers().NoServer as reason:
        print(f"NOT MEASURED on PostgreSQL: {reason}")


if __name__ == "__main__":
    main()
