"""A process that mirrors one SQLite file into another, and is killed at the nth progress."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from itertools import count

import convostore


async def main(source: str, target: str, at: int) -> None:
    signs = count(1)

    def progress(_: convostore.MirrorProgress) -> None:
        if next(signs) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    async with convostore.aopen(source) as one, convostore.aopen(target) as other:
        await convostore.amirror(one, other, name="source", delete=True, progress=progress)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
