"""Whatever a signal handler raises, and wherever a task is cancelled: PostgreSQL's stores go on.

Nothing acknowledged is lost, nothing is stored by half, and no connection is missing afterwards.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
import types
from collections.abc import Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.support.naming import naming

import convostore
import convostore_sql.postgresql
from convostore import Message, TextPart

from .support.databases import PostgreSQL

pytestmark = [
    pytest.mark.rim,
    # What an interrupt dropped unclosed is warned of: it is closed then.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

CALLS = 100
WAITING = (
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


def make_messages(*ids: str) -> list[Message]:
    return [Message(id=item, role="user", parts=(TextPart(text="words"),)) for item in ids]


@pytest.fixture
def database(new_database) -> PostgreSQL:
    database = new_database("postgresql")
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
    return database


class Interrupted(KeyboardInterrupt):
    """Ctrl-C."""


class TimeIsUpError(Exception):
    """What a soft time limit raises: an exception like any other."""


class Interrupter:
    """Raises where CPython looks for signals: when a C function returns or one of Python begins.

    In our own modules at each such moment, in psycopg's and in `threading` at some.
    """

    OURS = str(Path(convostore_sql.postgresql.__file__).parent)
    THEIRS = (str(Path(psycopg.__file__).parent), threading.__file__)
    STEP = 17

    def __init__(self, moment: int) -> None:
        self._left = moment
        self._skipped = moment % self.STEP
        self._error = TimeIsUpError if moment % 2 else Interrupted
        self.done = False

    def __call__(self, frame: types.FrameType, event: str, _: object) -> None:
        if event not in {"call", "c_return"} or not self._counts(frame.f_code.co_filename):
            return
        self._left -= 1
        if not self._left:
            self.done = True
            sys.setprofile(None)
            raise self._error

    def _counts(self, file: str) -> bool:
        if file.startswith(self.OURS):
            return True
        if not file.startswith(self.THEIRS):
            return False
        self._skipped = (self._skipped + 1) % self.STEP
        return not self._skipped


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["append", "read", "first call"])
def test_an_interrupt_at_any_moment_leaves_a_store_that_works(database, operation):
    options = {"concurrency": 2, "timeout": 20}
    moment, acknowledged = 1, set()
    with convostore.open(database.dsn(**options)) as lasting:
        lasting.check()
        while True:
            store = lasting
            if operation == "first call":
                store = convostore.open(database.dsn(**options))
            interrupter = Interrupter(moment)
            with naming("moment", moment), suppress(TimeIsUpError, Interrupted):
                sys.setprofile(interrupter)
                try:
                    if operation == "append":
                        store.append_messages("c", make_messages(f"{moment}a", f"{moment}b"))
                        acknowledged.add(f"{moment}b")
                    else:
                        store.get_conversation("c")
                finally:
                    sys.setprofile(None)
            with naming("moment", moment):
                assert store.get_conversation("c").id == "c"
            if store is not lasting:
                store.close()
            if not interrupter.done:
                break
            moment += 1
        works_on(lasting)
        found = {message.id for message in lasting.messages("c")}
    assert moment > 20
    assert acknowledged <= found
    for number in range(1, moment):
        assert (f"{number}a" in found) == (f"{number}b" in found)
    gc.collect()  # what an interrupt dropped unclosed is warned of here, not in a later test


def works_on(store: convostore.ConversationStore) -> None:
    """Check that as many calls at once as the store may have all end well, and leave it whole."""
    with ThreadPoolExecutor(2) as threads:
        assert len(list(threads.map(store.get_conversation, ["c"] * CALLS))) == CALLS
    pool = store._transport._pool
    assert pool._permits.qsize() == pool._size  # no session is in use
    assert pool._idle


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no signals for users on this system")
def test_calls_of_other_threads_end_well_when_one_is_interrupted(database):
    interrupted = threading.Event()

    def interrupt(_: int, frame: types.FrameType | None) -> None:
        while frame is not None and frame.f_code.co_name != "take":
            frame = frame.f_back
        if frame is not None and not interrupted.is_set():
            interrupted.set()
            raise Interrupted

    def kill_until_interrupted() -> None:
        while not interrupted.is_set():
            os.kill(os.getpid(), signal.SIGUSR1)

    def killed_in_a_read(store: convostore.ConversationStore) -> None:
        pool.submit(kill_until_interrupted)
        store.get_conversation("c")  # for which no connection is free

    previous = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with (
            convostore.open(database.dsn(concurrency=1, timeout=600)) as store,
            ThreadPoolExecutor(3) as pool,
        ):
            store.check()
            with database.held("SELECT * FROM convostore_conversations FOR UPDATE"):
                writing = pool.submit(store.append_messages, "c", make_messages("w"))
                while database.look(WAITING) != [(1,)]:
                    assert not writing.done()
                reading = pool.submit(store.get_conversation, "c")
                with pytest.raises(Interrupted):
                    killed_in_a_read(store)
                assert reading.result().id == "c"
                assert not writing.done()
            assert [message.id for message in writing.result()] == ["w"]
            assert [message.id for message in store.messages("c")] == ["w"]
    finally:
        signal.signal(signal.SIGUSR1, previous)


# Cancellation


@types.coroutine
def cancelled_at(moment: int, work: Coroutine[Any, Any, None]) -> Generator[Any, Any, bool]:
    """Carry out work that is cancelled the n-th time that it waits; return whether it lasted."""
    send, value = work.send, None
    while True:
        try:
            awaited = send(value)
        except StopIteration:
            return moment <= 0
        moment -= 1
        if not moment:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        send = work.send
        try:
            value = yield awaited
        except BaseException as error:
            send, value = work.throw, error


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2])
def test_a_cancellation_at_any_moment_leaves_a_store_that_works(database, count):
    async def main() -> tuple[int, set[str]]:
        moment, acknowledged = 1, set()
        async with convostore.aopen(database.dsn(concurrency=2, timeout=20)) as lasting:
            await lasting.check()

            async def work(store: convostore.AsyncConversationStore) -> None:
                ids = [f"{moment}{end}" for end in "ab"][:count]
                await store.append_messages("c", make_messages(*ids))
                acknowledged.add(ids[-1])

            async def cancelled() -> bool:
                return await cancelled_at(moment, work(lasting))

            lasted = True
            while lasted:
                with naming("moment", moment):
                    try:
                        lasted = await asyncio.create_task(cancelled())
                    except asyncio.CancelledError:
                        lasted = True
                    assert (await lasting.get_conversation("c")).id == "c"
                moment += 1
            reads = [lasting.get_conversation("c") for _ in range(CALLS)]
            assert len(await asyncio.gather(*reads)) == CALLS
            return moment, acknowledged

    moment, acknowledged = asyncio.run(main())
    with convostore.open(database.dsn()) as store:
        found = {message.id for message in store.messages("c")}
    assert moment > 5
    assert acknowledged <= found
    if count == 2:
        for number in range(1, moment):
            assert (f"{number}a" in found) == (f"{number}b" in found)
