"""A reply that the gateway streams from a model, beside the model's own stream.

All are read as raw bytes by the same client. Ours also stores the question before it asks, and the
answer when it is whole; the model's server does neither, and costs next to nothing.
"""

from __future__ import annotations

import itertools
import json
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from gateway_server import TOKEN
from harness import heading, line, server
from load import request
from streams import pieces

EVENTS = 200
FEW = 2
ROUNDS = 40
_END = b"\r\n0\r\n\r\n"
_numbers = itertools.count()


class Heard(NamedTuple):
    """Seconds until the first piece of the text, the last one, and the end of all."""

    first: float
    last: float
    end: float


class Way:
    """One way to the same answer: a connection, and what is asked on it."""

    def __init__(self, url: str, target: str, text: list[str]) -> None:
        host, port = urlsplit(url).netloc.split(":")
        self.connection = socket.create_connection((host, int(port)))
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.target = target
        self.first, self.last = (json.dumps(each)[1:-1].encode() for each in (text[0], text[-1]))

    def hear(self) -> Heard:
        asked = request("POST", self.target, _HEADERS, self._body())
        begun = time.perf_counter()
        self.connection.sendall(asked)
        heard, first, last = b"", 0.0, 0.0
        while not heard.endswith(_END):
            piece = self.connection.recv(1 << 16)
            assert piece, heard[-300:]
            heard += piece
            now = time.perf_counter() - begun
            first = first or (now if self.first in heard else 0.0)
            last = last or (now if self.last in heard else 0.0)
        assert heard.startswith(b"HTTP/1.1 200"), heard[:500]
        assert first, heard[:500]
        assert last, heard[-500:]
        return Heard(first, last, time.perf_counter() - begun)

    def _body(self) -> bytes:
        said = [{"role": "user", "content": "hello"}]
        if self.target.startswith("/v1/replies"):
            return json.dumps({"content": "hello"}).encode()
        body: dict[str, object] = {"messages": said, "stream": True}
        if self.target.startswith("/api/"):
            body |= {"chatId": f"new-{next(_numbers)}", "detail": False}
        return json.dumps(body).encode()


_HEADERS = {"authorization": f"Bearer {TOKEN}many", "accept": "text/event-stream"}
WAYS = {
    "upstream": "/v1/chat/completions",
    "natively": "/v1/replies",
    "in FastGPT's events": "/api/v1/chat/completions",
}


@contextmanager
def ways(events: int, latency: float) -> Iterator[dict[str, Way]]:
    """Each way to an answer of so many pieces, over connections that are open."""
    text = pieces(events)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        store = f"many=sqlite:///{Path(folder, 'chats.db').as_posix()}"
        model = stack.enter_context(server("stream_server.py", "openai", events, "each", latency))
        gateway = stack.enter_context(server("gateway_server.py", store, f"{model}/v1"))
        made = {
            name: Way(model if name == "upstream" else gateway, target, text)
            for name, target in WAYS.items()
        }
        for way in made.values():
            stack.enter_context(way.connection)
        yield made


def heard(events: int, latency: float = 0.0) -> dict[str, list[Heard]]:
    """Turn by turn, after a few that are not counted."""
    with ways(events, latency) as all_:
        for way in [*all_.values()] * 3:
            way.hear()
        rounds = [{name: way.hear() for name, way in all_.items()} for _ in range(ROUNDS)]
    return {name: [each[name] for each in rounds] for name in WAYS}


def measure_streams() -> None:
    heading("(j) a streamed reply, stored", beside="the model", ratio="more")
    few, many = heard(FEW), heard(EVENTS)
    for name in list(WAYS)[1:]:
        compare(f"first token, {name}", few[name], few["upstream"], 0)
        compare(f"the end of {EVENTS} events, {name}", many[name], many["upstream"], 2)
        ours, beside = (each_event(few[way], many[way]) for way in (name, "upstream"))
        line("  each event more", _us(ours), _us(beside), f"+{_us(ours - beside)}")


def compare(what: str, ours: list[Heard], beside: list[Heard], place: int) -> None:
    mine, other = (statistics.median(each[place] for each in side) for side in (ours, beside))
    line(what, _ms(mine), _ms(other), f"+{_ms(mine - other)}")


def each_event(few: list[Heard], many: list[Heard]) -> float:
    """Seconds that one event more takes until the last token is here."""
    short, long = (statistics.median(each.last for each in side) for side in (few, many))
    return (long - short) / (EVENTS - FEW)


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"


def _us(seconds: float) -> str:
    return f"{1e6 * seconds:.0f} us"
