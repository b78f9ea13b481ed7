"""A model's server as tests want it, and stores that it answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager

from convostore.http import Request, Response
from convostore.testing import Prompts
from convostore.testing.loopback import serve
from convostore.testing.wire_faults.server import Fault
from convostore_openai import aopen_answered, open_answered

from .faces import PlainStore

EVENTS = {"content-type": "text/event-stream; charset=utf-8"}
JSON_TYPE = {"content-type": "application/json"}
KEY = "sk-sesame-4711-sesame"
PROMPTS = Prompts(thinking="think of a tide", failing="fail", options={"model": "parrot"})
DONE = b"data: [DONE]\n\n"
PIECE = 7


def event(body: object) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def chunk(delta: object, finish_reason: str | None = None, **rest: object) -> bytes:
    """One chunk of a streamed completion."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return event(
        {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "parrot-2"}
        | {"choices": [choice]}
        | rest
    )


def says(text: str) -> list[bytes]:
    return [chunk({"content": text[at : at + PIECE]}) for at in range(0, len(text), PIECE)]


def usage(asked: int, answered: int) -> bytes:
    told = {"prompt_tokens": asked, "completion_tokens": answered}
    return event({"id": "chatcmpl-1", "choices": [], "usage": told})


STOP = chunk({}, "stop")


def streamed(frames: Iterable[bytes]) -> Response:
    return Response(200, EVENTS, b"".join(frames))


def streaming(chunks: Sequence[bytes], then: str = "end") -> Fault:
    """A stream whose pieces each stand in a frame of HTTP; `then` as in `Fault`, or ``end``."""
    sent = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    sent += b"".join([b"%x\r\n%s\r\n" % (len(each), each) for each in chunks if each])
    if then == "end":
        return Fault("whole", sent + b"0\r\n\r\n", "keep")
    return Fault(then, sent, then)


def refusal(status: int, body: object, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, JSON_TYPE | named, json.dumps(body).encode())


def parrot(request: Request) -> Response:
    """Says again what it was told last; it thinks and fails when it is told to."""
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    said = request.json["messages"][-1]["content"]
    text = said if isinstance(said, str) else said[0]["text"]
    if text == "fail":
        return streamed([*says("You said"), event({"error": {"message": "the parrot is dead"}})])
    thoughts = [chunk({"reasoning_content": each}) for each in ("What ", "was it?")]
    thinks = thoughts if text.startswith("think") else []
    role = chunk({"role": "assistant", "content": ""})
    return streamed([role, *thinks, *says(f"You said: {text}"), STOP, usage(3, 5), DONE])


class Model:
    """A model's server; what it was asked is kept.

    Attributes:
        url: Its base address, while it runs.
        answer: How it answers; may be set anew while it runs.
        asked: The bodies of the requests.
        headers: Their headers.
        paths: Their paths and queries.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Makes it as it was in the beginning."""
        self.answer: Callable[[Request], object] = parrot
        self.asked: list[dict] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[tuple[str, tuple]] = []

    def __call__(self, request: Request) -> object:
        self.asked.append(request.json)
        self.headers.append(dict(request.headers))
        self.paths.append((request.path, request.query))
        return self.answer(request)

    def answers(self, answer: object) -> None:
        self.answer = lambda _: answer

    @contextmanager
    def serving(self):
        self.server = serve(self)
        with self.server as url:
            self.url = f"{url}/v1"
            yield self
        assert self.server.errors == []


OPENERS = {"sync": open_answered, "async": aopen_answered}


def open_plain(face, target: object, url: str, **options: object) -> PlainStore:
    """Open a store on a face that a model answers."""
    return PlainStore(face, OPENERS[face](target, url, **{"model": "parrot"} | options))
