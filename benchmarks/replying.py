"""(i) A streamed reply beside plain httpx reading the same stream of the same server.

CPU time of 1,000 events: beside httpx-sse and `json.loads`, or httpx's lines and `json.loads` where
what is sent is no event stream. Time to the first event: of a server that answers at once, and of
one as quick as any that was recorded; the connections are open. Ours ends with reading again what
was stored, which theirs does not; that counts as CPU.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from http.client import HTTPConnection

from harness import Cost, alternating, compare, cpu, heading, server, timed, wall
from readers import (
    Arrived,
    AsyncOurs,
    AsyncReader,
    Ours,
    Reader,
    asked,
    async_plain,
    plain,
    unnoticed,
)

EVENTS = 20_000
REPEATING = 2_000
"""Events that each repeat the text before them."""
ROUNDS = 7
PACES = {"each": "each written by itself", "joined": "joined to 8 KiB"}
FIRST_ROUNDS = {0.0: 500, 0.04: 20}
"""How often each server is asked, by the seconds that it takes."""


class InLoop(Reader):
    """An async reader, read to its end from outside its loop."""

    def __init__(self, runner: asyncio.Runner, reader: AsyncReader) -> None:
        self.runner = runner
        self.reader = reader

    def read(self, arrived: Arrived = unnoticed) -> int:
        return self.runner.run(self.reader.read(arrived))

    def close(self) -> None:
        self.runner.run(self.reader.aclose())


@contextmanager
def readers(service: str, url: str) -> Iterator[dict[str, Reader]]:
    """One of each kind, by name."""
    with (
        asyncio.Runner() as runner,
        closing(Ours(service, url)) as ours,
        closing(plain(service, url)) as beside,
        closing(InLoop(runner, AsyncOurs(service, url))) as later,
        closing(InLoop(runner, async_plain(service, url))) as beside_later,
    ):
        yield {"ours": ours, "plain": beside, "async ours": later, "async plain": beside_later}


def alternately(
    rounds: int, job: Callable[[Reader], Cost], all_: Mapping[str, Reader]
) -> dict[str, list[Cost]]:
    """Each reader once a round, in any order: what ran just before tells on the next."""
    costs: dict[str, list[Cost]] = {name: [] for name in all_}
    order, dice = list(all_), random.Random(0)
    for _ in range(rounds):
        dice.shuffle(order)
        round_ = alternating(1, {name: partial(job, all_[name]) for name in order})
        for name, (cost,) in round_.items():
            costs[name].append(cost)
    return costs


def measure(what: str, service: str, pace: str, events: int, goal: str) -> None:
    def whole(reader: Reader) -> Cost:
        counts: list[int] = []
        cost = timed(lambda: counts.append(reader.read()))
        assert counts == [events]
        return Cost(cost.wall / events * 1000, cost.cpu / events * 1000)

    with server("stream_server.py", service, events, pace) as url, readers(service, url) as all_:
        costs = alternately(ROUNDS, whole, all_)
    report(what, {name: cpu(each) for name, each in costs.items()}, goal)


def measure_first(what: str, service: str, latency: float, goal: str) -> None:
    with (
        server("stream_server.py", service, 2, "each", latency) as url,
        closing(HTTPConnection(url.removeprefix("http://"))) as between,
        readers(service, url) as all_,
    ):
        turn = asked(service)

        def first(reader: Reader) -> Cost:
            """As in a program that has only this reader, and a server that answers only turns."""
            reader.read()
            between.request(turn["method"], turn["url"], json.dumps(turn["json"]))
            between.getresponse().read()
            return until_first(reader)

        alternately(5, first, all_)  # loads what is loaded on use, and opens the connections
        costs = alternately(FIRST_ROUNDS[latency], first, all_)
    what = f"{what}, {f'after {latency * 1000:.0f} ms' if latency else 'at once'}"
    report(what, {name: wall(each) for name, each in costs.items()}, goal)


def until_first(reader: Reader) -> Cost:
    """The cost of what is before the first event; the rest is read uncounted."""
    came: list[Cost] = []

    def arrived(_: bool) -> None:
        if not came:
            came.append(Cost(time.perf_counter() - begun, time.process_time() - used))

    used, begun = time.process_time(), time.perf_counter()
    reader.read(arrived)
    return came[0]


def report(what: str, costs: Mapping[str, list[float]], goal: str) -> None:
    compare(what, costs["ours"], costs["plain"], goal, "us")
    compare("  async", costs["async ours"], costs["async plain"], goal, "us")


def main() -> None:
    heading(f"(i) CPU of 1,000 events of a reply of {EVENTS:,}", beside="plain httpx")
    for pace, how in PACES.items():
        measure(f"FastGPT 4.16, {how}", "fastgpt", pace, EVENTS, "<= 1.3x")
    for pace, how in PACES.items():
        measure(f"Perplexica 1.11, {how}", "perplexica B", pace, EVENTS, "")
    what = f"Perplexica 1.12, {REPEATING:,} that repeat the text"
    measure(what, "perplexica C", "each", REPEATING, "")
    heading("(i) time to the first event", beside="plain httpx")
    for latency in FIRST_ROUNDS:
        measure_first("FastGPT 4.16", "fastgpt", latency, "<= 1.05x")
    measure_first("Perplexica 1.11, the chat read first", "perplexica B", 0.0, "")


if __name__ == "__main__":
    main()
