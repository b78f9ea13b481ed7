"""`convostore serve` as a process of its own, and a model on loopback that waits to be let on."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from convostore.http import Request
from convostore.testing.loopback import serve

PATIENCE = 60.0
"""Seconds after which something hangs."""


@dataclass
class Process:
    """A server, and what it has written to standard error."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    url: str = ""

    def signal(self, which: int) -> None:
        self.process.send_signal(which)

    def ended(self) -> int:
        """Waits for its end; its status."""
        return self.process.wait(PATIENCE)


@contextmanager
def served(*words: str, **environment: str) -> Iterator[Process]:
    """Runs `convostore serve` on a free port until the block ends."""
    inherited = {name: each for name, each in os.environ.items() if "CONVOSTORE" not in name}
    process = subprocess.Popen(
        [sys.executable, "-c", _MAIN, "serve", *words, "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env={**inherited, "PYTHONUTF8": "1", **environment},
    )
    server = Process(process)
    begun = threading.Event()
    reader = threading.Thread(target=_read, args=(server, begun), name="stderr")
    reader.start()
    try:
        assert begun.wait(PATIENCE), "it does not begin"
        assert server.url, server.lines
        yield server
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stderr.close()


_MAIN = "from convostore.cli import main; main()"


def _read(server: Process, begun: threading.Event) -> None:
    for line in server.process.stderr:
        if found := re.search(r"is served at (http://\S+?:\d+)", line):
            server.url = found[1]
        server.lines.append(line)
        if server.url:
            begun.set()
    begun.set()


class Waiting:
    """A model that begins to answer ``At `` and ends with ``six.`` when it may.

    Attributes:
        url: The base address of its API.
    """

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._may_end = threading.Event()

    @contextmanager
    def running(self) -> Iterator[Waiting]:
        with serve(self._answer) as url:
            self.url = f"{url}/v1"
            try:
                yield self
            finally:
                self._may_end.set()

    def end(self) -> None:
        self._may_end.set()

    def _answer(self, _: Request) -> Waiting:
        return self

    def write_to(self, connection: socket.socket) -> bool:
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
            b'data: {"choices": [{"index": 0, "delta": {"content": "At "}}]}\n\n'
        )
        self.asked.set()
        self._may_end.wait(PATIENCE)
        connection.sendall(
            b'data: {"choices": [{"index": 0, "delta": {"content": "six."}}]}\n\n'
            b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\n'
            b"data: [DONE]\n\n"
        )
        return False
