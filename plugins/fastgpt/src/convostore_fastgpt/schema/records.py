"""Histories, records and run details, parsed into the schema by the keys that are there.

No version is asked for. Only an answer without any list is an error: a field that cannot be parsed
becomes a `Problem` of its row, which stays whole in `raw`. No request and no flow here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

from convostore.errors import ProtocolError
from convostore.models import (
    JSON,
    Conversation,
    Feedback,
    Message,
    Problem,
    Role,
    RunStep,
    Source,
    Status,
)
from convostore.parsing import Row, non_empty_text, read_object, read_text, read_time_field

from .items import read_value

_ROLES: Final[dict[str, Role]] = {"Human": "user", "AI": "assistant", "System": "system"}
NO_COMMENT: Final = "yes"
"""Text that the service's page stores for a thumb without a comment."""
_SUB_STEPS: Final = (
    "childrenResponses",
    "toolDetail",
    "pluginDetail",
    "loopDetail",
    "parallelDetail",
    "loopRunDetail",
)


def list_of(data: JSON, offset: int = 0) -> tuple[list[Any], int]:
    """Return the rows of a page and the number of rows in the whole list.

    Args:
        data: Data of the answer.
        offset: Number of rows before the page.

    Raises:
        ProtocolError: The data has no list.
    """
    rows = data.get("list") if isinstance(data, dict) else None
    if not isinstance(rows, list):
        raise ProtocolError("the answer's field 'data.list' is not a list: check the base URL")
    total = data.get("total")
    counted = total if isinstance(total, int) and not isinstance(total, bool) else 0
    return rows, max(counted, offset + len(rows) if rows else 0)


def read_conversations(rows: Sequence[JSON], *, first: int = 0) -> tuple[Conversation, ...]:
    """Parse items of getHistories; `first` is the index of the first in the list."""
    return tuple([_conversation(row, f"#{place}") for place, row in enumerate(rows, first)])


def _conversation(item: JSON, id_if_lost: str) -> Conversation:
    problems: list[Problem] = []
    row = read_object(item, "list", problems)
    chat_id = row.get("chatId")
    if not isinstance(chat_id, str) or not chat_id:
        problems.append(Problem(where="chatId", what="is missing"))
        chat_id = id_if_lost
    return Conversation.model_construct(
        id=chat_id,
        title=read_text(row, "customTitle", problems) or read_text(row, "title", problems) or None,
        created_at=None,
        updated_at=read_time_field(row.get("updateTime"), problems, "updateTime"),
        pinned=row.get("top") is True,
        origin=None,
        files=(),
        problems=tuple(problems),
        raw=item,
    )


def message_id(row: JSON, number: int) -> str:
    """Return a record's id, `_id` and `dataId`: two records of a turn may share the latter."""
    record = row if isinstance(row, dict) else {}
    own, data_id = record.get("_id"), record.get("dataId")
    if not isinstance(own, str) or not own:
        own = record.get("obj")
    if not isinstance(own, str) or not isinstance(data_id, str):
        return f"#{number}"
    return f"{own.partition('.')[0]}.{data_id}"


def data_id_of(message_id: str) -> str | None:
    """Return the `dataId` in a message's id; None for an id that is not of this service."""
    return message_id.partition(".")[2] or None


def read_messages(
    rows: Sequence[JSON], *, first: int, following: JSON, ended: bool
) -> tuple[Message, ...]:
    """Parse adjacent records, the oldest first.

    Args:
        rows: The records.
        first: Index of the first one, for the ids of rows that lack one.
        following: The record after the last one; None if unknown.
        ended: Whether no record follows the last one.
    """
    nexts = [_obj(row) for row in rows[1:]]
    nexts.append(_END if ended else _obj(following))
    return tuple(
        [
            _message(row, message_id(row, first + number), nexts[number])
            for number, row in enumerate(rows)
        ]
    )


_END: Final = "the end"


def _obj(row: JSON) -> str | None:
    obj = row.get("obj") if isinstance(row, dict) else None
    return obj if isinstance(obj, str) else None


def _message(record: JSON, own_id: str, following: str | None) -> Message:
    problems: list[Problem] = []
    row = read_object(record, "list", problems)
    obj = _obj(row)
    if own_id.startswith("#"):
        problems.append(Problem(where="dataId", what="is missing"))
    elif not isinstance(row.get("_id"), str) or not row["_id"]:
        problems.append(Problem(where="_id", what="is missing"))
    return Message.model_construct(
        id=own_id,
        role=_ROLES.get(obj, "other") if obj else "other",
        parts=read_value(row.get("value"), problems),
        created_at=read_time_field(row.get("time"), problems, "time"),
        sources=_sources(row, problems),
        feedback=_feedback(row, problems),
        status=_status(row, obj, following),
        model=None,
        parent_id=None,
        problems=tuple(problems),
        raw=record,
    )


def _status(row: Row, obj: str | None, following: str | None) -> Status | None:
    """Return a record's status; the answer to a question is the record after it."""
    if obj == "AI":
        if row.get("errorMsg") or row.get("errorText"):
            return "failed"
        return "generating" if row.get("value") == [] else "complete"
    if obj == "Human":
        if following == "AI":
            return "complete"
        return "unanswered" if following in ("Human", _END) else None
    return None


def _feedback(row: Row, problems: list[Problem]) -> Feedback | None:
    if "userBadFeedback" not in row and "userGoodFeedback" not in row:
        return None
    bad = read_text(row, "userBadFeedback", problems)
    good = read_text(row, "userGoodFeedback", problems)
    if bad and good:
        problems.append(Problem(where="userGoodFeedback", what="is there beside userBadFeedback"))
    if not bad and not good:
        return None
    rating: Literal["bad", "good"] = "bad" if bad else "good"
    text = bad or good
    return Feedback.model_construct(rating=rating, comment=None if text == NO_COMMENT else text)


def feedback_fields(feedback: Feedback | None) -> dict[str, str]:
    """Return the fields of updateUserFeedback: a call replaces both thumbs, so one or none."""
    if feedback is None:
        return {}
    name = "userGoodFeedback" if feedback.rating == "good" else "userBadFeedback"
    return {name: feedback.comment or NO_COMMENT}


def _sources(row: Row, problems: list[Problem]) -> tuple[Source, ...]:
    if not row.get("totalQuoteList") and not row.get("toolCiteLinks"):
        return ()
    return (
        *[_quote(item, raw) for item, raw in _objects(row, "totalQuoteList", problems)],
        *[_link(item, raw) for item, raw in _objects(row, "toolCiteLinks", problems)],
    )


def _objects(row: Row, name: str, problems: list[Problem]) -> Iterator[tuple[Row, JSON]]:
    value = row.get(name)
    if value is not None and not isinstance(value, list):
        problems.append(Problem(where=name, what="is not a list"))
        return
    for number, item in enumerate(value or ()):
        yield read_object(item, f"{name}[{number}]", problems), item


def _quote(item: Row, raw: JSON) -> Source:
    """Parse a passage of a knowledge base, which the text cites as ``[id](CITE)``."""
    place = non_empty_text(item, "sourceId")
    passage = [text for name in ("q", "a") if (text := non_empty_text(item, name))]
    return Source.model_construct(
        title=non_empty_text(item, "sourceName"),
        url=place if place and place.startswith(("http://", "https://")) else None,
        content="\n".join(passage) if passage else None,
        score=_score(item.get("score")),
        kind="quote",
        mark=non_empty_text(item, "id"),
        raw=raw,
    )


def _link(item: Row, raw: JSON) -> Source:
    return Source.model_construct(
        title=non_empty_text(item, "name"),
        url=non_empty_text(item, "url"),
        kind="researched",
        raw=raw,
    )


def _score(value: JSON) -> float | None:
    """Return the first of the scores of a quote; older servers send one plain number."""
    scores = value if isinstance(value, list) else [{"value": value}]
    for score in scores:
        number = _number(score.get("value") if isinstance(score, dict) else None)
        if number is not None:
            return number
    return None


def _number(value: JSON) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def read_run_steps(data: JSON) -> tuple[RunStep, ...]:
    """Parse the node responses of getResData.

    Raises:
        ProtocolError: The data is not a list.
    """
    if not isinstance(data, list):
        raise ProtocolError("the answer's field 'data' is not a list: check the base URL")
    return _steps(data)


def _steps(items: list[JSON]) -> tuple[RunStep, ...]:
    return tuple([_step(item if isinstance(item, dict) else {}, item) for item in items])


def _step(row: Row, raw: JSON) -> RunStep:
    lists = (row.get(name) for name in _SUB_STEPS)
    inner: list[Any] = next((steps for steps in lists if steps and isinstance(steps, list)), [])
    return RunStep.model_construct(
        id=non_empty_text(row, "id"),
        name=non_empty_text(row, "moduleName") or "",
        type=non_empty_text(row, "moduleType"),
        seconds=_number(row.get("runningTime")),
        error=read_error(row.get("errorText")) or read_error(row.get("error")),
        steps=_steps(inner),
        raw=raw,
    )


def read_error(value: JSON) -> str | None:
    """Return an error's message, which may be a text or an object; None if there is none."""
    if isinstance(value, dict):
        value = value.get("message") or value
    if not value or isinstance(value, str):
        return value or None
    return json.dumps(value, ensure_ascii=False)


def generation(
    *, new_paths: bool, has_status: bool
) -> Literal["4.8 - 4.14.4", "4.14.5 - 4.14.10", "4.14.11 or later"]:
    """Return the range of versions that have the endpoints found on a server."""
    if not new_paths:
        return "4.8 - 4.14.4"
    return "4.14.11 or later" if has_status else "4.14.5 - 4.14.10"
