"""What the contract says that an answer of FastGPT holds, read in the plainest way.

A second reading of the service's JSON, from the contract and the mapping alone, to compare the
adapter's with: it shares no code with the adapter, cares for no speed, and knows only what
recordings show: a key that none of them holds is refused, so that nothing new is passed over.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any, Final

import convostore

_SILENT: Final = {"id", "askId", "type"}
_ROLES: Final = {"Human": "user", "AI": "assistant", "System": "system"}
_MEDIA: Final = {"image": "image/*", "file": None}
_REFUSALS: Final = {403, 514, 502001, 504000}
_STEP_KEYS: Final = {"childrenResponses", "toolDetail", "pluginDetail", "loopDetail"}


@dataclass(kw_only=True)
class ExpectedConversation:
    id: str
    title: str | None
    updated_at: datetime
    pinned: bool
    raw: Any


@dataclass(kw_only=True)
class ExpectedMessage:
    """A message; `parts` and `sources` are tuples of their fields, see `test_recordings`."""

    id: str
    role: str
    parts: list[tuple[Any, ...]]
    created_at: datetime
    sources: list[tuple[Any, ...]]
    feedback: tuple[str, str | None] | None
    status: str | None
    problems: set[str]
    raw: Any


@dataclass(kw_only=True)
class ExpectedError:
    """An error; `said` is the service's own word for it, `field` what a validation names."""

    kind: type[convostore.StoreError]
    retryable: bool = False
    said: str | None = None
    field: str = ""


def expect_conversations(body: Any) -> list[ExpectedConversation]:
    return [expect_conversation(item) for item in body["data"]["list"]]


def expect_conversation(item: Any) -> ExpectedConversation:
    return ExpectedConversation(
        id=item["chatId"],
        title=item["customTitle"] or item["title"] or None,
        updated_at=datetime.fromisoformat(item["updateTime"]),
        pinned=item["top"],
        raw=item,
    )


def expect_messages(body: Any) -> list[ExpectedMessage]:
    """Return the records of an answer, taken for a whole conversation."""
    return expect_records(body["data"]["list"])


def expect_records(records: list[Any]) -> list[ExpectedMessage]:
    return [_of(item, after) for item, after in zip_longest(records, records[1:])]


def _of(record: Any, after: Any) -> ExpectedMessage:
    assert "toolCiteLinks" not in record
    good, bad = record.get("userGoodFeedback"), record.get("userBadFeedback")
    return ExpectedMessage(
        id=f"{record['_id']}.{record['dataId']}",
        role=_ROLES[record["obj"]],
        parts=[part for item in record["value"] for part in _parts(item)],
        created_at=datetime.fromisoformat(record["time"]),
        sources=[_quote(entry) for entry in record.get("totalQuoteList") or []],
        feedback=_feedback(good, bad),
        status=_status(record, after),
        problems={"userGoodFeedback"} if good and bad else set(),
        raw=record,
    )


def _feedback(good: str | None, bad: str | None) -> tuple[str, str | None] | None:
    """Contract, 6: both may be stored, and an empty text or null is none."""
    if not (good or bad):
        return None
    rating, comment = ("bad", bad) if bad else ("good", good)
    return rating, None if comment == "yes" else comment


def _status(record: Any, after: Any) -> str | None:
    if record["obj"] == "Human":
        follower = after["obj"] if after else "Human"
        return {"AI": "complete", "Human": "unanswered"}.get(follower)
    if record["obj"] == "AI":
        if record.get("errorMsg") or record.get("errorText"):
            return "failed"
        return "complete" if record["value"] else "generating"
    return None


def _parts(item: Any) -> list[tuple[Any, ...]]:
    """Contract, 5: keys decide, not `type`; several in one item are several parts."""
    assert set(item) - _SILENT <= {"reasoning", "text", "file", "tools", "interactive"}
    parts: list[tuple[Any, ...]] = []
    if "reasoning" in item:
        parts.append(("reasoning", item["reasoning"]["content"]))
    if "text" in item:
        parts.append(("text", item["text"]["content"]))
    if "file" in item:
        file = item["file"]
        parts.append(("file", file["name"] or None, file["url"] or None, _MEDIA[file["type"]]))
    for tool in item.get("tools", []):
        parts.append(("tool_call", tool["id"], tool["toolName"], tool["params"]))
        if tool["response"]:
            parts.append(("tool_result", tool["id"], tool["response"]))
    if "interactive" in item:
        parts.append(_interaction(item["interactive"]["type"], item["interactive"]["params"]))
    return parts


def _interaction(kind: str, params: Any) -> tuple[Any, ...]:
    """Its type, prompt, options, fields, whether it is answered, and the answer."""
    assert "childrenResponse" not in params
    prompt = params["description"]
    if kind == "userSelect":
        options = [(item["value"], None) for item in params["userSelectOptions"]]
        answer = params.get("userSelectedVal") or None
        return ("interaction", kind, prompt, options, [], answer is not None, answer)
    assert kind == "userInput"
    fields = [
        (
            item["key"],
            item["label"],
            item["type"],
            item["required"],
            [(option["value"], option["label"]) for option in item["list"] if option["value"]],
            item["value"],
        )
        for item in params["inputForm"]
    ]
    return ("interaction", kind, prompt, [], fields, params["submitted"], None)


def _quote(item: Any) -> tuple[Any, ...]:
    """Its kind, title, URL, content, score, mark and raw; before 4.13 it holds its text."""
    texts = [item[key] for key in ("q", "a") if item.get(key)]
    link = item["sourceId"] if item["sourceId"].startswith(("http://", "https://")) else None
    content = "\n".join(texts) or None
    return ("quote", item["sourceName"], link, content, item["score"][0]["value"], item["id"], item)


def expect_steps(body: Any) -> list[tuple[Any, ...]]:
    """Each step's id, name, type, seconds, error, steps and raw."""
    for item in body["data"]:
        assert not _STEP_KEYS & set(item)
    return [
        (
            item["id"],
            item["moduleName"],
            item["moduleType"],
            item["runningTime"],
            item.get("errorText"),
            (),
            item,
        )
        for item in body["data"]
    ]


def expect_error(status: int, media_type: str, content: bytes) -> ExpectedError | None:
    """Contract, 2: the body's code decides, and after it the HTTP status."""
    if media_type == "text/html":
        assert status == 404
        return ExpectedError(kind=convostore.ProtocolError)
    if content == b"Invalid JSON":
        assert status == 400
        return ExpectedError(kind=convostore.InvalidError)
    body = json.loads(content)
    if body["code"] == 200:
        assert status == 200
        return None
    paths = [item["path"] for item in body.get("zodError", [])]
    return ExpectedError(
        kind=_kind_of(body["code"], body["statusText"], body["message"]),
        retryable=body["code"] == 504001,
        said=body["message"],
        field=str(paths[0][-1]) if paths and paths[0] else "",
    )


def _kind_of(code: int, status_text: str, message: str) -> type[convostore.StoreError]:
    if code in _REFUSALS or (code, status_text) == (501, "linkUnInvalid"):
        return convostore.AuthError
    if message.startswith("Key is error"):
        return convostore.AuthError
    if code == 502000 or message in ("Chat item not found", "app is empty"):
        return convostore.NotFoundError
    if code == 504001:
        return convostore.ConflictError
    if message.startswith("Chat dataId already exists"):
        return convostore.ConflictError
    if code in {400, 507004} or message.startswith(
        ("Cast to ObjectId failed", "appId is empty", "messages is ")
    ):
        return convostore.InvalidError
    assert code == 500
    return convostore.UnavailableError
