"""What the contract says that an answer of `/api/chats` holds, read in the plainest way.

A second reading of the service's JSON, from the contract alone, to compare the adapter's with: it
shares no code with the adapter, cares for no speed, and knows only what recordings show. What the
contract leaves open is `UNSAID` and compared with nothing.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

UNSAID: Final = object()

_JS_DATE: Final = re.compile(r"\w{3} (\w{3} \d\d \d{4} \d\d:\d\d:\d\d) GMT([+-]\d{4})( \(.*\))?")
_ISO_DATE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_SQLITE_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_STATUSES: Final = {"completed": "complete", "answering": "generating", "error": "failed"}


@dataclass(kw_only=True)
class ExpectedMessage:
    """A message; `cited` and `researched` are triples of title, url and content.

    `problems` are the fields that must be named as unreadable; no others may be, unless it is None.
    """

    id: str
    role: str
    text: str
    created_at: datetime | None
    cited: list[tuple[Any, Any, Any]]
    researched: list[tuple[Any, Any, Any]]
    status: object
    problems: set[str] | None
    raw: Any


@dataclass(kw_only=True)
class ExpectedConversation:
    id: str
    title: str
    created_at: datetime | None
    files: list[tuple[str, str]]
    problems: set[str]
    raw: Any


def read_date(value: Any) -> datetime | None:
    """Contract, 4, 5 and 9: each format that dates came in."""
    if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()):
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(value))
    if not isinstance(value, str):
        return None
    if found := _JS_DATE.fullmatch(value):
        local = datetime.strptime(" ".join(found.group(1, 2)), "%b %d %Y %H:%M:%S %z")
        return local.astimezone(UTC)
    if _ISO_DATE.fullmatch(value):
        return datetime.fromisoformat(value)
    if _SQLITE_DATE.fullmatch(value):
        return datetime.fromisoformat(value + "+00:00")
    return None


def unreadable_date(value: Any) -> bool:
    return value not in ("", None) and read_date(value) is None


def expect_conversations(body: Any) -> list[ExpectedConversation]:
    return [expect_conversation(chat) for chat in body["chats"]]


def expect_conversation(chat: Any) -> ExpectedConversation:
    return ExpectedConversation(
        id=chat["id"],
        title=chat["title"],
        created_at=read_date(chat["createdAt"]),
        files=[(file["name"], f"file_id://{file['fileId']}") for file in chat.get("files") or []],
        problems={"createdAt"} if unreadable_date(chat["createdAt"]) else set(),
        raw=chat,
    )


def expect_messages(body: Any) -> list[ExpectedMessage]:
    rows = body["messages"]
    if any("responseBlocks" in row for row in rows):
        messages = [item for row in rows for item in _of_turn(row)]
    else:
        messages = [item for turn in _turns(rows) for item in _of_rows(turn)]
    times: dict[str, int] = {}
    for message in messages:
        times[message.id] = times.get(message.id, 0) + 1
        if times[message.id] > 1:
            message.id += f"~{times[message.id]}"
    return messages


def _turns(rows: list[Any]) -> list[list[Any]]:
    """Shapes A and B: a turn is a question and all that stands before the next one."""
    turns: list[list[Any]] = []
    for row in rows:
        if row["role"] == "user" or not turns:
            turns.append([])
        turns[-1].append(row)
    return turns


def _of_rows(turn: list[Any]) -> list[ExpectedMessage]:
    """Shapes A and B: one message a row, but that rows with role source join another."""
    lists = [row for row in turn if row["role"] == "source"]
    answers = [row for row in turn if row["role"] == "assistant"]
    if not answers:
        return _of_unanswered(turn, lists)
    joined: dict[int, list[Any]] = {}
    for row in lists:
        joined.setdefault(_answer_of(row, turn)["id"], []).append(row)
    return [_of_row(row, turn, joined.get(row["id"], [])) for row in turn if row not in lists]


def _answer_of(row: Any, turn: list[Any]) -> Any:
    answers = [item for item in turn if item["role"] == "assistant"]
    named = [answer for answer in answers if row["messageId"] == answer["messageId"] + "-source"]
    later = [answer for answer in answers if turn.index(answer) > turn.index(row)]
    return (named or later or answers[::-1])[0]


def _of_unanswered(turn: list[Any], lists: list[Any]) -> list[ExpectedMessage]:
    """Shape B: the sources of an answer that never came, or is not there yet."""
    if not lists:
        return [_of_row(row, turn, []) for row in turn]
    found = [source for row in lists for source in _listed(row["sources"])]
    first, *rest = [_of_row(row, turn, []) for row in turn if row not in lists]
    if not found:
        first.raw = turn
        return [first, *rest]
    other = ExpectedMessage(
        id=lists[0]["messageId"],
        role="other",
        text="",
        created_at=read_date(lists[0]["createdAt"]),
        cited=[_triple(item) for item in found],
        researched=[],
        status=UNSAID,
        problems=set(),
        raw=UNSAID,
    )
    return [first, *rest, other]


def _of_row(row: Any, turn: list[Any], lists: list[Any]) -> ExpectedMessage:
    if "metadata" in row:
        metadata, readable = _decoded(row["metadata"])
        when, found = metadata.get("createdAt"), _listed(metadata.get("sources"))
        inside = "metadata."
    else:
        readable, when, inside = True, row["createdAt"], ""
        found = [source for item in lists for source in _listed(item["sources"])]
    known = row["role"] in {"user", "assistant", "system"}
    problems = set() if readable else {"metadata"}
    if unreadable_date(when):
        problems.add(f"{inside}createdAt")
    if None in found:
        problems.add(f"{inside}sources")
    return ExpectedMessage(
        id=row["messageId"],
        role=row["role"] if known else "other",
        text=row["content"] or "",
        created_at=read_date(when),
        cited=[_triple(item) for item in found],
        researched=[],
        status=_status_of(row, turn),
        problems=problems if known else None,
        raw=[item for item in turn if item is row or item in lists] if lists else row,
    )


def _status_of(row: Any, turn: list[Any]) -> object:
    if row["role"] == "assistant":
        return "complete"
    if row["role"] == "user":
        answered = any(item["role"] == "assistant" for item in turn)
        return "complete" if answered else "unanswered"
    return UNSAID


def _decoded(metadata: Any) -> tuple[dict[str, Any], bool]:
    """Contract, 9: text is parsed until it is no text; what is no object is nothing."""
    while isinstance(metadata, str) and metadata:
        try:
            metadata = json.loads(metadata)
        except ValueError:
            return {}, False
    if isinstance(metadata, dict):
        return metadata, True
    return {}, metadata in (None, "")


def _listed(sources: Any) -> list[Any]:
    return json.loads(sources) if isinstance(sources, str) else sources or []


def _triple(source: Any) -> tuple[Any, Any, Any]:
    if source is None:
        return (None, None, None)
    if isinstance(source, str):
        return (None, source, None)
    about = source.get("metadata") or {}
    content = source["content"] if "content" in source else source.get("pageContent")
    return (about.get("title"), about.get("url"), content)


def _of_turn(row: Any) -> list[ExpectedMessage]:
    """Shape C: a row is a question, and the blocks of its answer when it has one."""
    blocks = _listed(row["responseBlocks"])
    texts = [block["data"] for block in blocks if block["type"] == "text"]
    found = [item for block in blocks if block["type"] == "source" for item in block["data"]]
    date = read_date(row["createdAt"])
    question = ExpectedMessage(
        id=row["messageId"],
        role="user",
        text=row["query"],
        created_at=date,
        cited=[],
        researched=[],
        status="complete" if texts else "unanswered",
        problems=set(),
        raw=row,
    )
    answer = ExpectedMessage(
        id=row["messageId"] + "/answer",
        role="assistant" if texts else "other",
        text="\n".join(texts),
        created_at=date,
        cited=[_triple(item) for item in found],
        researched=[_triple(item) for item in _researched(blocks)],
        status=_STATUSES[row["status"]] if texts else UNSAID,
        problems={"responseBlocks"} if None in found else set(),
        raw=row,
    )
    return [question, answer] if blocks else [question]


def _researched(blocks: list[Any]) -> list[Any]:
    """Contract, 6: what the steps of the search read, which the answer need not cite."""
    steps = [
        step
        for block in blocks
        if block["type"] == "research"
        for step in block["data"]["subSteps"]
    ]
    return [item for step in steps for item in step.get("reading") or step.get("results") or []]
