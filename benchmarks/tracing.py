"""Trace five trips through the house: `tracing.py [--walk]`.

Nothing is timed. Each trip is made twice, and the second time every call of our own code is noted:
how many calls and functions, how many modules are entered and how often the walk changes from one
to another; then the same of rooms, the packages at the top. ``--walk`` prints the modules in their
order. Services answer over loopback, in a thread or a process that is not traced.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from harness import server
from readers import opened

import convostore
from convostore import Message, TextPart
from convostore.plugins import dialects
from convostore.testing.dialects import dialect_service
from convostore.testing.loopback import serve
from convostore_gateway import create_app

APP = "65f000000000000000000010"
EVENTS = 3


class Trip(NamedTuple):
    """What was entered on one trip.

    Attributes:
        rooms: The module of each step, in order; a step is a call, or a return from one.
        depth: The most of our own frames on the stack.
    """

    rooms: list[str]
    calls: int
    functions: int
    depth: int


class Tracer:
    """A profiler's hook that notes the steps of the code of this project."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.calls = self.depth = 0
        self.codes: set[Any] = set()
        self._stack: list[str | None] = []

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            room = _room(frame.f_code.co_filename)
            self._stack.append(room)
            if room is not None:
                self.calls += 1
                self.codes.add(frame.f_code)
                self.depth = max(self.depth, sum(each is not None for each in self._stack))
        elif event == "return" and self._stack:
            self._stack.pop()
        else:
            return
        room = next((each for each in reversed(self._stack) if each is not None), None)
        if room is not None:
            self.steps.append(room)

    def trip(self) -> Trip:
        return Trip(
            [room for room, _ in groupby(self.steps)], self.calls, len(self.codes), self.depth
        )


def _room(filename: str) -> str | None:
    """Return the dotted name of a module of ours; None for any other code."""
    _, found, rest = filename.rpartition("/src/convostore")
    if not found or filename.startswith("<"):
        return None
    return ("convostore" + rest).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def package(room: str) -> str:
    """Return the package that a module is in, or the module where it is in none."""
    return ".".join(room.split(".")[:2])


def traced(call: Callable[[], object]) -> Trip:
    tracer = Tracer()
    sys.setprofile(tracer)
    try:
        call()
    finally:
        sys.setprofile(None)
    return tracer.trip()


@contextmanager
def service(scheme: str) -> Iterator[tuple[str, str]]:
    """Serve an echoing store in a service's dialect; yield the URL, and the DSN of the store."""
    dialect = dialects()[0][scheme]()
    target = f"echo://{uuid.uuid4().hex}"
    with dialect_service(dialect, target) as handler, serve(handler) as url:
        yield url.removeprefix("http"), target


def said(text: str) -> Message:
    return Message(role="user", parts=(TextPart(text=text),))


def fill(target: str, conversation_id: str) -> None:
    with convostore.open(target) as store:
        store.create_conversation(id=conversation_id, title="Tides")
        store.append_messages(conversation_id, [said("one"), said("two")])


def list_messages(stack: ExitStack) -> Callable[[], object]:
    url, target = stack.enter_context(service("fastgpt"))
    fill(target, "a")
    dsn = f"fastgpt+http{url}?app_id={APP}"
    store = stack.enter_context(convostore.open(dsn, api_key="key"))
    return lambda: store.list_messages("a")


def stream_reply(stack: ExitStack) -> Callable[[], object]:
    url = stack.enter_context(server("stream_server.py", "perplexica C", EVENTS, "each"))
    store = stack.enter_context(convostore.open(**opened("perplexica C", url)))

    def call() -> None:
        with store.stream_reply(None, "When is high tide?") as stream:
            for _ in stream:
                pass

    return call


def append(stack: ExitStack) -> Callable[[], object]:
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    store = stack.enter_context(convostore.open(f"sqlite:///{Path(folder) / 'a.db'}"))
    store.create_conversation(id="a")
    return lambda: store.append_messages("a", [said(uuid.uuid4().hex)])


def mirror(stack: ExitStack) -> Callable[[], object]:
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    copies = stack.enter_context(convostore.open(f"sqlite:///{Path(folder) / 'a.db'}"))
    sources = []
    for _ in range(2):
        target = f"memory://{uuid.uuid4().hex}"
        fill(target, "a")
        sources.append(stack.enter_context(convostore.open(target)))
    return lambda: convostore.mirror(sources.pop(), copies)


def served_chat(stack: ExitStack) -> Callable[[], object]:
    target = f"memory://{uuid.uuid4().hex}"
    fill(target, "a")
    runner = stack.enter_context(asyncio.Runner())
    store = convostore.aopen(target)
    stack.callback(lambda: runner.run(store.aclose()))
    app = create_app(store, open_access=True)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/api/chats/a",
        "raw_path": b"/api/chats/a",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        assert message.get("status", 200) == 200

    return lambda: runner.run(app(dict(scope), receive, send))


TRIPS: dict[str, Callable[[ExitStack], Callable[[], object]]] = {
    "(a) list_messages on fastgpt": list_messages,
    "(b) stream_reply on perplexica": stream_reply,
    "(c) append_messages on sqlite": append,
    "(d) mirror of one conversation": mirror,
    "(e) GET /api/chats/{id} of the gateway": served_chat,
}


def main() -> None:
    heads = {"calls": 7, "functions": 11, "modules": 9, "changes": 9, "rooms": 7, "changes ": 10}
    print(" " * 40 + "".join(f"{head:>{width}}" for head, width in heads.items()) + "  depth")
    for name, prepare in TRIPS.items():
        with ExitStack() as stack:
            call = prepare(stack)
            call()  # what is loaded or looked up once is no part of the trip
            trip = traced(call)
        packages = [room for room, _ in groupby(map(package, trip.rooms))]
        figures = (
            trip.calls,
            trip.functions,
            len(set(trip.rooms)),
            len(trip.rooms) - 1,
            len(set(packages)),
            len(packages) - 1,
        )
        columns = zip(figures, heads.values(), strict=True)
        print(
            f"{name:40}"
            + "".join(f"{figure:>{width}}" for figure, width in columns)
            + f"{trip.depth:>7}"
        )
        if "--walk" in sys.argv:
            print("  " + " > ".join(trip.rooms))


if __name__ == "__main__":
    main()
