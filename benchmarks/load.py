"""Load on an HTTP server: so many connections, each asking again as soon as it is answered.

Raw HTTP over asyncio's protocols, which costs a fraction of what a server does. One process: where
a machine has two cores, the server has the other one.
"""

from __future__ import annotations

import asyncio
import gc
import re
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import NamedTuple
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"


class Load(NamedTuple):
    """What a server bore.

    Attributes:
        rate: Requests a second.
        p50: Seconds within which half of the requests were answered.
        p99: The same of 99 of 100.
    """

    rate: float
    p50: float
    p99: float


def request(method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """The bytes of one request."""
    lines = [f"{method} {target} HTTP/1.1", "host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def load(url: str, requests: Iterator[bytes], connections: int, seconds: float) -> Load:
    """Asks for a while; every answer must be a success.

    Args:
        url: Where the server is.
        requests: What is asked, without an end; shared by the connections.
        connections: How many ask at a time.
        seconds: For how long.

    Raises:
        AssertionError: An answer was none, or told of a failure.
    """
    loop = asyncio.get_running_loop()
    host, port = urlsplit(url).netloc.split(":")
    callers = [
        (await loop.create_connection(partial(_Caller, requests), host, int(port)))[1]
        for _ in range(connections)
    ]
    gc.collect()
    gc.disable()
    try:
        begun = time.perf_counter()
        for caller in callers:
            caller.ask()
        await asyncio.sleep(seconds)
        for caller in callers:
            caller.is_over = True
        await asyncio.gather(*[caller.ended for caller in callers])
        took = time.perf_counter() - begun
    finally:
        gc.enable()
    latencies = sorted(each for caller in callers for each in caller.latencies)
    return Load(len(latencies) / took, _quantile(latencies, 0.5), _quantile(latencies, 0.99))


def _quantile(ascending: list[float], part: float) -> float:
    return ascending[min(int(len(ascending) * part), len(ascending) - 1)]


class _Caller(asyncio.Protocol):
    """One connection."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self._requests = requests
        self._received = b""
        self._missing = 0
        self._asked = 0.0
        self.latencies: list[float] = []
        self.is_over = False
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self) -> None:
        if self.is_over:
            self._transport.close()
            return
        asked = next(self._requests)
        self._asked = time.perf_counter()
        self._transport.write(asked)

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._received += data
            head, end, body = self._received.partition(_HEAD_END)
            if not end:
                return
            length = _LENGTH.search(head)
            if not head.startswith(b"HTTP/1.1 2") or length is None:
                self._fail(AssertionError(self._received[:500]))
                return
            self._received = b""
            self._missing = int(length[1]) - len(body)
        if not self._missing:
            self.latencies.append(time.perf_counter() - self._asked)
            self.ask()

    def connection_lost(self, error: Exception | None) -> None:
        if self.is_over and not self._missing:
            if not self.ended.done():
                self.ended.set_result(None)
        else:
            self._fail(error or AssertionError("the server hung up"))

    def _fail(self, error: Exception) -> None:
        self._transport.close()
        if not self.ended.done():
            self.ended.set_exception(error)
