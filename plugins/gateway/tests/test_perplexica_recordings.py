"""What the real program answered, and what the dialect answers to the same requests.

The recorded chats of shape A2 are read by the adapter into an SQLite file, which the dialect
serves; then each recorded request is made again. Where an answer differs, it differs as
`DIFFERENCES` says, which is the table of docs/reference/dialects.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
import yaml
from tests.support.naming import naming

import convostore
from convostore.errors import UnavailableError
from convostore.http import Request, Response
from convostore.parsing import read_time
from convostore.testing import Backend
from convostore.testing.dialects import dialect_service, incoming_request
from convostore_perplexica.schema import chats
from convostore_perplexica.server.dialect import PerplexicaDialect

ROOT = Path(__file__).parents[3]
CASSETTES = ROOT / "plugins" / "perplexica" / "tests" / "cassettes"
REFERENCE = ROOT / "docs" / "reference" / "dialects.md"
FOLDERS = (
    "express-1.10.0-rc3",
    "upgrade-1.9.3-to-1.10.0-rc3",
    "next-1.10.2",
    "upgrade-0-next-1.10.2",
)
CASES = sorted(
    file.relative_to(CASSETTES).with_suffix("").as_posix()
    for folder in FOLDERS
    for file in (CASSETTES / folder).glob("*.yaml")
)
JSON_TYPE = {"content-type": "application/json"}


@dataclass(frozen=True)
class Exchange:
    """One recorded request and its answer."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    status: int
    content_type: str
    content: str

    @property
    def chat_id(self) -> str | None:
        """Whom it is about; None for the list."""
        segment = self.path.removeprefix("/api/chats").strip("/")
        return unquote(segment) if segment else None

    @property
    def is_json(self) -> bool:
        return self.content_type.startswith("application/json")


@dataclass(frozen=True)
class Difference:
    """How an answer may differ from the recorded one, and why.

    Attributes:
        holds: Takes what was recorded and what is answered; whether they differ just so.
    """

    here: str
    why: str
    holds: Callable[[Any, Any], bool]


def is_the_same_second(recorded: Any, answered: Any) -> bool:
    time = read_time(recorded)
    return read_time(answered) == (time and time.replace(microsecond=0)) and (
        answered == "" or answered.endswith(" GMT+0000 (Coordinated Universal Time)")
    )


def means_the_same(recorded: Any, answered: Any) -> bool:
    """Whether two metadata are read as the same time and sources."""
    rows = [{"role": "assistant", "metadata": each} for each in (recorded, answered)]
    one, other = (chats.read_messages({"messages": [row]})[0].portable() for row in rows)
    return all(one[name] == other[name] for name in ("created_at", "sources"))


DIFFERENCES = {
    "order of the list": Difference(
        "the store's",
        "the program lists chats as they were inserted; stores list the last active first",
        lambda recorded, answered: sorted(recorded) == sorted(answered),
    ),
    "chat.createdAt": Difference(
        "as a server in UTC writes it; empty if it is not a date",
        "the program returns the stored text, in its server's zone and language",
        is_the_same_second,
    ),
    "chat.files": Difference(
        "a list",
        "odd rows hold null",
        lambda recorded, answered: (recorded, answered) == (None, []),
    ),
    "message.id": Difference(
        "the position in the chat, from 1 on",
        "the program sends the number of a row in its own table",
        lambda recorded, answered: isinstance(recorded, int) and isinstance(answered, int),
    ),
    "message.messageId": Difference(
        "a repeated id in a chat gets `~2`, `~3`, …",
        "up to 1.9.0 a question and its answer shared an id; a store's ids are unique",
        lambda recorded, answered: answered == f"{recorded}~2",
    ),
    "message.role": Difference(
        "`other`",
        "odd rows hold null",
        lambda recorded, answered: (recorded, answered) == (None, "other"),
    ),
    "message.metadata": Difference(
        "the JSON text that the program itself writes, with the same time and sources",
        "odd rows hold null, objects, other JSON, text within text, sources that are not objects",
        means_the_same,
    ),
    "content-type": Difference(
        "`application/json; charset=utf-8`",
        "Next names no charset, Express does",
        lambda recorded, answered: answered == f"{recorded}; charset=utf-8",
    ),
    "a trailing slash": Difference(
        "served",
        "Next redirects (308), Express serves",
        lambda recorded, answered: (recorded, answered) == (308, 200),
    ),
    "`DELETE` of the list": Difference(
        "404, a page",
        "Next answers 405 without a body, Express 404 with a page",
        lambda recorded, answered: (recorded, answered) == (405, 404),
    ),
    "an address of over 16 KB": Difference(
        "the server's own limits",
        "both refuse with 431 and hang up; the recorded address was shortened",
        lambda recorded, answered: (recorded, answered) == (431, 404),
    ),
}
STATUSES = {308: "a trailing slash", 405: "`DELETE` of the list", 431: "an address of over 16 KB"}

Found = list[tuple[str, Any, Any]]


@pytest.fixture(scope="module")
def differences_of(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], Found]]:
    """Replays a case, once, and gives what differs: its name, what was recorded, what came."""
    target = f"sqlite:///{tmp_path_factory.mktemp('served').as_posix()}/served.db"
    with dialect_service(PerplexicaDialect(), target) as service:

        @cache
        def replayed(case: str) -> Found:
            load(case, target)
            with naming(case):
                return [
                    difference
                    for exchange in exchanges_of(case)
                    for difference in compared(exchange, answer(service, exchange))
                ]

        yield replayed


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_recorded_request_is_answered_as_the_real_program_did(
    folder: str, differences_of: Callable[[str], Found]
) -> None:
    for case in [each for each in CASES if each.startswith(f"{folder}/")]:
        for name, recorded, answered in differences_of(case):
            with naming(case, recorded, answered):
                assert name in DIFFERENCES
                assert DIFFERENCES[name].holds(recorded, answered)


def test_each_difference_that_is_listed_was_found(
    differences_of: Callable[[str], Found],
) -> None:
    found = {name for case in CASES for name, _, _ in differences_of(case)}
    assert found == DIFFERENCES.keys()


def test_what_the_program_wrote_itself_is_answered_to_the_letter(
    differences_of: Callable[[str], Found],
) -> None:
    own = [case for case in CASES if "/get_prog_" in case or case.endswith("/get_two_turns")]
    found = {name for case in own for name, _, _ in differences_of(case)}
    assert found == {"message.id", "content-type"}


def test_the_reference_lists_the_same_differences() -> None:
    _, _, after = REFERENCE.read_text("utf-8").partition("## The /api/chats dialect")
    section, _, _ = after.partition("\n## ")
    _, _, listed = section.partition("### Differences from the recorded answers")
    heading, _, *rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", listed, re.MULTILINE)
    assert heading == ("field or request", "here", "why")
    assert rows == [(name, each.here, each.why) for name, each in DIFFERENCES.items()]
    assert f"({len(CASES)} cases" in listed


# What was recorded


@cache
def exchanges_of(case: str) -> tuple[Exchange, ...]:
    cassette = yaml.load((CASSETTES / f"{case}.yaml").read_text("utf-8"), yaml.CSafeLoader)
    return tuple(map(_exchange, cassette["interactions"]))


def _exchange(interaction: Any) -> Exchange:
    asked, answered = interaction["request"], interaction["response"]
    address = urlsplit(asked["uri"])
    (content_type,) = answered["headers"].get("content-type", [""])
    return Exchange(
        method=asked["method"],
        path=address.path,
        query=tuple(parse_qsl(address.query)),
        status=answered["status"]["code"],
        content_type=content_type,
        content=answered["body"]["string"],
    )


@cache
def chats_of(folder: str) -> dict[str, Any]:
    """Each chat of a server that was recorded, as it was when it was first got."""
    chats: dict[str, Any] = {}
    for case in CASES:
        if case.startswith(f"{folder}/"):
            for chat_id, body in _got(case):
                chats.setdefault(chat_id, body)
    return chats


def _got(case: str) -> Iterator[tuple[str, Any]]:
    for exchange in exchanges_of(case):
        if exchange.method == "GET" and exchange.status == 200 and exchange.chat_id:
            yield exchange.chat_id, json.loads(exchange.content)


# What is served


def before(case: str) -> dict[str, Any]:
    """The chats of a case as they were before it; newest first, where it tells."""
    known = chats_of(case.partition("/")[0]) | dict(reversed([*_got(case)]))
    chats: dict[str, Any] = {}
    for exchange in exchanges_of(case):
        if exchange.status in {200, 308} and exchange.chat_id:
            # That of a chat that could not be read and was deleted was never shown.
            unknown = {"chat": {"id": exchange.chat_id}, "messages": []}
            chats.setdefault(exchange.chat_id, known.get(exchange.chat_id, unknown))
        elif exchange.status == 200:
            for chat in json.loads(exchange.content)["chats"]:
                chats.setdefault(chat["id"], known.get(chat["id"], {"chat": chat, "messages": []}))
    return chats


def load(case: str, target: str) -> None:
    """Reads what a case needs by the adapter, and keeps it."""
    chats = before(case)

    def recorded(request: Request) -> Response:
        chat_id = unquote(request.path.removeprefix("/api/chats").removeprefix("/"))
        body = chats[chat_id] if chat_id else {"chats": [each["chat"] for each in chats.values()]}
        return Response(200, JSON_TYPE, json.dumps(body).encode())

    source = Backend("perplexica+http://recorded.test", service=recorded)
    with source.open() as service, convostore.open(target) as store:
        store.clear_conversations()
        for each in service.transcripts():
            store.put_conversation(each.conversation)
            store.append_messages(each.conversation_id, each.messages)


def answer(service: Callable[[Request], Response], exchange: Exchange) -> Response:
    """Makes a recorded request again; what failed inside of the program fails inside here too."""
    unchanged = (("If-None-Match", "*"),) if exchange.status == 304 else ()
    request = Request(exchange.method, exchange.path, query=exchange.query, headers=unchanged)
    if exchange.status == 500:
        error = UnavailableError("the disk is full", adapter="sqlite")
        return PerplexicaDialect().failed(incoming_request(request), error)
    return service(request)


# How they differ


def compared(exchange: Exchange, response: Response) -> Iterator[tuple[str, Any, Any]]:
    if response.status != exchange.status:
        yield STATUSES.get(exchange.status, "status"), exchange.status, response.status
        return
    content_type = response.headers.get("content-type", "")
    if content_type != exchange.content_type:
        yield "content-type", exchange.content_type, content_type
    if exchange.is_json:
        yield from compared_bodies(json.loads(exchange.content), response.json())
    elif exchange.status == 304:
        assert response.content == b""


def compared_bodies(recorded: Any, answered: Any) -> Iterator[tuple[str, Any, Any]]:
    assert list(answered) == list(recorded)
    if "chats" in recorded:
        yield from compared_lists(recorded["chats"], answered["chats"])
    elif "chat" in recorded:
        yield from compared_rows("chat", recorded["chat"], answered["chat"])
        numbers = [row["id"] for row in answered["messages"]]
        assert numbers == [*range(1, len(recorded["messages"]) + 1)]
        for rows in zip(recorded["messages"], answered["messages"], strict=True):
            yield from compared_rows("message", *rows)
    else:
        assert answered == recorded


def compared_lists(recorded: Any, answered: Any) -> Iterator[tuple[str, Any, Any]]:
    ids = [[row["id"] for row in rows] for rows in (recorded, answered)]
    if ids[0] != ids[1]:
        yield "order of the list", *ids
    by_id = {row["id"]: row for row in answered}
    assert len(by_id) == len(recorded) == len(answered)
    for row in recorded:
        yield from compared_rows("chat", row, by_id[row["id"]])


def compared_rows(kind: str, recorded: Any, answered: Any) -> Iterator[tuple[str, Any, Any]]:
    assert list(answered) == list(recorded)
    for name, value in recorded.items():
        if answered[name] != value:
            yield f"{kind}.{name}", value, answered[name]
