"""Recorded requests asked of the dialect, over a store that was filled from recorded answers.

Each answer is compared with the real one field by field. `DIFFERENCES` is all that may differ; what
stands there and never happens is an error as well.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from tests.support.cases import for_each

import convostore
from convostore.dialects import AbsentScopeError, IncomingRequest, StreamedResponse, run_dialect
from convostore.errors import AuthError, ForbiddenError, StoreError
from convostore.http import Response
from convostore_fastgpt.server.dialect import FastGPTDialect

from ..support.recordings import (
    CASES,
    VERSIONS,
    Exchange,
    Replay,
    exchange_of,
    exchanges_of,
    open_over,
)

REFERENCE = Path(__file__).parents[4] / "docs" / "reference" / "dialects.md"
NOT_THERE = object()
BOTH = VERSIONS
OLD, NEW = "v4.9.14", "v4.16.0"


@dataclass(frozen=True)
class Difference:
    """What may differ: a place of an answer, in whichever versions, and why.

    A ``*`` at its end stands for all that is within.

    Attributes:
        of_copies: Whether it is of copies with `raw`, too, and not only of those without.
    """

    place: str
    why: str
    versions: tuple[str, ...] = BOTH
    of_copies: bool = True


def without_raw(place: str, why: str, versions: tuple[str, ...] = BOTH) -> Difference:
    return Difference(place, why, versions, of_copies=False)


RECORD = "data.list[]"
DIFFERENCES = [
    # The envelope
    Difference(
        "status", "up to 4.14.10 every refusal came with HTTP 500; here as from 4.14.11 on", (OLD,)
    ),
    Difference(
        "statusText", "up to 4.13.1 the name of an unnamed error was empty; here 'error'", (OLD,)
    ),
    Difference(
        "message", "parameters are checked as from 4.14.5 on; before, handlers threw texts", (OLD,)
    ),
    Difference("code", "the same: 400 instead of a thrown text or silent acceptance", (OLD,)),
    Difference("zodError", "the same: the fields that were refused", (OLD,)),
    Difference("errorType", "only the newer versions report that an error is the user's", (OLD,)),
    # Conversations
    without_raw(
        f"{RECORD}.customTitle", "a store has one title, which is both title and customTitle"
    ),
    without_raw(f"{RECORD}.title", "a store has one title: the one set by hand, if there is one"),
    Difference(f"{RECORD}.chatGenerateStatus", "from 4.14.11 on", (OLD,)),
    Difference(
        f"{RECORD}.hasBeenRead", "a store does not keep what was read: everything counts as read"
    ),
    # Records
    without_raw(f"{RECORD}.durationSeconds", "the schema does not keep how long an answer took"),
    without_raw(
        f"{RECORD}.adminFeedback", "the schema keeps the users' feedback, not the operators'"
    ),
    without_raw(f"{RECORD}.customFeedbacks[]", "custom feedback of a flow is not kept"),
    without_raw(f"{RECORD}.llmModuleAccount", "deprecated since 4.14.9"),
    without_raw(f"{RECORD}.historyPreviewLength", "gone since 4.14", (OLD,)),
    without_raw(f"{RECORD}.useAgentSandbox", "since 4.14.9, and here with every answer"),
    without_raw(f"{RECORD}.totalQuoteList", "here with every answer", (NEW,)),
    without_raw(f"{RECORD}.hideInUI", "the schema does not keep that a record is hidden"),
    without_raw(f"{RECORD}.errorMsg", "the schema keeps that an answer failed, not why"),
    without_raw(f"{RECORD}.errorText", "the same", (NEW,)),
    Difference(
        f"{RECORD}.userGoodFeedback", "a store keeps one thumb: the bad one if both are set"
    ),
    Difference(f"{RECORD}.userBadFeedback", "an empty feedback does not count"),
    without_raw(f"{RECORD}.totalQuoteList[].chunkIndex", "not in the schema"),
    without_raw(f"{RECORD}.totalQuoteList[].datasetId", "not in the schema"),
    without_raw(f"{RECORD}.totalQuoteList[].collectionId", "not in the schema"),
    without_raw(f"{RECORD}.totalQuoteList[].sourceId", "only addresses are kept"),
    without_raw(
        f"{RECORD}.totalQuoteList[].score[]", "only the first of several scores is kept", (NEW,)
    ),
    without_raw(f"{RECORD}.totalQuoteList[].q", "question and answer are one passage", (OLD,)),
    without_raw(f"{RECORD}.totalQuoteList[].a", "question and answer are one passage", (OLD,)),
    without_raw(f"{RECORD}.value[].tools[].toolAvatar", "the schema keeps no pictures of tools"),
    without_raw(
        f"{RECORD}.value[].tools[].functionName", "a tool has one name, the one that is shown"
    ),
    without_raw(
        f"{RECORD}.value[].interactive.entryNodeIds",
        "how a flow continues is internal to the service",
    ),
    without_raw(
        f"{RECORD}.value[].interactive.memoryEdges",
        "how a flow continues is internal to the service",
    ),
    without_raw(
        f"{RECORD}.value[].interactive.nodeOutputs",
        "how a flow continues is internal to the service",
    ),
    # One conversation and its app
    Difference(
        "data.app.chatConfig.*", "a store has no app: this one has neither greeting nor fields"
    ),
    Difference("data.app.chatModels[]", "a store has no app"),
    Difference("data.app.name", "a store has no app"),
    Difference("data.title", "absent in an unknown conversation before 4.15; here empty", (OLD,)),
    Difference("data.chatGenerateStatus", "from 4.14.11 on", (OLD,)),
    Difference("data.hasBeenRead", "from 4.14.11 on", (OLD,)),
    # What a store does not have
    Difference("data[]", "nodes of runs and suggestions come only from stores that have them"),
]


@dataclass(frozen=True)
class Otherwise:
    """Requests that are answered otherwise on the whole, and why."""

    exchanges: tuple[str, ...]
    why: str


def each_of(version: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{version}/{name}" for name in names)


OTHERWISE = [
    Otherwise(
        each_of(NEW, "history_getHistories#12"),
        "the source 'team', removed in 4.15, is still accepted: its list is empty",
    ),
    Otherwise(
        each_of(NEW, "history_updateHistory#10") + each_of(OLD, "history_updateHistory#10"),
        "an update moves no conversation to the top, where the service puts it",
    ),
    Otherwise(
        each_of(NEW, "history_status_and_read#0", "history_status_and_read#2"),
        "what the service does between two recordings, such as marking as read, changes no time",
    ),
    Otherwise(
        each_of(NEW, "history_status_and_read#3"),
        "there is no path that stops an answer under way",
    ),
    Otherwise(
        each_of(NEW, "record_getRecords_v2#0", "record_getRecords_v2#2", "record_getRecords_v2#4"),
        "items of value have no type; old records had one if it was stored",
    ),
    Otherwise(each_of(NEW, "record_getRecords_v2#9"), "deletes are permanent"),
    Otherwise(each_of(NEW, "chat_init#0"), "it was renamed between the two recordings"),
    Otherwise(
        each_of(NEW, "createQuestionGuide_v2#4") + each_of(OLD, "createQuestionGuide_v2#4"),
        "a store suggests only for its own conversations, not for messages in the request",
    ),
    Otherwise(
        each_of(
            OLD,
            "history_getHistories#16",
            "record_getPaginationRecords#12",
            "record_delete#5",
        ),
        "the paths of both generations are there",
    ),
    Otherwise(
        each_of(OLD, "record_delete#6"),
        "ids came only from the query, one by one; here also from the body, and several",
    ),
    Otherwise(
        each_of(
            OLD,
            "history_getHistories#15",
            "history_getHistories#17",
            "history_getHistories#26",
            "record_getPaginationRecords#11",
            "record_getPaginationRecords#15",
            "record_getResData#5",
            "chat_init#2",
            "chat_init#3",
            "completions_errors#9",
            "completions_errors#15",
            "completions_errors#18",
            "completions_errors#19",
        ),
        "parameters are checked as from 4.14.11 on",
    ),
    Otherwise(
        each_of(
            OLD,
            "history_getHistories#20",
            "history_getHistories#21",
            "history_getHistories#22",
            "completions_errors#2",
            "completions_errors#3",
            "completions_errors#12",
            "completions_errors#13",
            "completions_errors#14",
        ),
        "an app that the key may not use is refused, as from 4.15 on",
    ),
]


# The store, filled from recorded answers by the adapter


@dataclass(frozen=True)
class Held:
    """Of which recorded answers a store is filled: a list, and the records of one conversation."""

    histories: str
    records: str | None = None
    chat_id: str = "seed-1"


SEEDED = Held("history_getHistories#8", "record_getPaginationRecords#0")


def bare(value: Any) -> Any:
    """Return a value as it is where a copy keeps no `raw`."""
    return value.model_copy(update={"raw": None})


def filled(version: str, held: Held, kept: Callable[[Any], Any]) -> str:
    """Return the address of a store with what a version held."""
    histories = exchange_of(f"{version}/{held.histories}").rows
    records = exchange_of(f"{version}/{held.records}").rows if held.records else []
    replay = Replay(version, {"getHistories": histories, "getPaginationRecords": records})
    target = f"memory://{uuid.uuid4().hex}"
    with open_over("sync", version, replay, source="all") as face, convostore.open(target) as store:
        for conversation in map(kept, face.conversations()):
            store.put_conversation(conversation)
            if conversation.id == held.chat_id and records:
                messages = [kept(each) for each in face.messages(conversation.id)]
                store.append_messages(conversation.id, messages)
                store.put_conversation(conversation)  # to append has moved its time
    return target


# What is replayed


@dataclass(frozen=True)
class Scene:
    """A recorded case on a store: its requests are asked in turn, but for those left out."""

    case: str
    held: Held = SEEDED
    without: tuple[str, ...] = ()

    def exchanges(self, version: str) -> list[Exchange]:
        case = f"{version}/{self.case}"
        return [
            item
            for item in (exchanges_of(case) if case in CASES else ())
            if not any(self._is_left_out(item, what) for what in self.without)
            and "outLinkAuthData" not in item.params
            and "shareId" not in item.params
        ]

    @staticmethod
    def _is_left_out(exchange: Exchange, what: str) -> bool:
        answered_lists = exchange.kind == "getHistories" and exchange.status == 200
        source = exchange.params.get("source")
        return {
            "lists": answered_lists,
            "sources": answered_lists and source is not None,
            "no source": answered_lists and source != "api",
            "times": "startCreateTime" in exchange.params,
            "other apps": exchange.params.get("appId") == "65f000000000000000000018",
            "item/delete": exchange.path.endswith("item/delete"),
            "empty ids": str(exchange) == "v4.16.0/chat_init#3",
            "OPTIONS": exchange.method == "OPTIONS",
        }[what]


SCENES = [
    # Times of creation are told by no version: what was made when, the store cannot know.
    Scene("history_getHistories", without=("sources", "times")),
    Scene("history_getHistories", Held("history_getHistories#0"), without=("no source", "times")),
    Scene("history_updateHistory", Held("history_getHistories#0")),
    # What stood behind the first five was not recorded.
    Scene("history_delete", without=("lists",)),
    Scene("history_status_and_read"),
    Scene("record_getPaginationRecords"),
    # From 4.14.11 on the path is gone; here it is kept for older clients.
    Scene("record_delete", without=("item/delete",)),
    Scene("record_getResData"),
    Scene("record_getRecords_v2"),
    Scene("feedback_updateUserFeedback"),
    # What is recorded of a query leaves out what is empty.
    Scene("chat_init", without=("other apps", "empty ids")),
    Scene("createQuestionGuide_v2"),
    Scene("unknown_route", without=("OPTIONS",)),
    Scene("completions_errors"),
]


def refused_at_the_gate(exchange: Exchange) -> StoreError | None:
    """Return what a gateway raises before it calls the dialect, for unknown keys and apps."""
    key, app_id = exchange.key, exchange.params.get("appId")
    if key is None:
        return AuthError("a token is needed")
    if key.endswith("nope"):
        return AuthError("the token is not one that is accepted")
    if "member" in key or app_id == "65f00000000000000000001f":
        return ForbiddenError("this token does not reach it")
    if app_id == "65f000000000000000000999":
        return AbsentScopeError("it is not served")
    return None


def make_request(exchange: Exchange) -> IncomingRequest:
    body = exchange.json
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return IncomingRequest(
        method=exchange.method,
        path=exchange.path,
        query=exchange.query,
        headers={"authorization": f"Bearer {exchange.key}"} if exchange.key else {},
        content=b"" if body is None else content,
    )


async def answer(store: Any, exchange: Exchange) -> Response:
    dialect, request = FastGPTDialect(), make_request(exchange)
    refusal = refused_at_the_gate(exchange)
    if refusal is not None:
        return dialect.failed(request, refusal)
    try:
        given = await run_dialect(dialect, request, store)
        assert not isinstance(given, StreamedResponse)
    except StoreError as error:
        return dialect.failed(request, error)
    return given


def replayed(
    version: str, scene: Scene, kept: Callable[[Any], Any]
) -> list[tuple[Exchange, Response]]:
    target = filled(version, scene.held, kept)

    async def replay() -> list[tuple[Exchange, Response]]:
        async with convostore.aopen(target) as store:
            return [
                (exchange, await answer(store, exchange)) for exchange in scene.exchanges(version)
            ]

    return asyncio.run(replay())


# What differs


def differing(recorded: Any, ours: Any, place: str = "") -> Iterator[str]:
    """Yield the places at which two answers differ; all items of a list are one place."""
    if isinstance(recorded, dict) and isinstance(ours, dict):
        for name in recorded.keys() | ours.keys():
            inner = f"{place}.{name}" if place else name
            yield from differing(recorded.get(name, NOT_THERE), ours.get(name, NOT_THERE), inner)
    elif isinstance(recorded, list) and isinstance(ours, list):
        for number in range(max(len(recorded), len(ours))):
            pair = [item[number] if number < len(item) else NOT_THERE for item in (recorded, ours)]
            yield from differing(*pair, f"{place}[]")
    elif recorded != ours or type(recorded) is not type(ours):
        yield place


def compared(exchange: Exchange, response: Response) -> Iterator[str]:
    if exchange.status != response.status:
        yield "status"
    if (exchange.media_type or "text/plain") != (response.media_type or "text/plain"):
        yield "media type"
    elif exchange.media_type == "application/json":
        yield from differing(exchange.body, json.loads(response.content))
    elif (
        exchange.media_type != "text/html" and exchange.content.strip() != response.content.strip()
    ):
        yield "content"


def found(version: str, scene: Scene, kept: Callable[[Any], Any]) -> dict[str, list[str]]:
    """By exchange, what differs."""
    return {
        str(exchange): [*compared(exchange, response)]
        for exchange, response in replayed(version, scene, kept)
    }


def whole(value: Any) -> Any:
    """Return a value as it is copied."""
    return value


COPIES = {"with raw": whole, "without raw": bare}


def allowed(version: str, copy: str) -> list[str]:
    return [
        difference.place
        for difference in DIFFERENCES
        if version in difference.versions and (difference.of_copies or copy == "without raw")
    ]


def listed() -> list[tuple[str, str, str]]:
    """Return the differences as the reference lists them."""
    rows = [
        (f"`{difference.place}`", _where(difference), difference.why) for difference in DIFFERENCES
    ]
    for item in OTHERWISE:
        versions = sorted({name.partition("/")[0][1:] for name in item.exchanges})
        rows.append(("the whole answer", " and ".join(versions), item.why))
    return rows


def _where(difference: Difference) -> str:
    versions = " and ".join(version[1:] for version in difference.versions)
    return versions if difference.of_copies else f"{versions}, without `raw`"


def is_otherwise(exchange: str) -> bool:
    return any(exchange in item.exchanges for item in OTHERWISE)


def is_allowed(place: str, known: Iterable[str]) -> bool:
    return any(
        place.startswith(item[:-1]) if item.endswith("*") else place == item for item in known
    )


def ids(scene: Scene) -> str:
    return f"{scene.case}-{scene.held.histories.partition('#')[2]}"


@for_each("copy", COPIES)
@for_each("scene", SCENES)
@for_each("version", VERSIONS)
def test_a_recorded_request_is_answered_as_it_was_but_for_what_is_listed(version, scene, copy):
    known = allowed(version, copy)
    others = {
        name: [place for place in places if not is_allowed(place, known)]
        for name, places in found(version, scene, COPIES[copy]).items()
        if not is_otherwise(name)
    }
    assert not {name: places for name, places in others.items() if places}


def test_every_listed_difference_is_one():
    met: set[tuple[str, str, str]] = set()
    otherwise: set[str] = set()
    for version, scene, copy in product(VERSIONS, SCENES, COPIES):
        for name, places in found(version, scene, COPIES[copy]).items():
            known = allowed(version, copy)
            if is_otherwise(name):
                otherwise |= {name for place in places if not is_allowed(place, known)}
            else:
                met |= {(version, copy, place) for place in places}
    unmet = [
        (version, difference.place)
        for difference in DIFFERENCES
        for version in difference.versions
        if not _is_met(difference, version, met)
    ]
    assert unmet == []
    assert otherwise == {name for item in OTHERWISE for name in item.exchanges}


def _is_met(difference: Difference, version: str, met: set[tuple[str, str, str]]) -> bool:
    copy = "with raw" if difference.of_copies else "without raw"
    places = [place for v, c, place in met if (v, c) == (version, copy)]
    return any(is_allowed(place, [difference.place]) for place in places)


def test_the_reference_lists_every_difference():
    _, _, after = REFERENCE.read_text("utf-8").partition(
        "### Differences from the recorded answers of FastGPT"
    )
    section, _, _ = after.partition("\n## ")
    heading, _, *rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", section, re.MULTILINE)
    assert heading == ("field", "in", "why")
    assert rows == listed()
    count = sum(len(scene.exchanges(version)) for version in VERSIONS for scene in SCENES)
    assert f"{count} recorded requests" in section
