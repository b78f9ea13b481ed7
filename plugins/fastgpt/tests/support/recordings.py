"""The recorded traffic, and what it takes to play it to a store of either face.

A case is named ``<version>/<name>`` as its file in `cassettes`, an exchange by its case and place.
The store asks in a rhythm of its own, so `Replay` serves what an answer holds in whatever windows
are asked for; a request that equals a recorded one is played by `playing`, byte by byte.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import vcr
from tests.support.faces import PlainStore
from vcr.serialize import deserialize
from vcr.serializers import yamlserializer

import convostore
from convostore.adapters import AsyncTransport, Transport
from convostore.config import open_adapter
from convostore.http import Request, Response

CASSETTES = Path(__file__).parents[1] / "cassettes"
PORTS = {"v4.16.0": 3456, "v4.9.14": 3457}
VERSIONS = tuple(PORTS)
CASES = sorted(
    file.relative_to(CASSETTES).with_suffix("").as_posix() for file in CASSETTES.glob("*/*.yaml")
)
APP = "65f000000000000000000010"
KEY = "fastgpt-a-key"

_CHAT = "/api/core/chat/"
_ABSENT = {
    "v4.16.0": ("item/delete", "getRecords_v2"),
    "v4.9.14": ("history/", "record/"),
}
_LISTS = ("getHistories", "getPaginationRecords")
_OWN: dict[str, tuple[str, str, list[set[str]]]] = {
    "getHistories": ("POST", "POST", [set(), {"source"}]),
    "getPaginationRecords": ("POST", "POST", [{"chatId", "loadCustomFeedbacks"}]),
    "updateHistory": ("PUT", "POST", [{"chatId", "customTitle"}, {"chatId", "top"}]),
    "delHistory": ("DELETE", "DELETE", [{"chatId"}]),
    "clearHistories": ("DELETE", "DELETE", [set()]),
    "updateUserFeedback": (
        "POST",
        "POST",
        [
            {"chatId", "dataId"},
            {"chatId", "dataId", "userGoodFeedback"},
            {"chatId", "dataId", "userBadFeedback"},
        ],
    ),
    "getResData": ("GET", "GET", [{"chatId", "dataId"}]),
}
"""What the mapping says that the adapter sends: methods, new and old, and fields beside whose."""
KINDS = {
    "getHistories": "getHistories",
    "getPaginationRecords": "getPaginationRecords",
    "updateHistory": "updateHistory",
    "delHistory": "delHistory",
    "clearHistories": "clearHistories",
    "getHistoryStatus": "getHistoryStatus",
    "updateUserFeedback": "updateUserFeedback",
    "getResData": "getResData",
    "delete": "record/delete",
}


def kind_of(path: str) -> str | None:
    """Return what a path of either generation does; None for what no history needs."""
    return KINDS.get(path.rpartition("/")[2]) if path.startswith(_CHAT) else None


@dataclass(frozen=True)
class Exchange:
    """One recorded request and its answer."""

    case: str
    place: int
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    json: Any
    key: str | None
    status: int
    media_type: str
    content: bytes

    def __str__(self) -> str:
        return f"{self.case}#{self.place}"

    @property
    def version(self) -> str:
        return self.case.partition("/")[0]

    @property
    def kind(self) -> str | None:
        return kind_of(self.path)

    @property
    def params(self) -> dict[str, Any]:
        """What was asked for, in the query and in the body."""
        return dict(self.query) | (self.json if isinstance(self.json, dict) else {})

    @cached_property
    def body(self) -> Any:
        return json.loads(self.content)

    @property
    def request(self) -> Request:
        return Request(self.method, self.path, query=self.query, json=self.json)

    @property
    def response(self) -> Response:
        return Response(self.status, {"content-type": self.media_type}, self.content)

    @property
    def is_made_by_the_adapter(self) -> bool:
        """Whether the mapping has this very request, for a list that of its first page.

        The paths that the version lacks are not among them, nor the old ones of one that has both;
        nor what is asked with a share link, before which its spelling is found out.
        """
        params, old = self.params, self.version == "v4.9.14"
        new_method, old_method, alternatives = _OWN.get(self.kind or "", ("", "", []))
        others = [{"appId"} | alternative for alternative in alternatives]
        moved = self.path.removeprefix(_CHAT).startswith(("history/", "record/"))
        return (
            bool(self.key)
            and self.method == (old_method if old else new_method)
            and (moved != old or self.kind == "updateUserFeedback")
            and set(params) - {"offset", "pageSize"} in others
            and (params.get("offset") == 0) == (self.kind in _LISTS)
            and params.get("pageSize") != 0
            and None not in params.values()
            and "" not in (params.get("chatId"), params.get("userGoodFeedback"))
        )

    @property
    def rows(self) -> list[Any]:
        """The conversations or records that it holds; none when it is a refusal."""
        return self.body["data"]["list"] if self.status == 200 and self.kind in _LISTS else []


class Recorded:
    """Gives vcrpy the exchanges of one case that were named to `playing`, and writes none."""

    @staticmethod
    def load_cassette(cassette_path, serializer):
        case, _, places = cassette_path.partition("#")
        requests, responses = _loaded(case)
        chosen = [int(place) for place in places.split(",")]
        return [requests[place] for place in chosen], [responses[place] for place in chosen]

    @staticmethod
    def save_cassette(cassette_path, cassette_dict, serializer):
        raise AssertionError(f"a test was about to write the recording {cassette_path}")


@cache
def _loaded(case):
    text = (CASSETTES / f"{case}.yaml").read_text("utf-8")
    return deserialize(text, yamlserializer)


def _exchange(case: str, place: int, request, response) -> Exchange:
    url = urlsplit(request.uri)
    headers = {name.lower(): values[0] for name, values in response["headers"].items()}
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return Exchange(
        case=case,
        place=place,
        method=request.method,
        path=url.path,
        query=tuple(parse_qsl(url.query)),
        json=_decoded(request.body),
        key=key or scheme or None,
        status=response["status"]["code"],
        media_type=headers.get("content-type", "").partition(";")[0],
        content=response["body"]["string"],
    )


def _decoded(body: bytes | None) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body


@cache
def exchanges_of(case: str) -> tuple[Exchange, ...]:
    pairs = zip(*_loaded(case), strict=True)
    return tuple([_exchange(case, place, *pair) for place, pair in enumerate(pairs)])


@cache
def all_exchanges() -> tuple[Exchange, ...]:
    return tuple([item for case in CASES for item in exchanges_of(case)])


def exchange_of(name: str) -> Exchange:
    """Return the exchange of a name, that is its case, ``#`` and its place."""
    case, _, place = name.partition("#")
    return exchanges_of(case)[int(place)]


def _same_content(first, second) -> bool:
    """Return whether both hold the same JSON, and show the same key."""
    return _decoded(first.body) == _decoded(second.body) and (
        first.headers.get("Authorization") == second.headers.get("Authorization")
    )


_recorder = vcr.VCR(
    record_mode="none",
    match_on=["method", "scheme", "host", "port", "path", "query", "content"],
)
_recorder.register_matcher("content", _same_content)
_recorder.register_persister(Recorded)


@contextmanager
def playing(*exchanges: Exchange):
    """Answer the requests of the block from one case's exchanges, each once and in its order."""
    (case,) = {exchange.case for exchange in exchanges}
    places = ",".join(str(exchange.place) for exchange in exchanges)
    with _recorder.use_cassette(f"{case}#{places}") as cassette:
        yield cassette
        assert cassette.all_played, f"not all of {list(map(str, exchanges))} was asked for"


def lacks(version: str, path: str) -> bool:
    """Return whether a version has no such path, and so answers with a page."""
    return path.removeprefix(_CHAT).startswith(_ABSENT[version])


def turned_away(version: str, request: Request) -> Response | None:
    """Return what a version answers to a path or a spelling that it does not know; else None."""
    if lacks(version, request.path):
        return exchange_of(f"{version}/unknown_route#1").response
    body = request.json if isinstance(request.json, dict) else {}
    name = None
    if version == "v4.9.14" and "outLinkAuthData" in body:
        # A field that it does not know: to a request that names no app, lists are empty.
        unnamed = {
            "getHistories": "history_getHistories#17",
            "getPaginationRecords": "record_getPaginationRecords#15",
        }
        name = unnamed.get(kind_of(request.path) or "", "history_getHistories#18")
    elif version == "v4.16.0" and "outLinkAuthData" in body and "appId" in body:
        name = "share_outlink#2"
    elif version == "v4.16.0" and "shareId" in body:
        name = "share_outlink#1"
    return exchange_of(f"{version}/{name}").response if name else None


def answer_of(data: Any) -> Response:
    content = {"code": 200, "statusText": "", "message": "", "data": data}
    return Response(200, {"content-type": "application/json"}, json.dumps(content).encode())


def standing_for(rows: list[Any]) -> list[Any]:
    """Return conversations of which only the ids and times are of use."""
    return [{"title": "", "customTitle": "", "top": False, "appId": APP} | row for row in rows]


@dataclass
class Replay:
    """A service of one version that holds what was recorded, and serves any window of it.

    Attributes:
        held: By kind, an exchange whose answer is given as it stands, or the rows of a list.
        asked: The requests that it was asked, but for those that the version does not know.
    """

    version: str
    held: dict[str, Exchange | list[Any]]
    asked: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Response:
        if (refusal := turned_away(self.version, request)) is not None:
            return refusal
        self.asked.append(request)
        kind = kind_of(request.path)
        if kind == "getHistoryStatus" and kind not in self.held:
            return self._statuses(request.json)
        held = self.held[kind or request.path]
        if isinstance(held, Exchange):
            return held.response
        if kind == "getHistories":
            return self._conversations(held, request.json)
        return self._records(held, request.json)

    def _statuses(self, wanted: Any) -> Response:
        rows = self.held["getHistories"]
        assert isinstance(rows, list)
        matching = [row for row in rows if row["chatId"] in wanted["chatIds"]]
        return answer_of({"list": matching})

    def _conversations(self, rows: list[Any], wanted: Any) -> Response:
        """Contract, 4: sorted as recorded; the times of update bound it where they are given."""
        start, end = wanted.get("startUpdateTime", ""), wanted.get("endUpdateTime", "9")
        within = [row for row in rows if start <= row["updateTime"] <= end]
        offset, size = _window(wanted)
        return answer_of({"list": within[offset : offset + size], "total": len(within)})

    def _records(self, rows: list[Any], wanted: Any) -> Response:
        """Contract, 5: the offset counts from the newest, a page is oldest first."""
        offset, size = _window(wanted)
        window = rows[::-1][offset : offset + size][::-1]
        return answer_of({"list": window, "total": len(rows)})


def _window(wanted: Any) -> tuple[int, int]:
    """Contract, 8: numbers are sent as numbers, and nothing is null."""
    offset, size = wanted["offset"], wanted["pageSize"]
    assert type(offset) is int
    assert type(size) is int
    assert size > 0
    assert None not in wanted.values()
    return offset, size


Answer = Callable[[Request], Response]


class Gate(Transport):
    """Lets through to the adapter's own transport what the version knows."""

    def __init__(self, inner, version: str) -> None:
        self.inner = inner
        self.version = version

    def send(self, request):
        return turned_away(self.version, request) or self.inner.send(request)

    def close(self):
        self.inner.close()


class AsyncGate(AsyncTransport):
    def __init__(self, inner, version: str) -> None:
        self.inner = inner
        self.version = version

    async def send(self, request):
        return turned_away(self.version, request) or await self.inner.send(request)

    async def aclose(self):
        await self.inner.aclose()


def target_of(version: str) -> str:
    return f"fastgpt+http://127.0.0.1:{PORTS[version]}"


def options_of(options: dict[str, Any]) -> dict[str, Any]:
    """Return what each store of these tests is opened with; a share link takes no key."""
    # No TLS is spoken, and reading the trusted certificates anew for each test takes most time.
    common = {"retries": 0, "verify": False}
    if "share_id" in options:
        return common | options
    return common | {"app_id": APP, "api_key": KEY} | options


def open_over(face, version: str, answer: Answer, **options: Any) -> PlainStore:
    """Open a store whose requests a function answers."""
    return PlainStore(face, target_of(version), service=answer, **options_of(options))


def open_gated(face, version: str, **options: Any) -> PlainStore:
    """Open a store whose requests go to the version's own address; see `playing`."""
    options = options_of(options)
    adapter = open_adapter(target_of(version), **options)
    transports = {
        "sync": lambda: Gate(adapter.transport(), version),
        "async": lambda: AsyncGate(adapter.async_transport(), version),
    }
    return PlainStore(face, target_of(version), transport=transports[face](), **options)


def scope_of(exchange):
    """Return the options that its request was made with."""
    link = exchange.params.get("outLinkAuthData", exchange.params)
    if "shareId" in link:
        app = {"app_id": APP} if exchange.version == "v4.9.14" else {}
        return {"share_id": link["shareId"], "outlink_uid": link["outLinkUid"], **app}
    return {"app_id": exchange.params.get("appId") or APP, "api_key": exchange.key or "none"}


def replay_of(exchange):
    """Return a service that holds what the exchange's answer holds, or refuses as it refuses."""
    data = exchange.body["data"] if exchange.status == 200 else None
    held = {exchange.kind: exchange}
    if data is not None and exchange.kind == "getHistories":
        held = {"getHistories": exchange.rows}
    elif data is not None and exchange.kind == "getPaginationRecords":
        chat = {"chatId": exchange.params.get("chatId", "any"), "updateTime": "2026-11-20"}
        there = standing_for([chat]) if data["total"] else []
        held = {"getPaginationRecords": exchange.rows, "getHistories": there}
    elif data is not None and exchange.kind == "getHistoryStatus":
        held["getHistories"] = standing_for(data["list"])
    held.setdefault("getHistories", [])  # by which a share link's spelling is found out
    return Replay(exchange.version, held)


def outcome(store, operation: str, *args: Any, **kwargs: Any) -> Any:
    """Return the result of an operation, or the error it ended in."""
    try:
        return getattr(store, operation)(*args, **kwargs)
    except convostore.StoreError as error:
        return error
