"""Conversations, messages and run details encoded as the service's rows.

The inverse of `schema.records`: parsing a row that was encoded here returns the same value, as far
as the service's format can hold it; the rest is left out. No store and no request here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from convostore.models import Conversation, Message, Role, RunStep, Source, Status
from convostore.parsing import Row

from ..schema.message_ids import record_ids
from ..schema.records import feedback_fields
from .raw_rows import own_fields, own_node, own_titles
from .render_items import text_item, value_items

_OBJECTS: Final[dict[Role, str]] = {
    "user": "Human",
    "assistant": "AI",
    "tool": "AI",
    "system": "System",
    "other": "System",
}
_PROGRESS: Final[dict[Status | None, int]] = {"generating": 0, "failed": 2}
_DONE: Final = 1
FAILED: Final = "The answer could not be made."
"""The error of a failed answer: the schema keeps no reason."""


def time_text(time: datetime | None) -> str | None:
    """Encode a time in the service's format, to the millisecond."""
    if time is None:
        return None
    return f"{time.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def progress(status: Status | None) -> int:
    """Return the ``chatGenerateStatus`` for the status of the newest message."""
    return _PROGRESS.get(status, _DONE)


def history_row(conversation: Conversation, app_id: str) -> Row:
    """Encode an item of getHistories; the title is both the user's and the generated one."""
    title = conversation.title or ""
    return {
        "chatId": conversation.id,
        "updateTime": time_text(conversation.last_active_at),
        "customTitle": title,
        "title": title,
        "top": conversation.pinned,
        "chatGenerateStatus": _DONE,
        "hasBeenRead": True,
        "appId": app_id,
        **own_titles(conversation),
    }


def status_row(conversation: Conversation, status: Status | None) -> Row:
    """Encode an item of getHistoryStatus."""
    return {
        "chatId": conversation.id,
        "updateTime": time_text(conversation.last_active_at),
        "chatGenerateStatus": progress(status),
        "hasBeenRead": True,
    }


def obj_of(message: Message) -> str:
    """Return the role in the service's three words."""
    return _OBJECTS[message.role]


def record_row(message: Message, *, with_custom_feedbacks: bool = False) -> Row:
    """Encode an item of getPaginationRecords."""
    ids = record_ids(message.id)
    own = own_fields(message)
    row: Row = {
        "_id": ids.own,
        "dataId": ids.data,
        "obj": obj_of(message),
        "value": _value(message),
        "time": time_text(message.created_at),
        "hideInUI": False,
        **feedback_fields(message.feedback),
    }
    row |= own or (_of_an_answer(message) if row["obj"] == "AI" else {})
    if not with_custom_feedbacks:
        row.pop("customFeedbacks", None)
    else:
        row.setdefault("customFeedbacks", [])
    return row


def _value(message: Message) -> list[Row]:
    """Encode the record's items; only an answer that is being generated has none."""
    if obj_of(message) == "AI" and message.status == "generating":
        return []
    return value_items(message.parts) or [text_item("")]


def _of_an_answer(message: Message) -> Row:
    links = [source for source in message.sources if source.kind != "quote"]
    row: Row = {
        "useAgentSandbox": False,
        "totalQuoteList": [
            quote_row(source) for source in message.sources if source.kind == "quote"
        ],
    }
    if links:
        row["toolCiteLinks"] = [{"name": link.title or "", "url": link.url or ""} for link in links]
    if message.status == "failed":
        row["errorMsg"] = FAILED
    return row


def quote_row(source: Source) -> Row:
    """Encode a passage of a knowledge base."""
    row: Row = {
        "id": source.mark or "",
        "chunkIndex": 0,
        "datasetId": "",
        "collectionId": "",
        "sourceId": source.url or "",
        "sourceName": source.title or "",
        "score": []
        if source.score is None
        else [{"type": "embedding", "value": source.score, "index": 0}],
    }
    return row if source.content is None else row | {"q": source.content}


def node_row(step: RunStep) -> Row:
    """Encode a node of getResData, and of completions that report the run."""
    own = own_node(step)
    if own is not None:
        return own
    row: Row = {
        "id": step.id or "",
        "nodeId": step.id or "",
        "moduleName": step.name,
        "moduleType": step.type or "",
    }
    if step.seconds is not None:
        row["runningTime"] = int(step.seconds) if step.seconds.is_integer() else step.seconds
    if step.error is not None:
        row["errorText"] = step.error
    if step.steps:
        row["childrenResponses"] = [node_row(child) for child in step.steps]
    return row
