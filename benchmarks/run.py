"""`make bench`: runs every benchmark in a process of its own and prints what came out."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version

from harness import HERE

BENCHMARKS = (
    "importing",
    "reading",
    "walking",
    "paging",
    "holding",
    "starting",
    "storing",
    "crowded_store",
    "copying",
    "archiving",
    "replying",
    "growing",
    "crowding",
    "serving",
)


def main() -> None:
    started = time.perf_counter()
    libraries = ", ".join(f"{name} {version(name)}" for name in ("convostore", "pydantic", "httpx"))
    print(
        f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} CPUs, "
        f"{platform.system()} {platform.machine()}; {libraries}\n"
        "Medians of alternating rounds; a ratio's two sides are of the same run.",
        flush=True,
    )
    for name in BENCHMARKS:
        subprocess.run([sys.executable, str(HERE / f"{name}.py")], check=True)
    print(f"\nin {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
