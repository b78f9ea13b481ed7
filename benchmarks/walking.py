"""(c) `transcripts()` of 1,000 conversations from a service that takes 20 ms for each answer.

How near it comes to what its concurrency permits, and what it costs beside plain httpx making the
same requests in as many tasks, with and without `json.loads` of what comes.
"""

from __future__ import annotations

import asyncio
import json
import statistics

import httpx
from harness import Cost, alternating, chat_server, compare, cpu, heading, line, timed, wall

import convostore

CONVERSATIONS = 1000
MESSAGES = 4
LATENCY = 0.020
ROUNDS = {4: 3, 16: 5}


async def ours(url: str, concurrency: int) -> None:
    async with convostore.aopen(f"perplexica+{url}", concurrency=concurrency) as store:
        read = [len(each.messages) async for each in store.transcripts()]
    assert read == [MESSAGES] * CONVERSATIONS


async def plain(url: str, concurrency: int, *, decoded: bool) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        chats = (await client.get("/api/chats")).json()["chats"]
        waiting = iter(chats)

        async def work() -> None:
            for chat in waiting:
                reply = await client.get(f"/api/chats/{chat['id']}")
                reply.raise_for_status()
                if decoded:
                    json.loads(reply.content)

        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
    assert len(chats) == CONVERSATIONS


def measured(url: str, concurrency: int) -> dict[str, list[Cost]]:
    return alternating(
        ROUNDS[concurrency],
        {
            "ours": lambda: timed(lambda: asyncio.run(ours(url, concurrency))),
            "plain": lambda: timed(lambda: asyncio.run(plain(url, concurrency, decoded=False))),
            "json": lambda: timed(lambda: asyncio.run(plain(url, concurrency, decoded=True))),
        },
    )


def report(costs: dict[str, list[Cost]], concurrency: int) -> None:
    ideal = CONVERSATIONS / concurrency * LATENCY
    mine, httpx_only = (ideal / statistics.median(wall(costs[name])) for name in ("ours", "plain"))
    what = f"concurrency {concurrency}: share of what it permits"
    line(what, f"{mine:.1%}", f"{httpx_only:.1%}", f"{mine / httpx_only:.2f}x", ">= 90%")
    mine_cpu = cpu(costs["ours"])
    compare(f"concurrency {concurrency}: CPU time", mine_cpu, cpu(costs["plain"]), "<= 1.3x")
    compare("  beside httpx and json.loads", mine_cpu, cpu(costs["json"]), "")


if __name__ == "__main__":
    with chat_server(CONVERSATIONS, MESSAGES, LATENCY) as url:
        size = len(httpx.get(f"{url}/api/chats/{0:040x}").content)
        asyncio.run(ours(url, 16))  # loads what is loaded on use
        title = f"(c) transcripts() of 1,000 conversations, bodies of {size:,} bytes, 20 ms each"
        heading(title, beside="plain httpx")
        for concurrency in ROUNDS:
            report(measured(url, concurrency), concurrency)
