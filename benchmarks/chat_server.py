"""A service of shape C that costs next to nothing: `chat_server.py CONVERSATIONS MESSAGES LATENCY`.

Prints its URL and serves until its input closes. Answers are built before, and each goes out whole
after the latency; a client so sees its own work and nothing of a server's.
"""

from __future__ import annotations

import asyncio
import selectors
import sys

from recordings import SHAPES, encoded, recorded_chat, tiled


def answers(conversations: int, messages: int) -> dict[bytes, list[bytes]]:
    """By the path: the pieces of its answer; the messages are the same bytes for every chat."""
    whole = tiled(recorded_chat(SHAPES["C"], "get_two_turns"), messages)
    chats = [{**whole["chat"], "id": f"{number:040x}"} for number in range(conversations)]
    rows = encoded(whole["messages"])
    made = {b"/api/chats": _answer(encoded({"chats": chats}))}
    for chat in chats:
        body = b'{"chat":%s,"messages":' % encoded(chat)
        made[b"/api/chats/" + chat["id"].encode()] = _answer(body, rows, b"}")
    return made


def _answer(*body: bytes) -> list[bytes]:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return [head % sum(map(len, body)), *body]


class Connection(asyncio.Protocol):
    """One connection; its client sends no body and waits for each answer."""

    def __init__(self, answers: dict[bytes, list[bytes]], latency: float) -> None:
        self.answers = answers
        self.latency = latency
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        if self.received.endswith(b"\r\n\r\n"):
            _, path, _ = self.received.split(b" ", 2)
            self.received = b""
            answer = b"".join(self.answers[path])
            asyncio.get_running_loop().call_later(self.latency, self.transport.write, answer)


async def main(conversations: int, messages: int, latency: float) -> None:
    loop = asyncio.get_running_loop()
    made = answers(conversations, messages)
    server = await loop.create_server(lambda: Connection(made, latency), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def precise_loop() -> asyncio.AbstractEventLoop:
    """A loop whose timers are good to microseconds: epoll's would add up to a millisecond."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=precise_loop) as runner:
        runner.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
