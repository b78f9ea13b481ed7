"""(a) `import convostore` with its names, beside pydantic with one model, each in a new process.

The import alone is timed, inside the process: the interpreter's own start would flatter.
"""

from __future__ import annotations

import subprocess
import sys

from harness import Cost, alternating, compare, cpu, heading, wall

ROUNDS = 21
OURS = "from convostore import Conversation, open"
PEER = """
import pydantic
class Note(pydantic.BaseModel):
    title: str
    pages: int = 1
"""
CHILD = """
import resource, time
def user(): return resource.getrusage(resource.RUSAGE_SELF).ru_utime
cpu, wall = user(), time.perf_counter()
{}
print(time.perf_counter() - wall, user() - cpu)
"""


def imported(code: str) -> Cost:
    child = subprocess.run(
        [sys.executable, "-c", CHILD.format(code)], capture_output=True, check=True, text=True
    )
    seconds, of_processor = child.stdout.split()
    return Cost(float(seconds), float(of_processor))


if __name__ == "__main__":
    costs = alternating(ROUNDS, {"ours": lambda: imported(OURS), "peer": lambda: imported(PEER)})
    heading(
        "(a) from convostore import Conversation, open; beside pydantic with a model",
        beside="pydantic",
    )
    compare("wall", wall(costs["ours"]), wall(costs["peer"]), "<= 1.5x")
    compare("user CPU", cpu(costs["ours"]), cpu(costs["peer"]), "<= 1.5x")
