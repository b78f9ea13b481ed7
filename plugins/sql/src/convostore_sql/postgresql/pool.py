"""The pool of the sync face: sessions that threads take in turn.

A signal handler may raise between any two instructions of the main thread: after a session was
taken and before that was noted, within a lock of Python's own. psycopg's pool, whose workers wait
for such locks, then stays short of a connection forever, or hangs. Here nothing is repaired: a
pool that was interrupted is retired as a whole, which works in whatever state it is, as it only
consists of queues whose operations are single steps. (The async face has psycopg's pool: a task is
cancelled only where it awaits.)
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from queue import Empty, SimpleQueue
from typing import Final

from convostore.errors import UnavailableError

from ..queries import Rerun, pause_after
from .errors import no_connection, translated
from .sessions import Session

_LIFETIME: Final = 3600.0
"""Seconds after which a session is replaced, so that a new server behind the address is used."""
_MOST_IDLE: Final = 600.0
"""Seconds after which a session that nobody needed is closed."""
_SHORTEST_CONNECT, _LONGEST_CONNECT = 2, 10


class Pool:
    """A pool that opens sessions when they are needed, and at most `size`."""

    def __init__(self, connect: Callable[[int], Session], size: int, patience: float) -> None:
        self._connect, self._size, self._patience = connect, size, patience
        self._idle: deque[Session] = deque()
        self._permits: SimpleQueue[None] = SimpleQueue()
        self._retired = False
        self._permit(size)

    def take(self) -> Session:
        """Return a session for the caller alone, and wait for one while all are in use.

        Raises:
            Rerun: The pool is retired.
            UnavailableError: None was free in time, or the server is out of reach.
        """
        deadline = time.monotonic() + self._patience
        try:
            self._permits.get(timeout=self._patience)
        except Empty:
            raise no_connection() from None
        try:
            return self._idle_or_new(deadline)
        except BaseException:
            self._permit()
            raise

    def give_back(self, session: Session) -> None:
        """Take back a session, of which nothing is under way."""
        now = session.idle_since = time.monotonic()
        if session.closed:
            self._close_idle(math.inf)  # the others may be broken as well
        elif now >= session.is_old_at:
            session.close()
        else:
            self._idle.append(session)
            self._close_idle(math.inf if self._retired else now - _MOST_IDLE)
        self._permit()

    def retire(self) -> None:
        """Close the sessions that nobody uses, and the others when they are returned."""
        self._retired = True
        self._close_idle(math.inf)
        self._permit(self._size)  # for all that wait: each wakes the next

    def _permit(self, number: int = 1) -> None:
        for _ in range(number):
            self._permits.put(None)

    def _idle_or_new(self, deadline: float) -> Session:
        if self._retired:
            raise Rerun(
                "the connections to PostgreSQL were closed when another call was interrupted"
            )
        with suppress(IndexError):  # the one used last: the others may be too many
            return self._idle.pop()
        return self._new(deadline)

    def _new(self, deadline: float) -> Session:
        for number in count():
            left = math.ceil(deadline - time.monotonic())
            try:
                with translated(None):
                    session = self._connect(max(_SHORTEST_CONNECT, min(left, _LONGEST_CONNECT)))
            except UnavailableError:
                if time.monotonic() >= deadline:
                    raise
            else:
                session.is_old_at = time.monotonic() + _LIFETIME
                return session
            time.sleep(pause_after(number))
        raise AssertionError  # `count` does not end

    def _close_idle(self, until: float) -> None:
        """Close the sessions that were returned until then, which are first in the queue."""
        with suppress(IndexError):
            while self._idle[0].idle_since <= until:
                self._idle.popleft().close()
