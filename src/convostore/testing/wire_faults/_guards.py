"""Guards of tests over sockets: nothing hangs, nothing is left, no secret shows."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from ...adapters import Adapter
from ...errors import StoreError
from ...store import AsyncConversationStore
from .._assertions import full_error_text
from .._backend import Kit
from ._fixture import SECRET
from .server import FaultServer

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

SHORT: Final = 1.0
"""Seconds of a time-out that must be reached, by a clock that jumps there."""
LONG: Final = 60.0
"""Seconds of the time-out where it is not to be reached."""
HANG_SECONDS = 60.0
"""Seconds after which something hangs."""
PATIENCE = 30.0
"""Seconds after which a connection that is not closed stays open."""


def short_timeout_store(kit: Kit, seconds: float, *, retries: int = 0) -> AsyncConversationStore:
    """Open a store that waits no longer than this, for replies as well."""
    return kit.open(timeout=seconds, reply_timeout=seconds, retries=retries)


def assert_no_secret_shows(kit: Kit, error: StoreError) -> None:
    assert_no_secret_in(full_error_text(error), kit.backend.adapter())


def assert_no_secret_in(text: str, adapter: Adapter) -> None:
    secrets = [SECRET, *getattr(adapter, "secrets", tuple)()]
    assert not [secret for secret in secrets if secret in text], "a secret shows"


@contextmanager
def run_server(server: FaultServer) -> Iterator[str]:
    """Run the server, and check that no connection to it and no thread is left."""
    before = set(threading.enumerate())
    with server as url:
        yield url
        assert server.wait_until_left(seconds=PATIENCE), "a connection is left open"
    assert server.errors == []
    assert set(threading.enumerate()) <= before, "a thread is left"


@contextmanager
def interrupt_when(is_time: Callable[[], bool]) -> Iterator[None]:
    """Send this thread the signal of Ctrl-C.

    Args:
        is_time: Waits, in another thread, for the moment; returns whether it has come.
    """
    here = threading.get_ident()
    over = threading.Event()

    def interrupt() -> None:
        if not is_time():
            return  # nothing waits for the signal, which would end the tests
        signal.pthread_kill(here, signal.SIGINT)
        # Python does not see a signal that comes just before it waits: another one wakes it.
        while not over.wait(0.05):
            signal.pthread_kill(here, signal.SIGUSR1)

    handlers = {
        signal.SIGUSR1: lambda _number, _frame: None,
        signal.SIGINT: signal.default_int_handler,  # a background job of a shell has none
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def fail_on_hang() -> Iterator[None]:
    """Fail the block if it hangs, where the system has an alarm clock."""
    if not hasattr(signal, "setitimer") or threading.current_thread() != threading.main_thread():
        yield
        return

    def fail(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"the test must end within {HANG_SECONDS:g} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.setitimer(signal.ITIMER_REAL, HANG_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
