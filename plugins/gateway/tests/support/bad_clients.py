"""Clients of a server's sockets, bad and honest ones, and what shows that nothing of them stays.

Everything here is bounded in count and in time, and on loopback.
"""

from __future__ import annotations

import asyncio
import gc
import re
import socket
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import pytest

from convostore_gateway.server.protocol import BoundedProtocol

from .gateway import client_of

PATIENCE = 60.0
"""Seconds after which something hangs."""
_PAUSE = 0.005
"""Seconds between two requests of an honest client."""
_GLANCE = 0.005
"""Seconds for which is looked whether something came, where time is to pass meanwhile."""

Passing = Callable[[], object]
"""Lets some of the server's time pass."""


@contextmanager
def connected(url: str, receive_buffer: int | None = None) -> Iterator[socket.socket]:
    """A connection to a server."""
    parts = urlsplit(url)
    with socket.socket() as connection:
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(PATIENCE)
        connection.connect((parts.hostname, parts.port))
        yield connection


def told(url: str, sent: bytes, *, hang_up: bool = False, while_: Passing | None = None) -> bytes:
    """All that a server says to some bytes, until it closes the connection."""
    with connected(url) as connection:
        _send(connection, sent)
        if hang_up:
            connection.shutdown(socket.SHUT_WR)
        return heard(connection, while_)


def heard(connection: socket.socket, while_: Passing | None = None) -> bytes:
    """What a server says until it closes the connection.

    Args:
        connection: To the server.
        while_: Lets time pass while nothing comes.
    """
    said = b""
    end = time.monotonic() + PATIENCE
    if while_ is not None:
        connection.settimeout(_GLANCE)
    while time.monotonic() < end:
        try:
            piece = connection.recv(65536)
        except ConnectionError:
            return said
        except TimeoutError:
            assert while_ is not None, "the server neither answers nor hangs up"
            while_()
            continue
        if not piece:
            return said
        said += piece
    raise AssertionError("the server bears it for ever")


def drip(url: str, beginning: bytes, drop: bytes, while_: Passing) -> bytes:
    """What a server says to one who goes on sending little, again and again, while time passes."""
    with connected(url) as connection:
        connection.sendall(beginning)

        def go_on() -> None:
            while_()
            _send(connection, drop)  # where it was cut off, reading tells

        return heard(connection, go_on)


def _send(connection: socket.socket, sent: bytes) -> bool:
    try:
        connection.sendall(sent)
    except ConnectionError:
        return False
    return True


def statuses(said: bytes) -> list[int]:
    """The statuses of the answers in what a server said."""
    return [int(each) for each in re.findall(rb"HTTP/1\.1 (\d{3}) ", said)]


def request(
    method: str, path: str, *headers: str, body: bytes = b"", token: str | None = None
) -> bytes:
    """A request as it goes over the wire; a length is not told of a body that has a header."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    if body and not headers:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class Honest:
    """Clients that ask for something again and again, each over a connection that it keeps.

    Entering waits until each was answered once; leaving ends them, and raises what one of them met.
    """

    def __init__(self, asks: Iterable[Callable[[httpx.Client], Any]], url: str) -> None:
        self._asks = list(asks)
        self._url = url
        self._ended = threading.Event()
        self._changed = threading.Condition()
        self._answered = [0] * len(self._asks)
        self._errors: list[BaseException] = []
        self._turns = [threading.Lock() for _ in self._asks]

    def __enter__(self) -> Self:
        self._threads = [
            threading.Thread(target=self._go_on, args=(number,), name="honest")
            for number in range(len(self._asks))
        ]
        for thread in self._threads:
            thread.start()
        self.check()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(PATIENCE)
        self._raise()

    def check(self) -> None:
        """Waits until each was answered once more; raises what one of them met."""
        with self._changed:
            before = list(self._answered)
            assert self._changed.wait_for(
                lambda: (
                    self._errors
                    or all(now > then for now, then in zip(self._answered, before, strict=True))
                ),
                PATIENCE,
            ), "an honest client waits for ever"
        self._raise()

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Holds between two requests of each, which has been answered once more."""
        self.check()
        with ExitStack() as stack:
            for turn in self._turns:
                stack.enter_context(turn)
            yield

    def _raise(self) -> None:
        if self._errors:
            raise self._errors[0]

    def _go_on(self, number: int) -> None:
        with client_of(self._url) as client:
            try:
                while not self._ended.wait(_PAUSE):
                    with self._turns[number]:
                        self._asks[number](client)
                    self._note_answer(number)
            except BaseException as error:
                with self._changed:
                    self._errors.append(error)
                    self._changed.notify_all()

    def _note_answer(self, number: int) -> None:
        with self._changed:
            self._answered[number] += 1
            self._changed.notify_all()


class Watched:
    """An application whose loop's time a test lets pass, and whose connections it counts.

    What there is, is looked at from the first request on.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ahead = 0.0
        self._protocols: weakref.WeakSet[Any] = weakref.WeakSet()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            passing = self._loop.time
            self._loop.time = lambda: passing() + self._ahead  # type: ignore[method-assign]
        await self._app(scope, receive, send)

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Knows of every connection that is made within the block."""
        connection_made = BoundedProtocol.connection_made

        def counted(protocol: BoundedProtocol, transport: Any) -> None:
            self._protocols.add(protocol)
            connection_made(protocol, transport)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BoundedProtocol, "connection_made", counted)
            yield

    def advance(self, seconds: float) -> None:
        """Lets the server's time pass at once."""

        async def move() -> None:
            self._ahead += seconds

        self._run(move())

    def there_is(self) -> dict[str, int]:
        """How many tasks and connections the server has that are not over."""

        async def tasks() -> int:
            return len(asyncio.all_tasks())

        counted = self._run(tasks())
        gc.collect()
        return {"tasks": counted, "connections": len(self._protocols)}

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        assert self._loop is not None, "nothing was asked yet"
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)


def until(holds: Callable[[], bool], what: str, while_: Passing | None = None) -> None:
    """Waits until something holds, which nobody tells."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, what
        if while_ is not None:
            while_()
        threading.Event().wait(_GLANCE)
