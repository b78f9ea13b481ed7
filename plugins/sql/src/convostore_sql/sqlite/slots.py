"""A bound on the units that run at a time. No connection may be known here."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from typing import Final


class Slots:
    """A limited number of slots, each of which one holder has at a time.

    A semaphore counts, so an interrupt between taking a slot and noting that it was taken would
    lose the slot forever. Here the note is the count: returning a slot twice, or one that was never
    taken, is harmless.
    """

    def __init__(self, number: int) -> None:
        self._number: Final = number
        self._lock = threading.Lock()
        self._holders: set[object] = set()
        self._waiting: deque[threading.Lock] = deque()

    def take(self, holder: object, waits: Iterable[float]) -> bool:
        """Take a slot, and return whether there was one.

        Args:
            holder: The taker; any object that can be hashed.
            waits: The seconds of each wait; when they are over, there was none.
        """
        return self._taken(holder) or self._taken_later(holder, waits)

    def _taken_later(self, holder: object, waits: Iterable[float]) -> bool:
        woken = threading.Lock()
        woken.acquire()
        try:
            for seconds in waits:
                with self._lock:
                    if woken not in self._waiting:
                        self._waiting.append(woken)
                if self._taken(holder):
                    return True
                woken.acquire(timeout=seconds)  # a wake-up that an interrupt lost costs one wait
                if self._taken(holder):
                    return True
            return False
        finally:
            with self._lock:
                if woken in self._waiting:
                    self._waiting.remove(woken)

    def _taken(self, holder: object) -> bool:
        with self._lock:
            if len(self._holders) < self._number:
                self._holders.add(holder)
            return holder in self._holders

    def give_back(self, holder: object) -> None:
        """Give back the holder's slot, if it has one."""
        if holder not in self._holders:
            return
        with self._lock:
            self._holders.discard(holder)
            if self._waiting and len(self._holders) < self._number:
                self._waiting.popleft().release()
