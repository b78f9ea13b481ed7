"""What all benchmarks share: alternating rounds, medians, and one line a figure.

A figure is never a time alone: what it is beside was measured in the same run, turn by turn, as
machines differ and drift. Nothing here asserts.
"""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent


class Cost(NamedTuple):
    """Seconds of one round."""

    wall: float
    cpu: float


def timed(job: Callable[[], object]) -> Cost:
    """Runs a job once; rubbish of before is not counted, its own is."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    result = job()
    cost = Cost(time.perf_counter() - wall, time.process_time() - cpu)
    del result
    return cost


def alternating(rounds: int, jobs: Mapping[str, Callable[[], Cost]]) -> dict[str, list[Cost]]:
    """Runs each job once a round, so that a drift of the machine meets all of them."""
    costs: dict[str, list[Cost]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            costs[name].append(job())
    return costs


def wall(costs: Iterable[Cost]) -> list[float]:
    return [cost.wall for cost in costs]


def cpu(costs: Iterable[Cost]) -> list[float]:
    return [cost.cpu for cost in costs]


def heading(title: str, ours: str = "ours", beside: str = "beside", ratio: str = "ratio") -> None:
    print(f"\n{title}\n{'':54}{ours:>12}{beside:>12}{ratio:>9}  goal")


def compare(what: str, ours: list[float], beside: list[float], goal: str, unit: str = "ms") -> None:
    """Prints one figure: two medians, and the median of the rounds' ratios."""
    ratio = statistics.median(mine / other for mine, other in zip(ours, beside, strict=True))
    line(what, amount(ours, unit), amount(beside, unit), f"{ratio:.2f}x", goal)


def amount(values: list[float], unit: str) -> str:
    scale = {"us": 1e6, "ms": 1000.0, "s": 1.0, "MiB": 2.0**-20}[unit]
    digits = 0 if unit in {"us", "ms"} else 2
    return f"{statistics.median(values) * scale:.{digits}f} {unit}"


def line(what: str, ours: str, beside: str, ratio: str, goal: str = "") -> None:
    print(f"  {what:52}{ours:>12}{beside:>12}{ratio:>9}  {goal}".rstrip(), flush=True)


@contextmanager
def chat_server(
    conversations: int, messages: int = 0, latency: float = 0.0, *, service: str = "perplexica"
) -> Iterator[str]:
    """Runs `chat_server.py` in a process of its own, so that its work is not counted as ours."""
    with server("chat_server.py", service, conversations, messages, latency) as url:
        yield url


@contextmanager
def server(script: str, *arguments: object) -> Iterator[str]:
    """Runs a server in a process of its own: it prints its URL, and ends when its input closes."""
    with subprocess.Popen(
        [sys.executable, str(HERE / script), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.communicate()  # closes its input, which ends it
