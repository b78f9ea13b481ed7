"""A reply's events as server-sent events: what the adapter's decoder reads."""

from __future__ import annotations

from typing import Final

from convostore.codec import dump, to_json
from convostore.dialect import ReplyEncoder
from convostore.errors import StoreError
from convostore.events import ReplyEvent

from ..problems import problem_json, problem_of

HEADERS: Final = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",  # proxies would hold the events back
}


class NativeEncoder(ReplyEncoder):
    """``event: <kind>`` and ``data: <the event>``; a failure is the event ``error``."""

    def feed(self, event: ReplyEvent) -> bytes:
        return _event(event.kind, to_json(dump(event)))

    def failed(self, error: StoreError) -> bytes:
        return _event("error", problem_json(problem_of(error)))

    def idle(self) -> bytes:
        return b": going on\n\n"


def _event(name: str, data: str) -> bytes:
    return f"event: {name}\ndata: {data}\n\n".encode("ascii")
