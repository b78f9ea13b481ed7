"""Clients of a server's sockets, bad and honest ones, and what shows that nothing of them stays.

Everything here is bounded in count and in time, and on loopback.
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from convostore_gateway.server.protocol import BoundedProtocol

PATIENCE = 15.0
"""Seconds after which something hangs."""
_DRIP = 0.03


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


def told(url: str, sent: bytes, *, hang_up: bool = False) -> bytes:
    """All that a server says to some bytes, until it closes the connection."""
    with connected(url) as connection:
        _send(connection, sent)
        if hang_up:
            connection.shutdown(socket.SHUT_WR)
        return heard(connection)


def heard(connection: socket.socket) -> bytes:
    """What a server says until it closes the connection."""
    said = b""
    try:
        while piece := connection.recv(65536):
            said += piece
    except ConnectionError:
        return said
    return said


def drip(url: str, beginning: bytes, drop: bytes) -> bytes:
    """What a server says to one who goes on sending little, again and again."""
    end = time.monotonic() + PATIENCE
    with connected(url) as connection:
        connection.sendall(beginning)
        connection.settimeout(_DRIP)
        while time.monotonic() < end:
            try:
                said = connection.recv(65536)
            except TimeoutError:
                if not _send(connection, drop):
                    return b""
                continue
            except ConnectionError:
                return b""
            connection.settimeout(PATIENCE)
            return said
    raise AssertionError("the server bears it for ever")


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
        self._answered = [0] * len(self._asks)
        self._errors: list[BaseException] = []

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
        before = list(self._answered)
        until(
            lambda: (
                bool(self._errors)
                or all(now > then for now, then in zip(self._answered, before, strict=True))
            ),
            "an honest client waits for ever",
        )
        self._raise()

    def _raise(self) -> None:
        if self._errors:
            raise self._errors[0]

    def _go_on(self, number: int) -> None:
        with httpx.Client(
            base_url=self._url, timeout=PATIENCE, trust_env=False, verify=False
        ) as client:
            try:
                while not self._ended.wait(_DRIP):
                    self._asks[number](client)
                    self._answered[number] += 1
            except BaseException as error:
                self._errors.append(error)


class Watched:
    """An application, and beside it at ``/watched`` what there is in the server's process."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != "/watched":
            await self._app(scope, receive, send)
            return
        gc.collect()
        protocols = [each for each in gc.get_objects() if isinstance(each, BoundedProtocol)]
        there = {"tasks": len(asyncio.all_tasks()), "protocols": len(protocols)}
        body = json.dumps(there).encode()
        headers = [(b"content-length", str(len(body)).encode()), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def until(holds: Callable[[], bool], what: str) -> None:
    """Waits until something holds, which nobody tells."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, what
        threading.Event().wait(_DRIP)
