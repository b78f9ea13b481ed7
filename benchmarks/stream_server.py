"""Services that stream and cost next to nothing: `stream_server.py SERVICE PIECES PACE [LATENCY]`.

SERVICE is one of `streams.SERVICES`. Prints its URL and serves until its input closes; what it
answers is built before. PACE is ``each`` (at once, each write of the service an HTTP chunk of its
own), ``joined`` (at once, in chunks of 8 KiB, as behind a proxy), or ``step`` (the first write at
once, and the next one to all streams that are open whenever ``/next`` is asked for, which has no
answer). LATENCY is the seconds before each answer.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Callable

from chat_server import Connection, Service, precise_loop
from streams import SERVICES, Streamed, pieces

JOINED = 8 * 1024
END = b"0\r\n\r\n"


def head(answer: Streamed) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
    return f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def whole(status: bytes, media_type: bytes, body: bytes) -> bytes:
    lines = b"HTTP/1.1 %s\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n"
    return lines % (status, media_type, len(body)) + body


def found(body: bytes) -> bytes:
    return whole(b"200 OK", b"application/json", body)


def page(_: bytes) -> bytes:
    """What a path that is not there is answered with."""
    return whole(b"404 Not Found", b"text/html", b"<!DOCTYPE html><title>404</title>")


def missing(what: bytes) -> bytes:
    return whole(b"404 Not Found", b"application/json", b'{"message":"%s not found"}' % what)


class FastGPT:
    """The completions of one app, and the newest page of a chat's records."""

    def __init__(self, answer: Streamed, stream: bytes) -> None:
        self.answer = answer
        self.stream = stream
        self.turns: dict[str, str] = {}

    def __call__(self, path: bytes, body: bytes) -> bytes:
        asked = json.loads(body)
        if path == b"/api/v1/chat/completions":
            self.turns[asked["chatId"]] = asked["responseChatItemId"]
            return self.stream
        return found(self.answer.stored(asked["chatId"], self.turns[asked["chatId"]]))


class Perplexica:
    """The chats of one server; `missed` is what it says of a session that it does not have."""

    def __init__(self, answer: Streamed, stream: bytes, missed: Callable[[bytes], bytes]) -> None:
        self.answer = answer
        self.stream = stream
        self.missed = missed
        self.turns: dict[str, str] = {}

    def __call__(self, path: bytes, body: bytes) -> bytes:
        if path == b"/api/chat":
            message = json.loads(body)["message"]
            self.turns[message["chatId"]] = message["messageId"]
            return self.stream
        if path.startswith(b"/api/reconnect/"):
            return self.missed(b"Session")
        chat = re.fullmatch(rb"/api/chats/(\w+)", path)
        if chat is None:
            return page(path)
        turn_id = self.turns.get(chat[1].decode())
        if turn_id is None:
            return missing(b"Chat")
        return found(self.answer.stored(chat[1].decode(), turn_id))


def service(name: str, answer: Streamed, stream: bytes) -> Service:
    if name == "fastgpt":
        return FastGPT(answer, stream)
    if name == "openai":
        return lambda *_: stream
    return Perplexica(answer, stream, missing if name == "perplexica C" else page)


def at_once(answer: Streamed, *, joined: bool) -> bytes:
    writes = answer.writes
    if joined:
        data = b"".join(writes)
        writes = [data[start : start + JOINED] for start in range(0, len(data), JOINED)]
    return head(answer) + b"".join(map(chunk, writes)) + END


class Crowd:
    """The streams that are open, all at the same place.

    Attributes:
        first: What each is answered with.
    """

    def __init__(self, answer: Streamed) -> None:
        chunks = [*map(chunk, answer.writes)]
        self.first = head(answer) + chunks[0]
        self.further = [*chunks[1:-1], chunks[-1] + END]
        self.streams: list[asyncio.Transport] = []
        self.sent = 0

    def go_on(self) -> None:
        for each in self.streams:
            each.write(self.further[self.sent])
        self.sent += 1
        if self.sent == len(self.further):
            self.sent = 0
            self.streams.clear()


class Member(Connection):
    """A connection whose stream goes on with the crowd's."""

    def __init__(self, service: Service, crowd: Crowd) -> None:
        super().__init__(self.answer, 0.0)
        self.of_all = service
        self.crowd = crowd

    def answer(self, path: bytes, body: bytes) -> bytes:
        if path == b"/next":
            self.crowd.go_on()
            return b""
        answer = self.of_all(path, body)
        if answer is self.crowd.first:
            self.crowd.streams.append(self.transport)
        return answer


async def main(connection: Callable[[], Connection]) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(connection, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def connecting(name: str, count: int, pace: str, latency: float) -> Callable[[], Connection]:
    answer = SERVICES[name](pieces(count))
    if pace == "step":
        crowd = Crowd(answer)
        stepped = service(name, answer, crowd.first)
        return lambda: Member(stepped, crowd)
    stream = at_once(answer, joined=pace == "joined")
    made = service(name, answer, stream)
    return lambda: Connection(made, latency)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=precise_loop) as runner:
        name, count, pace, *latency = sys.argv[1:]
        runner.run(main(connecting(name, int(count), pace, float(*latency))))
