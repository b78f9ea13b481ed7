"""A reply as one object, as completions give it that do not stream."""

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
    """The parts that a reply added: of an interaction's answer, what stands behind the question."""
    parts = reply.message.parts
    if not answering:
        return parts
    answered = [
        place
        for place, part in enumerate(parts)
        if isinstance(part, InteractionPart) and part.answered
    ]
    return parts[answered[-1] + 1 :] if answered else parts


def usage_row(usage: Usage | None) -> Row:
    """What a reply cost; where it is not known, the service's constant."""
    if usage is None:
        return {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 1}
    given, made = usage.input_tokens or 0, usage.output_tokens or 0
    return {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}


def completion_row(reply: Reply, *, detail: bool, version: str, answering: bool) -> Row:
    """A whole completion."""
    parts = added_by(reply, answering=answering)
    row = _completion(reply.conversation_id, _message(parts, detail, version), reply.usage)
    if reply.title is not None:
        row["title"] = reply.title
    if detail:
        row["responseData"] = [node_row(each) for each in reply.run_details]
        row["newVariables"] = reply.variables or {}
    return row


def failed_row(partial: PartialReply, *, detail: bool, version: str) -> Row:
    """A completion whose run failed: it has what had been said."""
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
    """The items of the answer; those of v2 have no type."""
    items = value_items(parts)
    if version == "v1":
        return items
    return [{name: value for name, value in each.items() if name != "type"} for each in items]
