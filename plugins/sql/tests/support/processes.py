"""Processes that run `writer`, started together, killed on the way, and started again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .pythons import Python

SCRIPT = Path(__file__).with_name("writer.py")


@dataclass
class Writer:
    """What one process is to write, and what it was told of.

    Attributes:
        kill_after: How many messages must be told of before the process is killed, life by life;
            after the last of these lives it runs to its end, unless it is not to rise again.
        acknowledged: The numbers of the messages that it was told are stored.
        complaints: What the lives that ended by themselves wrote to stderr.
        returned: How the last life ended.
    """

    dsn: str
    name: str
    conversations: list[str]
    count: int
    kill_after: list[int] = field(default_factory=list)
    rises_again: bool = True
    options: dict[str, Any] = field(default_factory=dict)
    acknowledged: list[int] = field(default_factory=list)
    complaints: str = ""
    returned: int | None = None

    def run(self, python: Python, start: threading.Barrier) -> None:
        """Run the lives one after the other; the first begins when all writers are ready."""
        for kill_after in self.kill_after:
            self._live(python, start, kill_after)
            if not self.rises_again:
                return
        self._live(python, start, None)

    def _live(self, python: Python, start: threading.Barrier, kill_after: int | None) -> None:
        first = self.acknowledged[-1] + 1 if self.acknowledged else 0
        job = {
            "dsn": self.dsn,
            "name": self.name,
            "conversations": self.conversations,
            "numbers": [first, self.count],
            **self.options,
        }
        with python.start(str(SCRIPT), json.dumps(job)) as process:
            is_ready = process.stdout.readline()
            if first == 0:
                start.wait()
            if is_ready:
                process.stdin.write("\n")
                process.stdin.flush()
            for told, line in enumerate(process.stdout, start=1):
                self.acknowledged.append(int(line))
                if told == kill_after:
                    process.kill()
            process.stdin.close()
            self.complaints += process.stderr.read()
        self.returned = process.returncode


def run(python: Python, writers: Iterable[Writer]) -> None:
    """Run writers side by side until all have ended."""
    all_of_them = list(writers)
    start = threading.Barrier(len(all_of_them), timeout=60)
    with ThreadPoolExecutor(len(all_of_them)) as pool:
        for job in [pool.submit(writer.run, python, start) for writer in all_of_them]:
            job.result()
