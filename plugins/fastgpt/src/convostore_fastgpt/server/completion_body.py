"""Replies encoded as the object of a completion that does not stream. No stream here."""

from __future__ import annotations

from collections.abc import Sequence

from convostore.models import (
    JSON,
    InteractionPart,
    Part,
    PartialReply,
    ReasoningPart,
    Reply,
    TextPart,
    Usage,
)
from convostore.parsing import Row

from .render import FAILED, node_row
from .render_items import value_items


def added_by(reply: Reply, *, answering: bool) -> tuple[Part, ...]:
    """Return the parts that a reply added: after an interaction's answer, those that follow it."""
    parts = reply.message.parts
    if not answering:
        return parts
    places = [
        place
        for place, part in enumerate(parts)
        if isinstance(part, InteractionPart) and part.answered
    ]
    return parts[places[-1] + 1 :] if places else parts


def usage_row(usage: Usage | None) -> Row:
    """Encode the tokens that a reply used; the service's constant where they are unknown."""
    if usage is None:
        return {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 1}
    sent, received = usage.input_tokens or 0, usage.output_tokens or 0
    return {"prompt_tokens": sent, "completion_tokens": received, "total_tokens": sent + received}


def completion_row(reply: Reply, *, detail: bool, version: str, answering: bool) -> Row:
    """Encode a whole completion."""
    parts = added_by(reply, answering=answering)
    row = _completion(reply.conversation_id, _message(parts, detail, version), reply.usage)
    if reply.title is not None:
        row["title"] = reply.title
    if detail:
        row["responseData"] = [node_row(step) for step in reply.run_details]
        row["newVariables"] = reply.variables or {}
    return row


def failed_row(partial: PartialReply, *, detail: bool, version: str) -> Row:
    """Encode a completion whose run failed, with the parts that had arrived."""
    message = _message(partial.parts or (TextPart(text=""),), detail, version)
    row = _completion(partial.conversation_id, message, None)
    if detail:
        row |= {"responseData": [], "newVariables": {}}
    return row | {"error": FAILED}


def _completion(chat_id: str, message: Row, usage: Usage | None) -> Row:
    return {
        "id": chat_id,
        "model": "",
        "usage": usage_row(usage),
        "choices": [{"message": message, "finish_reason": "stop", "index": 0}],
    }


def _message(parts: Sequence[Part], detail: bool, version: str) -> Row:
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    thoughts = [part.text for part in parts if isinstance(part, ReasoningPart)]
    message: Row = {"role": "assistant"}
    if detail and (len(texts) > 1 or len(texts) + len(thoughts) < len(parts)):
        return message | {"content": _items(parts, version)}
    if texts or not any(isinstance(part, InteractionPart) for part in parts):
        message["content"] = "\n".join(texts)
    if thoughts:
        message["reasoning_content"] = "\n".join(thoughts)
    return message


def _items(parts: Sequence[Part], version: str) -> list[JSON]:
    """Encode the items of the answer; those of v2 have no type."""
    items = value_items(parts)
    if version == "v1":
        return items
    return [{name: value for name, value in item.items() if name != "type"} for item in items]
