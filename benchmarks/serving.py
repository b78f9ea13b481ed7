"""(j) The gateway over SQLite beside a bare Starlette that runs the same statements.

Both are served by uvicorn with httptools, each in a process of its own, from copies of one file;
what asks is this process. Both sides are asked turn by turn. With two cores, one serves and the
other asks: on a machine with more, more would be served by more processes, not by one.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

from chats import said
from gateway_server import TOKEN
from harness import heading, line, server
from load import Load, load, request
from plain_sql import PlainSQLite
from streaming import measure_streams

import convostore
from convostore.serialization import load_conversation, load_message

ROUNDS = 5
SECONDS = 0.2
"""Of one side in one round."""
CONNECTIONS = (1, 16, 128)
CONVERSATIONS = 10_000
CHATS = 100
"""Conversations with messages."""
MESSAGES = 200
FEW = 50
GOAL = ">= 0.7x"
LIST = "/v1/conversations?limit=50"

Requests = Callable[[], Iterator[bytes]]


class Asked(NamedTuple):
    """What is asked: `again` gives the requests anew, for one round of one side."""

    what: str
    again: Requests
    goal: str = GOAL


def fill(file: Path, conversations: int, messages: int) -> None:
    """Makes a database whose first `CHATS` conversations have messages."""
    with convostore.open(f"sqlite:///{file.as_posix()}") as store:
        store.check()  # which makes the tables
    with closing(PlainSQLite(file, new=False)) as plain:
        plain.create({chat(number): f"Chat {number} of many" for number in range(conversations)})
        for number in range(min(CHATS, conversations)):
            plain.append(chat(number), list(said(messages, seed=number)))


def chat(number: int) -> str:
    return f"chat-{number:05}"


def authorized(name: str = "many") -> dict[str, str]:
    return {"authorization": f"Bearer {TOKEN}{name}"}


def lists() -> Iterator[bytes]:
    return itertools.repeat(request("GET", LIST, authorized()))


def pages() -> Iterator[bytes]:
    made = [request("GET", _messages(number), authorized()) for number in range(CHATS)]
    return itertools.cycle(made)


_numbers = itertools.count()


def appends() -> Iterator[bytes]:
    """Each one message more in the next conversation."""
    (one,) = said(1, seed=7)
    parts = [{"kind": "text", "text": one.text}]
    message = {"role": "user", "parts": parts, "created_at": one.created_at.isoformat()}
    for number in _numbers:
        body = {"messages": [{"id": f"new-{number:08}", **message}]}
        target = _messages(number % CHATS).partition("?")[0]
        yield request("POST", target, authorized(), json.dumps(body).encode())


def _messages(number: int) -> str:
    return f"/v1/conversations/{chat(number)}/messages?limit=50"


NATIVE = (
    Asked("list 50 conversations", lists),
    Asked("page of 50 messages", pages),
    Asked("append a message", appends),
)


def dialects() -> Iterator[tuple[Asked, Requests]]:
    """The services' own requests for as much, and what is asked of the bare one beside each."""
    few = authorized("few")
    app = {"appId": "65f000000000000000000010"}

    def fastgpt(path: str, **body: object) -> Requests:
        made = request("POST", f"/api/core/chat/{path}", few, json.dumps(app | body).encode())
        return lambda: itertools.repeat(made)

    def perplexica(path: str) -> Requests:
        return lambda: itertools.repeat(request("GET", f"/api/chats{path}", few))

    yield Asked("GET /api/chats, 50 in all", perplexica(""), ""), lists
    yield Asked("GET /api/chats/{id}, 50 messages", perplexica(f"/{chat(0)}"), ""), pages
    yield (
        Asked("FastGPT getHistories, 50", fastgpt("getHistories", offset=0, pageSize=50), ""),
        lists,
    )
    records = fastgpt("getPaginationRecords", chatId=chat(0), offset=0, pageSize=50)
    yield Asked("FastGPT getPaginationRecords, 50", records, ""), pages


def measure(ours: tuple[str, Asked], beside: tuple[str, Requests], connections: int) -> None:
    """Both sides turn by turn, and one figure of each kind."""
    (url, asked), (plain_url, plain) = ours, beside
    measured: dict[str, list[Load]] = {"ours": [], "beside": []}
    jobs = {"ours": (url, asked.again), "beside": (plain_url, plain)}
    for round_ in range(ROUNDS):
        for name in jobs if round_ % 2 == 0 else reversed(jobs):
            where, again = jobs[name]
            measured[name].append(asyncio.run(load(where, again(), connections, SECONDS)))
    compare(asked, connections, measured["ours"], measured["beside"])


def compare(asked: Asked, connections: int, ours: list[Load], beside: list[Load]) -> None:
    ratio = statistics.median(a.rate / b.rate for a, b in zip(ours, beside, strict=True))
    what = f"{asked.what}, {connections} connection{'s' if connections > 1 else ''}"
    line(what, f"{_rate(ours):,.0f}/s", f"{_rate(beside):,.0f}/s", f"{ratio:.2f}x", asked.goal)
    line("  p50 / p99, ms", _latencies(ours), _latencies(beside), "")


def _rate(loads: list[Load]) -> float:
    return statistics.median(each.rate for each in loads)


def _latencies(loads: list[Load]) -> str:
    p50, p99 = (statistics.median(1000 * each[place] for each in loads) for place in (1, 2))
    return f"{p50:.1f}/{p99:.1f}"


def check(ours: str, beside: str) -> None:
    """Both sides say the same; ours may spell out what holds its default."""
    for target, load_one in ((LIST, load_conversation), (_messages(0), load_message)):
        mine, other = (
            [load_one(each) for each in answer(f"{url}{target}")["items"]] for url in (ours, beside)
        )
        assert mine == other
        assert len(mine) == FEW


def answer(url: str) -> Mapping[str, Any]:
    with urlopen(Request(url, headers=authorized())) as response:
        answered: Mapping[str, Any] = json.load(response)
    return answered


@contextmanager
def served() -> Iterator[tuple[str, str]]:
    """The URLs of the gateway and of what is beside it."""
    with tempfile.TemporaryDirectory() as folder:
        ours, plain, few = (Path(folder, f"{name}.db") for name in ("ours", "plain", "few"))
        fill(ours, CONVERSATIONS, MESSAGES)
        shutil.copy(ours, plain)
        fill(few, FEW, FEW)
        stores = [f"many=sqlite:///{ours.as_posix()}", f"few=sqlite:///{few.as_posix()}"]
        with (
            server("gateway_server.py", *stores) as url,
            server("bare_server.py", plain) as plain_url,
        ):
            yield url, plain_url


def main() -> None:
    cores = f"{os.cpu_count()} cores, of which this process takes one"
    heading(f"(j) the gateway over SQLite; {cores}", beside="Starlette")
    with served() as (url, plain_url):
        check(url, plain_url)
        for asked in NATIVE:
            asyncio.run(load(url, asked.again(), 4, SECONDS / 4))  # what is loaded on use
            asyncio.run(load(plain_url, asked.again(), 4, SECONDS / 4))
            for connections in CONNECTIONS:
                measure((url, asked), (plain_url, asked.again), connections)
        heading("(j) the services' own requests, beside Starlette's native answer of as much")
        for asked, plain in dialects():
            measure((url, asked), (plain_url, plain), 16)
    measure_streams()


if __name__ == "__main__":
    main()
