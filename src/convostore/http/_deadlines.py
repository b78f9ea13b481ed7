"""Network backends, by httpcore's interface, that put deadlines between a client and its sockets.

A blocking client bounds each single read and write, so a service that sends a byte a second is
never too slow for it: here each step on a socket gets what is left of its request's time. The async
client is cancelled by asyncio wherever it is: here its connection is then closed, even in the
middle of a TLS handshake. No HTTP client may be imported here.

The time comes from a `Clock`; a test of time-outs replaces it by one that jumps over waiting.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

# Any, below: backends and streams have httpcore's types, and httpcore is not imported.

_CHUNK: Final = 16 * 1024
"""Bytes written at a time, so that one write is one step even where the other end reads slowly."""


class Clock:
    """The time that HTTP clients go by, and the network backends that wait by it."""

    def monotonic(self) -> float:
        """Return seconds, as `time.monotonic` does."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait before a retry."""
        time.sleep(seconds)

    async def async_sleep(self, seconds: float) -> None:
        """Wait before a retry, in an event loop."""
        import asyncio

        await asyncio.sleep(seconds)

    def backend(self, backend: Any) -> Any:
        """Wrap a blocking network backend so that it waits by this clock."""
        return backend

    def async_backend(self, backend: Any) -> Any:
        """Wrap an async network backend; its event loop does the waiting."""
        return backend


_clock: Clock = Clock()


def clock() -> Clock:
    """Return the clock in use."""
    return _clock


@contextmanager
def use_clock(replacement: Clock) -> Iterator[None]:
    """Use another clock within the block, in all threads."""
    global _clock  # there is one time, as there is one `time.monotonic`
    previous, _clock = _clock, replacement
    try:
        yield
    finally:
        _clock = previous


class Deadline(threading.local):
    """The moment at which this thread's request has to be complete; each thread has its own."""

    _at: float = math.inf

    @contextmanager
    def at(self, moment: float) -> Iterator[None]:
        """Set the deadline within the block, as a value of `Clock.monotonic`."""
        self._at = moment
        try:
            yield
        finally:
            del self._at

    def bounded(self, timeout: float | None, share: int = 1) -> float | None:
        """Return the time-out of one step: the client's, or a share of the time left, if shorter.

        Args:
            timeout: The client's own time-out in seconds; None for no limit.
            share: Into how many equal parts the time left is divided.

        Raises:
            TimeoutError: No time is left.
        """
        left = self._at - clock().monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        bounds = [left / share] if timeout is None else [left / share, timeout]
        shortest = min(bounds)
        return None if shortest == math.inf else shortest


class BoundedBackend:
    """A network backend whose connections keep to the deadline.

    The addresses of a host name are tried in turn, each with an even share of the time left, so
    that one which answers nothing does not keep the others from being tried.

    Args:
        backend: The backend that connects.
        deadline: The deadline of each thread.
        streams: Where the open connections are kept.
    """

    def __init__(
        self, backend: Any, deadline: Deadline, streams: set[BoundedStream] | None = None
    ) -> None:
        self._backend = backend
        self._deadline = deadline
        self._streams = set() if streams is None else streams

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, **options: Any
    ) -> BoundedStream:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        while True:
            bound = self._deadline.bounded(timeout, share=len(addresses))
            address = addresses.pop(0)
            try:
                stream = self._backend.connect_tcp(address, port, timeout=bound, **options)
                return BoundedStream(stream, self._deadline, self._streams)
            except Exception:
                if not addresses:
                    raise

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, **options: Any
    ) -> BoundedStream:
        bound = self._deadline.bounded(timeout)
        stream = self._backend.connect_unix_socket(path, timeout=bound, **options)
        return BoundedStream(stream, self._deadline, self._streams)

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


class BoundedStream:
    """A connection that keeps to the deadline of the request it serves at the time."""

    def __init__(
        self, stream: Any, deadline: Deadline, streams: set[BoundedStream] | None = None
    ) -> None:
        self._stream = stream
        self._deadline = deadline
        self._streams = set() if streams is None else streams
        self._streams.add(self)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        received: bytes = self._stream.read(max_bytes, timeout=self._deadline.bounded(timeout))
        return received

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _CHUNK):
            chunk = buffer[start : start + _CHUNK]
            self._stream.write(chunk, timeout=self._deadline.bounded(timeout))

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> BoundedStream:
        try:
            bound = self._deadline.bounded(timeout)
        except TimeoutError:  # httpcore closes the connection only if its own handshake fails
            self.close()
            raise
        encrypted = self._stream.start_tls(ssl_context, server_hostname, timeout=bound)
        self._streams.discard(self)  # the new one closes the connection
        return BoundedStream(encrypted, self._deadline, self._streams)

    def close(self) -> None:
        """Close the connection, and wake a thread that is reading from it."""
        with suppress(OSError):  # the other side may have closed it already
            socket.socket.shutdown(self._stream.get_extra_info("socket"), socket.SHUT_RDWR)
        self._stream.close()
        self._streams.discard(self)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class ClosingBackend:
    """An async network backend that closes connections abandoned before they were complete."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    async def connect_tcp(self, *args: Any, **options: Any) -> ClosingStream:
        return ClosingStream(await self._backend.connect_tcp(*args, **options))

    async def connect_unix_socket(self, *args: Any, **options: Any) -> ClosingStream:
        return ClosingStream(await self._backend.connect_unix_socket(*args, **options))

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class ClosingStream:
    """An async connection that is closed if its TLS handshake is cancelled.

    httpcore closes it only after an `Exception`, which a cancellation is not.
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
