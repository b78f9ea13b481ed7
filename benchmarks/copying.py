"""(g) `amirror()` of 1,000 conversations from a service that takes 20 ms an answer, to SQLite.

How near it comes to what its concurrency permits, beside only reading the same conversations; and a
second run, which finds all of them copied and writes nothing.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from pathlib import Path

from harness import Cost, alternating, chat_server, compare, cpu, heading, line, timed, wall

import convostore
from convostore import MirrorReport, amirror

CONVERSATIONS = 1000
MESSAGES = 4
LATENCY = 0.020
ROUNDS = 3
CONCURRENCIES = (4, 16)


async def mirrored(url: str, concurrency: int, file: Path) -> MirrorReport:
    async with (
        convostore.aopen(f"perplexica+{url}", concurrency=concurrency) as source,
        convostore.aopen(f"sqlite:///{file.as_posix()}") as target,
    ):
        return await amirror(source, target, name="service")


async def read(url: str, concurrency: int) -> None:
    async with convostore.aopen(f"perplexica+{url}", concurrency=concurrency) as store:
        count = [len(each.messages) async for each in store.transcripts()]
    assert count == [MESSAGES] * CONVERSATIONS


class Copying:
    """Runs with one concurrency; each first run has a file of its own."""

    def __init__(self, url: str, concurrency: int, folder: Path) -> None:
        self.url = url
        self.concurrency = concurrency
        self.folder = folder
        self.runs = 0

    def first(self) -> Cost:
        self.runs += 1
        return timed(lambda: self._copy(copied=CONVERSATIONS))

    def again(self) -> Cost:
        return timed(lambda: self._copy(copied=0))

    def only_read(self) -> Cost:
        return timed(lambda: asyncio.run(read(self.url, self.concurrency)))

    def _copy(self, *, copied: int) -> None:
        file = self.folder / f"{self.concurrency}-{self.runs}.db"
        report = asyncio.run(mirrored(self.url, self.concurrency, file))
        assert (report.copied, report.skipped) == (copied, ())
        assert report.messages == copied * MESSAGES


def report(costs: dict[str, list[Cost]], concurrency: int) -> None:
    ideal = CONVERSATIONS / concurrency * LATENCY
    beside = costs["read"]
    for name, what in {"first": "a first copy", "again": "a second run"}.items():
        mine, theirs = (ideal / statistics.median(wall(each)) for each in (costs[name], beside))
        told = f"concurrency {concurrency}, {what}: share of what it permits"
        line(told, f"{mine:.1%}", f"{theirs:.1%}", f"{mine / theirs:.2f}x", ">= 90%")
        compare("  CPU time", cpu(costs[name]), cpu(beside), "")


if __name__ == "__main__":
    heading("(g) mirroring 1,000 conversations, 20 ms an answer", beside="only reading")
    with (
        chat_server(CONVERSATIONS, MESSAGES, LATENCY) as url,
        tempfile.TemporaryDirectory() as made,
    ):
        for concurrency in CONCURRENCIES:
            job = Copying(url, concurrency, Path(made))
            jobs = {"first": job.first, "again": job.again, "read": job.only_read}
            report(alternating(ROUNDS, jobs), concurrency)
