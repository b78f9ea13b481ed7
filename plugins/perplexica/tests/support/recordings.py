"""The recorded traffic, and what it takes to play it to a store of either face.

A case is named ``<folder>/<name>`` as its file in `cassettes`. Each exchange of a case is carried
out by the operation of the store that makes such a request; a path that the adapter never makes is
put in by a `Detour` below the adapter.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import vcr
from tests.support.faces import PlainStore
from vcr.serialize import deserialize
from vcr.serializers import yamlserializer

import convostore
from convostore.adapters import AsyncTransport, Transport
from convostore.config import open_adapter

CASSETTES = Path(__file__).parents[1] / "cassettes"
CASES = sorted(
    file.relative_to(CASSETTES).with_suffix("").as_posix() for file in CASSETTES.glob("*/*.yaml")
)
TARGET = "perplexica+http://perplexica.invalid:3000"
# No TLS is spoken, and reading the trusted certificates anew for each test takes most of the time.
OPTIONS = {"retries": 0, "verify": False}
WAYS = ("get_conversation", "messages", "transcripts")

_LIST = "/api/chats"


@dataclass(frozen=True)
class Exchange:
    """One recorded request and its answer."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    status: int
    media_type: str
    location: str | None
    content: bytes

    @property
    def body(self):
        return json.loads(self.content)

    @property
    def conversation_id(self) -> str | None:
        """Whom it is about; None for the list."""
        segment = self.path.removeprefix(_LIST).strip("/")
        return unquote(segment) if segment else None

    @property
    def is_made_by_the_adapter(self) -> bool:
        if self.conversation_id is None:
            return self.method == "GET" and self.path == _LIST and not self.query
        own = f"{_LIST}/{quote(self.conversation_id, safe='')}"
        return self.path == own and not self.query


class Recorded:
    """Gives vcrpy the cassettes of one or several cases, joined by ``+``, and writes none."""

    @staticmethod
    def load_cassette(cassette_path, serializer):
        requests, responses = zip(*map(_loaded, cassette_path.split("+")), strict=True)
        return list(chain(*requests)), list(chain(*responses))

    @staticmethod
    def save_cassette(cassette_path, cassette_dict, serializer):
        raise AssertionError(f"a test was about to write the recording {cassette_path}")


@cache
def _loaded(case):
    text = (CASSETTES / f"{case}.yaml").read_text("utf-8")
    return deserialize(text, yamlserializer)


_recorder = vcr.VCR(record_mode="none", match_on=["method", "path"])
_recorder.register_persister(Recorded)


@contextmanager
def playing(*cases: str):
    """Answer the requests of the block from recordings, each exchange once and in its order."""
    with _recorder.use_cassette("+".join(cases)) as cassette:
        yield cassette
        assert cassette.all_played, f"not all of {cases} was asked for"


@cache
def exchanges_of(case: str) -> tuple[Exchange, ...]:
    return tuple(_exchange(*pair) for pair in zip(*_loaded(case), strict=True))


def _exchange(request, response) -> Exchange:
    url = urlsplit(request.uri)
    headers = {name: values[0] for name, values in response["headers"].items()}
    return Exchange(
        method=request.method,
        path=url.path,
        query=tuple(parse_qsl(url.query)),
        status=response["status"]["code"],
        media_type=headers.get("content-type", "").partition(";")[0],
        location=headers.get("location"),
        content=response["body"]["string"],
    )


class Detour(Transport):
    """Sends each request of the adapter to the path of a recorded one."""

    def __init__(self, inner, exchange: Exchange) -> None:
        self.inner = inner
        self.exchange = exchange

    def send(self, request):
        return self.inner.send(self._led_off(request))

    def _led_off(self, request):
        return replace(request, path=self.exchange.path, query=self.exchange.query)

    def close(self):
        self.inner.close()


class AsyncDetour(AsyncTransport):
    def __init__(self, inner, exchange: Exchange) -> None:
        self.inner = inner
        self.exchange = exchange

    async def send(self, request):
        return await self.inner.send(Detour._led_off(self, request))

    async def aclose(self):
        await self.inner.aclose()


def open_store(face, exchange: Exchange | None = None) -> PlainStore:
    """Open a store on a face; its requests go to the path of an exchange, where one is given."""
    if exchange is None:
        return PlainStore(face, TARGET, **OPTIONS)
    adapter = open_adapter(TARGET, **OPTIONS)
    transports = {
        "sync": lambda: Detour(adapter.transport(), exchange),
        "async": lambda: AsyncDetour(adapter.async_transport(), exchange),
    }
    return PlainStore(face, TARGET, transport=transports[face](), **OPTIONS)


def carried_out(store, exchange: Exchange, way: str = "transcripts"):
    """Call the operation that sends the exchange's request; return its result or error.

    Args:
        store: A `PlainStore`.
        exchange: What was recorded.
        way: By which of `WAYS` a conversation is read.
    """
    try:
        if exchange.method == "DELETE":
            return store.delete_conversation(exchange.conversation_id or "any")
        if exchange.conversation_id is None:
            return store.conversations()
        if way != "transcripts":
            return getattr(store, way)(exchange.conversation_id)
        (transcript,) = store.transcripts([exchange.conversation_id], on_error="yield")
        return transcript.error or transcript
    except convostore.StoreError as error:
        return error


def played(face, case: str) -> Iterator[tuple[Exchange, object]]:
    """Play a case to a store: each of its exchanges with what came of it, in order."""
    for *_, exchange, result in played_by([face], case, ("transcripts",)):
        yield exchange, result


def played_by(faces, case: str, ways: Sequence[str]) -> Iterator[tuple[str, str, Exchange, object]]:
    """Plays a case as often as there are faces and ways, and each time to its end.

    To begin with a cassette takes longer than to play it, so that it is done once for all.
    """
    exchanges = exchanges_of(case)
    follow_up = [case.replace("trailing_slash", "query_ignored")] if exchanges[0].location else []
    cases = [case, *follow_up]
    with playing(*cases * len(faces) * len(ways)) as cassette:
        length = len(cassette) // len(faces) // len(ways)
        for face in faces:
            with _opened(face, exchanges) as store:
                for way in ways:
                    end = cassette.play_count + length
                    for exchange in exchanges:
                        yield face, way, exchange, carried_out(store, exchange, way)
                    assert cassette.play_count == end, f"not all of {cases} was asked for"


def _opened(face, exchanges: Sequence[Exchange]):
    led_off = [each for each in exchanges if not each.is_made_by_the_adapter]
    return open_store(face, led_off[0] if led_off else None)
