"""(i) 500 streamed replies at a time on one event loop: the peak memory of each.

The server sends to all of them in step, so that all are always at the same place. Each run is a
process of its own; what it held after a first, short reply is taken off. The replies are ten times
as long as others, or ten times as many: what a stream holds does not grow with its events but by
the answer's text. Beside it: as many of httpx-sse.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from harness import heading, line, server
from holding import peak
from readers import AsyncOurs, AsyncPlainEvents, AsyncReader
from streams import pieces

SHORT, LONG = 20, 200
FEW, MANY = 50, 500
KINDS: dict[str, Callable[[str, str], AsyncReader]] = {"ours": AsyncOurs, "plain": AsyncPlainEvents}


class Step:
    """Asks the server to go on when all streams have what it sent."""

    def __init__(self, streams: int, go_on: Callable[[], object]) -> None:
        self.streams = self.missing = streams
        self.go_on = go_on

    def arrived(self, is_text: bool) -> None:
        self.missing -= is_text
        if self.missing == 0:
            self.missing = self.streams
            self.go_on()


async def crowd(reader: AsyncReader, url: str, streams: int) -> list[int]:
    """Reads as many replies at a time; returns how many pieces each had."""
    host, _, port = url.removeprefix("http://").partition(":")
    _, asking = await asyncio.open_connection(host, int(port))
    step = Step(streams, lambda: asking.write(b"GET /next HTTP/1.1\r\n\r\n"))
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(reader.read(step.arrived)) for _ in range(streams)]
    finally:
        asking.close()
    return [task.result() for task in tasks]


async def measured(kind: str, url: str, streams: int, length: int) -> tuple[int, float]:
    """The growth of the peak in bytes, and the CPU seconds."""
    reader = KINDS[kind]("fastgpt", url)
    await crowd(reader, url, 1)  # loads what is loaded on use
    before, begun = peak(), time.process_time()
    counts = await crowd(reader, url, streams)
    spent = time.process_time() - begun
    assert counts == [length] * streams
    await reader.aclose()
    return peak() - before, spent


class Crowd(NamedTuple):
    """What each stream of a crowd needed.

    Attributes:
        held: Bytes.
        spent: CPU seconds of an event.
    """

    held: float
    spent: float


def run(kind: str, streams: int, length: int) -> Crowd:
    with server("stream_server.py", "fastgpt", length, "step") as url:
        command = [sys.executable, __file__, kind, url, str(streams), str(length)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    grown, spent = done.stdout.split()
    return Crowd(int(grown) / streams, float(spent) / streams / length)


def kibibytes(size: float) -> str:
    return f"{size / 1024:.1f} KiB"


def compare(what: str, mine: Crowd, beside: Crowd, goal: str) -> None:
    ratio = f"{mine.held / beside.held:.2f}x" if beside.held else ""
    line(what, kibibytes(mine.held), kibibytes(beside.held), ratio, goal)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        kind, url, streams, length = sys.argv[1:]
        print(*asyncio.run(measured(kind, url, int(streams), int(length))))
    else:
        text = len("".join(pieces(LONG)).encode())
        heading(f"(i) memory of a stream, {MANY} at a time of {LONG} events", beside="the other")
        long, short = run("ours", MANY, LONG), run("ours", MANY, SHORT)
        goal = f"<= 1.3x: the text has {kibibytes(text)}"
        compare(f"beside {MANY} of {SHORT} events", long, short, goal)
        compare(f"beside {FEW} of {LONG} events", long, run("ours", FEW, LONG), "<= 1.1x")
        plain = run("plain", MANY, LONG)
        compare(f"beside {MANY} of httpx-sse", long, plain, "")
        ratio = f"{long.spent / plain.spent:.2f}x"
        mine, other = (f"{each.spent * 1e6:.0f} us" for each in (long, plain))
        line("  CPU of an event", mine, other, ratio, "<= 1.3x")
