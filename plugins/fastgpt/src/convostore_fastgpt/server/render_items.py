"""Parts of a message encoded as the items of a record's value: the inverse of `schema.items`.

A tool call and its result share one item. A part that the service has no item for is encoded whole
under its type. Nothing is parsed here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from convostore.models import (
    FilePart,
    InteractionPart,
    OtherPart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from convostore.parsing import Row

from .render_interactions import interaction_row

_FILE_TYPES: Final = frozenset({"image", "audio", "video"})
_WHOLE: Final = frozenset({"plan", "skills", "planStatus", "contextCheckpoint"})
"""Types of items whose data is encoded unchanged under their names."""


def value_items(parts: Iterable[Part]) -> list[Row]:
    """Encode parts as items, in their order."""
    items: list[Row] = []
    calls: dict[str | None, Row] = {}
    for part in parts:
        if isinstance(part, ToolResultPart) and part.id in calls:
            calls.pop(part.id)["response"] = part.content
        elif isinstance(part, ToolCallPart | ToolResultPart):
            tool = _tool(part)
            if isinstance(part, ToolCallPart):
                calls[part.id] = tool
            items.append({"tools": [tool], "type": "tool"})
        else:
            items.append(_item(part))
    return items


def _item(part: Part) -> Row:
    match part:
        case TextPart(text=text):
            return text_item(text)
        case ReasoningPart(text=text):
            return {"reasoning": {"content": text}, "type": "reasoning"}
        case FilePart():
            return {"file": _file(part), "type": "file"}
        case InteractionPart():
            return {"interactive": interaction_row(part), "type": "interactive"}
        case OtherPart():
            return _other(part)
    raise AssertionError(f"unknown kind of part: {part.kind!r}")


def text_item(text: str) -> Row:
    """Encode a text as an item."""
    return {"text": {"content": text}, "type": "text"}


def _tool(part: ToolCallPart | ToolResultPart) -> Row:
    row: Row = {"id": part.id or "", "toolAvatar": ""}
    if isinstance(part, ToolCallPart):
        return row | {
            "toolName": part.name,
            "functionName": part.name,
            "params": part.arguments,
        }
    return row | {"toolName": "", "functionName": "", "params": "", "response": part.content}


def _file(part: FilePart) -> Row:
    kind = (part.media_type or "").partition("/")[0]
    return {
        "type": kind if kind in _FILE_TYPES else "file",
        "name": part.name or "",
        "url": part.url or "",
    }


def _other(part: OtherPart) -> Row:
    if part.type in _WHOLE and part.data is not None:
        return {part.type: part.data, "type": "text"}
    if isinstance(part.data, dict) and part.data.get("type") == part.type:
        return part.data
    return {"type": part.type or "other", "data": part.data}
