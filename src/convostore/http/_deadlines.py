"""What stands between the HTTP clients and their sockets, by the interface of httpcore's backends.

A blocking client bounds every single read and write, so that a service which drips a byte a second
is never too slow for it: here each step on a socket may take what is left of its request's time.
The async client is ended by asyncio wherever it is: here a connection is then closed even if it was
just being encrypted. No client is imported.

What time it is, a `Clock` says; a test of time-outs puts one in its place that jumps over waiting.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

# Any, below: backends and streams are of httpcore's types, and httpcore is not imported.

_PIECE: Final = 16 * 1024
"""Bytes that are written at a time: one step of the socket, whoever reads at the other end."""


class Clock:
    """The time that the clients keep, and what carries their bytes in it."""

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Waits before something is tried again."""
        time.sleep(seconds)

    async def async_sleep(self, seconds: float) -> None:
        """As `sleep`, for the async client."""
        import asyncio

        await asyncio.sleep(seconds)

    def backend(self, backend: Any) -> Any:
        """A blocking network backend that waits by this clock."""
        return backend

    def async_backend(self, backend: Any) -> Any:
        """As `backend`, for the async client; waiting is its event loop's."""
        return backend


_clock: Clock = Clock()


def clock() -> Clock:
    """The clock that is kept just now."""
    return _clock


@contextmanager
def use_clock(kept: Clock) -> Iterator[None]:
    """Keeps another clock for the block, in every thread."""
    global _clock  # there is one time, as there is one `time.monotonic`
    before, _clock = _clock, kept
    try:
        yield
    finally:
        _clock = before


class Deadline(threading.local):
    """When what this thread is doing has to be over; each thread has its own."""

    _at: float = math.inf

    @contextmanager
    def at(self, moment: float) -> Iterator[None]:
        """Holds for the block; `moment` is one of `Clock.monotonic`."""
        self._at = moment
        try:
            yield
        finally:
            del self._at

    def bounded(self, timeout: float | None, share: int = 1) -> float | None:
        """The time-out of one step: what the client says, or a share of what is left, if shorter.

        Raises:
            TimeoutError: Nothing is left.
        """
        left = self._at - clock().monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        bounds = [left / share] if timeout is None else [left / share, timeout]
        shortest = min(bounds)
        return None if shortest == math.inf else shortest


class BoundedBackend:
    """A network backend whose connections keep to the deadline.

    A name may stand for several addresses. They are tried in turn, each with an even share of the
    time, so that one which swallows everything does not keep the others from being tried.
    """

    def __init__(self, backend: Any, deadline: Deadline) -> None:
        self._backend = backend
        self._deadline = deadline

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, **options: Any
    ) -> BoundedStream:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        while True:
            bound = self._deadline.bounded(timeout, share=len(addresses))
            address = addresses.pop(0)
            try:
                stream = self._backend.connect_tcp(address, port, timeout=bound, **options)
                return BoundedStream(stream, self._deadline)
            except Exception:
                if not addresses:
                    raise

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, **options: Any
    ) -> BoundedStream:
        bound = self._deadline.bounded(timeout)
        stream = self._backend.connect_unix_socket(path, timeout=bound, **options)
        return BoundedStream(stream, self._deadline)

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


class BoundedStream:
    """A connection that keeps to the deadline, of whichever request it serves just now."""

    def __init__(self, stream: Any, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        received: bytes = self._stream.read(max_bytes, timeout=self._deadline.bounded(timeout))
        return received

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _PIECE):
            piece = buffer[start : start + _PIECE]
            self._stream.write(piece, timeout=self._deadline.bounded(timeout))

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> BoundedStream:
        try:
            bound = self._deadline.bounded(timeout)
        except TimeoutError:  # httpcore closes the connection only where encrypting it failed
            self.close()
            raise
        encrypted = self._stream.start_tls(ssl_context, server_hostname, timeout=bound)
        return BoundedStream(encrypted, self._deadline)

    def close(self) -> None:
        """Closes it, and wakes a thread that waits for what it would have brought."""
        with suppress(OSError):  # the other side may have closed it before
            socket.socket.shutdown(self._stream.get_extra_info("socket"), socket.SHUT_RDWR)
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class ClosingBackend:
    """An async network backend whose connections are closed if they are given up half made."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    async def connect_tcp(self, *args: Any, **options: Any) -> ClosingStream:
        return ClosingStream(await self._backend.connect_tcp(*args, **options))

    async def connect_unix_socket(self, *args: Any, **options: Any) -> ClosingStream:
        return ClosingStream(await self._backend.connect_unix_socket(*args, **options))

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class ClosingStream:
    """An async connection that a cancellation in the middle of the TLS handshake closes.

    httpcore closes it only after errors.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.read, self.write, self.aclose = stream.read, stream.write, stream.aclose
        self.get_extra_info = stream.get_extra_info

    async def start_tls(self, *args: Any, **options: Any) -> ClosingStream:
        try:
            return ClosingStream(await self._stream.start_tls(*args, **options))
        except BaseException:
            await self._stream.aclose()
            raise
