"""(c) `conversations()` of 10,000 conversations, page by page, with no latency to hide behind.

Beside it: plain httpx making as many requests of the same size, with `json.loads` of what comes.
"""

from __future__ import annotations

import json

import httpx
from harness import alternating, chat_server, compare, cpu, heading, timed, wall

import convostore

CONVERSATIONS = 10_000
PAGE = 100
ROUNDS = 5
APP = "65f000000000000000000010"


def ours(url: str) -> None:
    with convostore.open(f"fastgpt+{url}", app_id=APP, api_key="key") as store:
        read = {each.id for each in store.conversations()}
    assert len(read) == CONVERSATIONS


def plain(url: str) -> None:
    read = set()
    with httpx.Client(base_url=url, headers={"authorization": "Bearer key"}) as client:
        for offset in range(0, CONVERSATIONS, PAGE):
            asked = {"appId": APP, "source": "api", "offset": offset, "pageSize": PAGE}
            reply = client.post("/api/core/chat/history/getHistories", json=asked)
            reply.raise_for_status()
            read |= {item["chatId"] for item in json.loads(reply.content)["data"]["list"]}
    assert len(read) == CONVERSATIONS


if __name__ == "__main__":
    with chat_server(CONVERSATIONS, service="fastgpt") as url:
        costs = alternating(
            ROUNDS,
            {"ours": lambda: timed(lambda: ours(url)), "plain": lambda: timed(lambda: plain(url))},
        )
    heading("(c) 10,000 conversations of FastGPT, 100 a page", beside="plain httpx")
    compare("wall", wall(costs["ours"]), wall(costs["plain"]), "aim 2x")
    compare("CPU", cpu(costs["ours"]), cpu(costs["plain"]), "aim 2x")
