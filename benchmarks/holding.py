"""(d) The peak memory of iterating over `transcripts()`, for ten times as many of them.

Each run is a process of its own; what it held when everything was imported is taken off. The list
of conversations comes in one answer and is held whole; transcripts are not.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys

from harness import chat_server, compare, heading

MESSAGES = 100
MANY, FEW = 2000, 200


def peak() -> int:
    """Bytes; Linux counts them in thousands, macOS one by one."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


async def walk(url: str) -> tuple[int, int]:
    """Iterates to the end and keeps nothing; returns how many messages came, and the growth."""
    import httpx  # noqa: F401  # loaded on use, but not what is to be measured

    import convostore

    async with convostore.aopen(f"perplexica+{url}") as store:
        before = peak()
        messages = 0
        async for transcript in store.transcripts():
            messages += len(transcript.messages)
    return messages, peak() - before


def growth(conversations: int) -> float:
    with chat_server(conversations, MESSAGES) as url:
        child = subprocess.run(
            [sys.executable, __file__, url], check=True, stdout=subprocess.PIPE, text=True
        )
    messages, grown = map(int, child.stdout.split())
    assert messages == conversations * MESSAGES
    return grown


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(*asyncio.run(walk(sys.argv[1])))
    else:
        heading("(d) peak memory of iterating over transcripts()", "200,000", "20,000")
        compare(
            "above what imports take", [growth(MANY)], [growth(FEW)], "far below 10x", unit="MiB"
        )
