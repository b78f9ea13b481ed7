"""(e) `convostore --help`, a whole process, beside a Python that only imports Typer."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

from harness import Cost, alternating, compare, cpu, heading, wall

ROUNDS = 15
OURS = [str(Path(sys.executable).with_name("convostore")), "--help"]
PEER = [sys.executable, "-c", "import typer"]


def started(command: list[str]) -> Cost:
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


if __name__ == "__main__":
    costs = alternating(ROUNDS, {"ours": lambda: started(OURS), "peer": lambda: started(PEER)})
    heading("(e) convostore --help, beside python -c 'import typer'", beside="typer")
    compare("wall", wall(costs["ours"]), wall(costs["peer"]), "aim 1.5x")
    compare("CPU", cpu(costs["ours"]), cpu(costs["peer"]), "aim 1.5x")
