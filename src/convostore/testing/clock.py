"""A clock that jumps to a time-out once a server stalls, so that a test need not wait for it.

It is real time plus what was jumped over. Where a server of this process stalls, and all that it
sent has been read, whoever waits for more times out at once. However busy the machine is, data
that was sent is never missed.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeAlias

from ..http import _deadlines as deadlines

__all__ = ["Address", "AutojumpClock", "current"]

Address: TypeAlias = tuple[Any, ...]
"""The address of a socket, as Python's `socket` has it."""

_Wake: TypeAlias = Callable[[], object]


class AutojumpClock(deadlines.Clock):
    """A clock that shows real time plus the time that was jumped over.

    HTTP clients that are made while it is `installed` use it; async ones also need a loop of
    `new_event_loop`.

    Attributes:
        ahead: How many seconds were jumped over.
    """

    def __init__(self) -> None:
        self.ahead = 0.0
        self._lock = threading.Lock()
        self._wakes: set[_Wake] = set()
        self._open: set[Address] = set()
        self._stalled: set[Address] = set()

    @contextmanager
    def installed(self) -> Iterator[AutojumpClock]:
        """Install this clock for the block."""
        with deadlines.use_clock(self):
            yield self

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    async def async_sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        """Jump ahead by some seconds."""
        with self._lock:
            self.ahead += seconds
        self.wake()

    @contextmanager
    def stalled(self, connection: socket.socket) -> Iterator[None]:
        """Note, for the block, that a server says nothing more on a connection."""
        try:
            client = connection.getpeername()
        except OSError:  # it has gone
            yield
            return
        with self._lock:
            self._stalled.add(client)
        self.wake()
        try:
            yield
        finally:
            with self._lock:
                self._stalled.discard(client)

    def has_stalled_connection(self) -> bool:
        """Return whether some open connection stalls."""
        with self._lock:
            return not self._open.isdisjoint(self._stalled)

    def backend(self, backend: Any) -> Any:
        return _Backend(backend, self)

    def async_backend(self, backend: Any) -> Any:
        return _AsyncBackend(backend, self)

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Return an event loop that runs by this clock."""
        return _Loop(self)

    def count(self, address: Address) -> None:
        """Note that a connection from this address is open."""
        with self._lock:
            self._open.add(address)

    def discount(self, address: Address) -> None:
        with self._lock:
            self._open.discard(address)

    def await_readable(self, connection: socket.socket, seconds: float | None) -> None:
        """Wait until something can be read, or the other side has hung up.

        Raises:
            TimeoutError: Neither happened in time.
        """
        address = connection.getsockname()
        until = None if seconds is None else self.monotonic() + seconds
        with self._waking() as woken, selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while True:
                with suppress(BlockingIOError):
                    woken.recv(4096)
                if connection.fileno() < 0:  # another thread has closed it, and woken this one
                    return
                # In this order: what a server sent before it stalled can be read by now.
                is_stalled = address in self._stalled
                if any(key.fileobj is connection for key, _ in selector.select(0)):
                    return
                left = None if until is None else until - self.monotonic()
                if left is not None and (left <= 0 or is_stalled):
                    self.advance(max(left, 0))
                    raise TimeoutError("nothing came")
                selector.select(left)

    @contextmanager
    def _waking(self) -> Iterator[socket.socket]:
        woken, wakes = socket.socketpair()
        with woken, wakes:
            woken.setblocking(False)
            wakes.setblocking(False)

            def wake() -> None:
                with suppress(BlockingIOError):  # it has been woken often enough
                    wakes.send(b"\0")

            with self.waking(wake):
                yield woken

    @contextmanager
    def waking(self, wake: _Wake) -> Iterator[None]:
        """Call a function, within the block, whenever time has jumped or a server stalls."""
        with self._lock:
            self._wakes.add(wake)
        try:
            yield
        finally:
            with self._lock:
                self._wakes.discard(wake)

    def wake(self) -> None:
        """Let whoever waits look again."""
        with self._lock:
            for wake in self._wakes:
                wake()


def current() -> AutojumpClock | None:
    """Return the installed clock, if it is an `AutojumpClock`."""
    clock_in_use = deadlines.clock()
    return clock_in_use if isinstance(clock_in_use, AutojumpClock) else None


# Any, below: backends and streams are of httpcore's types, and httpcore is not imported.


class _Backend:
    """A blocking network backend whose connections wait by the clock; TLS ones do not."""

    def __init__(self, backend: Any, clock: AutojumpClock) -> None:
        self._backend = backend
        self._clock = clock

    def connect_tcp(self, *args: Any, **options: Any) -> Any:
        return _Stream(self._backend.connect_tcp(*args, **options), self._clock)

    def connect_unix_socket(self, *args: Any, **options: Any) -> Any:
        return self._backend.connect_unix_socket(*args, **options)

    def sleep(self, seconds: float) -> None:
        self._clock.advance(seconds)


class _Stream:
    def __init__(self, stream: Any, clock: AutojumpClock) -> None:
        self._stream = stream
        self._clock = clock
        self.write, self.start_tls = stream.write, stream.start_tls
        self.get_extra_info = stream.get_extra_info

    def close(self) -> None:
        self._stream.close()
        self._clock.wake()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with suppress(ValueError):  # another thread has closed it, and reading says so
            self._clock.await_readable(self.get_extra_info("socket"), timeout)
        received: bytes = self._stream.read(max_bytes, timeout=timeout)
        return received


class _AsyncBackend:
    """An async network backend that counts its open connections."""

    def __init__(self, backend: Any, clock: AutojumpClock) -> None:
        self._backend = backend
        self._clock = clock

    async def connect_tcp(self, *args: Any, **options: Any) -> Any:
        return _AsyncStream(await self._backend.connect_tcp(*args, **options), self._clock)

    async def connect_unix_socket(self, *args: Any, **options: Any) -> Any:
        return await self._backend.connect_unix_socket(*args, **options)

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class _AsyncStream:
    def __init__(self, stream: Any, clock: AutojumpClock) -> None:
        self._stream = stream
        self._clock = clock
        self._address: Final = stream.get_extra_info("client_addr")
        self.read, self.write, self.start_tls = stream.read, stream.write, stream.start_tls
        self.get_extra_info = stream.get_extra_info
        clock.count(self._address)

    async def aclose(self) -> None:
        self._clock.discount(self._address)
        await self._stream.aclose()


class _Loop(asyncio.SelectorEventLoop):
    """A loop that jumps to its next timer where it would wait and a connection stalls."""

    def __init__(self, clock: AutojumpClock) -> None:
        super().__init__(_Selector(clock))
        self._kept = clock
        self._waking = clock.waking(lambda: self.call_soon_threadsafe(lambda: None))
        self._waking.__enter__()

    def time(self) -> float:
        return self._kept.monotonic()

    def close(self) -> None:
        if not self.is_closed():
            self._waking.__exit__(None, None, None)
        super().close()


class _Selector(selectors.DefaultSelector):
    def __init__(self, clock: AutojumpClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # In this order: what a server sent before it stalled can be read by now.
        is_stalled = self._clock.has_stalled_connection()
        events = super().select(0)
        if events or timeout == 0:
            return events
        if is_stalled and timeout is not None:
            self._clock.advance(timeout)
            return []
        return super().select(timeout)
