"""Services that cost next to nothing: `chat_server.py SERVICE CONVERSATIONS MESSAGES LATENCY`.

SERVICE is ``perplexica`` (shape C: the list, and each chat) or ``fastgpt`` (4.16: the list by
offset). Prints its URL and serves until its input closes. What it answers is built before, and each
answer goes out whole after the latency; a client so sees its own work and nothing of a server's.
"""

from __future__ import annotations

import asyncio
import json
import selectors
import sys
from collections.abc import Callable
from typing import TypeAlias

from recordings import SHAPES, encoded, recorded_chat, recorded_histories, tiled

Service: TypeAlias = Callable[[bytes, bytes], bytes]
"""Takes a path and a body to a whole answer."""


def perplexica(conversations: int, messages: int) -> Service:
    """Answers by the path; the messages are the same bytes for every chat."""
    whole = tiled(recorded_chat(SHAPES["C"], "get_two_turns"), messages)
    chats = [{**whole["chat"], "id": f"{number:040x}"} for number in range(conversations)]
    rows = encoded(whole["messages"])
    made = {b"/api/chats": _answer(encoded({"chats": chats}))}
    for chat in chats:
        body = b'{"chat":%s,"messages":' % encoded(chat)
        made[b"/api/chats/" + chat["id"].encode()] = _answer(body, rows, b"}")
    return lambda path, _: b"".join(made[path])


def fastgpt(conversations: int, _: int) -> Service:
    """Answers every path with a page of the list."""
    items = [encoded(item) for item in recorded_histories(conversations)]

    def answer(_: bytes, body: bytes) -> bytes:
        asked = json.loads(body)
        start, size = asked["offset"], asked["pageSize"]
        rows = b",".join(items[start : start + size])
        envelope = b'{"code":200,"statusText":"","message":"","data":{"total":%d,"list":[%s]}}'
        return b"".join(_answer(envelope % (len(items), rows)))

    return answer


def _answer(*body: bytes) -> list[bytes]:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return [head % sum(map(len, body)), *body]


class Connection(asyncio.Protocol):
    """One connection, whose client waits for each answer."""

    def __init__(self, service: Service, latency: float) -> None:
        self.service = service
        self.latency = latency
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        _, _, length = head.lower().partition(b"content-length:")
        if end and len(body) == int(length.split(b"\r\n")[0] or 0):
            _, path, _ = self.received.split(b" ", 2)
            self.received = b""
            answer = self.service(path, body)
            asyncio.get_running_loop().call_later(self.latency, self.transport.write, answer)


async def main(service: Service, latency: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(service, latency), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def precise_loop() -> asyncio.AbstractEventLoop:
    """A loop whose timers are good to microseconds: epoll's would add up to a millisecond."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=precise_loop) as runner:
        made = {"perplexica": perplexica, "fastgpt": fastgpt}[sys.argv[1]]
        runner.run(main(made(int(sys.argv[2]), int(sys.argv[3])), float(sys.argv[4])))
