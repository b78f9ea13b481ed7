"""OpenAI-style messages: a line for each conversation, as in files for fine-tuning.

Texts, tool calls and results, and the addresses of images are written; what the format lacks is
counted. The same is read, in every form of the API: content as a text or a list, the roles
`developer` and `tool`, and the older `function_call`. The API itself is not known here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from functools import partial
from typing import Any, BinaryIO, Final, cast

from .. import serialization
from ..errors import InvalidError
from ..models import (
    JSON,
    Conversation,
    FilePart,
    InteractionPart,
    Message,
    Origin,
    OtherPart,
    Part,
    ReasoningPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from ..parsing import Row, non_empty_text
from ._base import Entry, Writer
from ._ndjson import Line, json_lines
from .text import safe_link

__all__ = ["OpenAIWriter", "read"]

_ROLES: Final[dict[str, Role]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
_LOST_PARTS: Final = (ReasoningPart, FilePart, InteractionPart, OtherPart)
_LOST_FIELDS: Final = ("sources", "feedback", "created_at", "model")


class OpenAIWriter(Writer):
    """A writer of one conversation a line, without `raw`."""

    def __init__(self, *, raw: bool = True) -> None:
        super().__init__(raw=raw)
        self._is_first = True
        self._calls = 0
        self._last_call: str | None = None

    def conversation(self, conversation: Conversation) -> str:
        if conversation.title:
            self.losses["conversation.title"] += 1
        self._is_first, self._calls, self._last_call = True, 0, None
        return '{"messages":['

    def message(self, message: Message) -> str:
        if message.role == "other":
            self.losses["message.role"] += 1
            return ""
        for name in _LOST_FIELDS:
            if getattr(message, name):
                self.losses[f"message.{name}"] += 1
        rows = [serialization.to_json(row) for row in self._rows(message)]
        text = ",".join(rows)
        if not text:
            return ""
        separator, self._is_first = "" if self._is_first else ",", False
        return separator + text

    def end_conversation(self) -> str:
        return "]}\n"

    def _rows(self, message: Message) -> Iterator[Row]:
        """Yield one row, or several: tool results are rows after that of their calls."""
        pending: list[Part] = []
        is_empty = True
        for part in filter(partial(self._keep, message.role), message.parts):
            is_result = isinstance(part, ToolResultPart)
            if pending and (is_result or (_is_call(pending[-1]) and not _is_call(part))):
                yield self._row(message.role, pending)
                pending, is_empty = [], False
            if isinstance(part, ToolResultPart):
                yield self._result(part)
                is_empty = False
            else:
                pending.append(part)
        if pending or is_empty:
            yield self._row(message.role, pending)

    def _keep(self, role: Role, part: Part) -> bool:
        if not isinstance(part, _LOST_PARTS) or (role == "user" and _is_image(part)):
            return True
        self.losses[f"message.parts.{part.kind}"] += 1
        return False

    def _row(self, role: Role, parts: list[Part]) -> Row:
        texts = [part.text for part in parts if isinstance(part, TextPart)]
        images = [_image(part) for part in parts if isinstance(part, FilePart)]
        calls = [self._call(part) for part in parts if isinstance(part, ToolCallPart)]
        content: JSON = "\n".join(texts)
        if images:
            content = [{"type": "text", "text": text} for text in texts] + images
        row: Row = {"role": role, "content": content if content or not calls else None}
        if calls:  # only an assistant may make calls
            row |= {"role": "assistant", "tool_calls": calls}
        elif role == "tool":
            row["tool_call_id"] = self._last_call or self._new_call()
        return row

    def _result(self, part: ToolResultPart) -> Row:
        call_id = part.id or self._last_call or self._new_call()
        return {"role": "tool", "content": part.content, "tool_call_id": call_id}

    def _call(self, part: ToolCallPart) -> Row:
        self._last_call = part.id or self._new_call()
        function = {"name": part.name, "arguments": part.arguments}
        return {"id": self._last_call, "type": "function", "function": function}

    def _new_call(self) -> str:
        self._calls += 1
        return f"call_{self._calls}"


def _is_call(part: Part) -> bool:
    return isinstance(part, ToolCallPart)


def _is_image(part: Part) -> bool:
    if not isinstance(part, FilePart) or not (part.media_type or "").startswith("image/"):
        return False
    return safe_link(part.url) is not None or (part.url or "").startswith("data:image/")


def _image(part: FilePart) -> Row:
    return {"type": "image_url", "image_url": {"url": part.url}}


def read(stream: BinaryIO, name: str | None = None) -> Generator[Entry]:
    """Read OpenAI-style messages; ids are digests, so that the same line is the same conversation.

    Raises:
        InvalidError: A line is broken, or has no list of messages.
    """
    for line in json_lines(stream):
        yield _entry(line, name)


def _entry(line: Line, name: str | None) -> Entry:
    rows = line.data.get("messages")
    if not isinstance(rows, list):
        line.fail('must contain a list "messages"')
    conversation_id = _digest(rows)
    rest = {name: value for name, value in line.data.items() if name != "messages"}
    origin = Origin(store=name, conversation_id=conversation_id) if name else None
    conversation = Conversation(id=conversation_id, origin=origin, raw=rest or None)
    try:
        messages = [_message(conversation_id, place, row) for place, row in enumerate(rows)]
    except InvalidError as error:
        line.fail(str(error))
    return Entry(
        conversation_id=conversation_id, conversation=conversation, messages=iter(messages)
    )


def _digest(data: JSON) -> str:
    return hashlib.sha256(serialization.to_json(data).encode("ascii")).hexdigest()[:32]


def _message(conversation_id: str, place: int, row: JSON) -> Message:
    if not isinstance(row, dict):
        raise InvalidError(
            f'must contain objects in "messages", got {type(row).__name__} as number {place + 1}'
        )
    role = row.get("role")
    return Message(
        id=_digest([conversation_id, place]),
        role=_ROLES.get(role, "other") if isinstance(role, str) else "other",
        parts=tuple(_parts(row)),
        raw=row,
    )


def _parts(row: Row) -> Iterator[Part]:
    if non_empty_text(row, "role") in {"tool", "function"}:
        parts = list(_content(row.get("content")))
        texts = [part.text for part in parts if isinstance(part, TextPart)]
        yield ToolResultPart(id=non_empty_text(row, "tool_call_id"), content="\n".join(texts))
        yield from (part for part in parts if not isinstance(part, TextPart))
        return
    if reasoning := non_empty_text(row, "reasoning_content") or non_empty_text(row, "reasoning"):
        yield ReasoningPart(text=reasoning)
    yield from _content(row.get("content"))
    if refusal := non_empty_text(row, "refusal"):
        yield TextPart(text=refusal)
    calls = row.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        yield _call(call, call.get("function") if isinstance(call, dict) else None)
    if row.get("function_call"):
        yield _call(row["function_call"], row["function_call"])


def _content(content: JSON) -> Iterator[Part]:
    if isinstance(content, str):
        yield TextPart(text=content)
    elif isinstance(content, list):
        for piece in content:
            yield _piece(piece)
    elif content is not None:
        yield OtherPart(data=content)


def _piece(piece: JSON) -> Part:
    if isinstance(piece, str):
        return TextPart(text=piece)
    if not isinstance(piece, dict):
        return OtherPart(data=piece)
    kind = non_empty_text(piece, "type")
    if kind in {"text", "input_text", "output_text"} and isinstance(piece.get("text"), str):
        return TextPart(text=piece["text"])
    if kind == "refusal" and isinstance(piece.get("refusal"), str):
        return TextPart(text=piece["refusal"])
    if kind in {"image_url", "input_image"}:
        image = piece.get("image_url")
        url = image.get("url") if isinstance(image, dict) else image
        if isinstance(url, str):
            return FilePart(url=url, media_type="image/*")
    return OtherPart(type=kind, data=piece)


def _call(call: JSON, function: JSON) -> Part:
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return OtherPart(type="tool_call", data=call)
    arguments = function.get("arguments")
    if arguments is not None and not isinstance(arguments, str):
        arguments = serialization.to_json(arguments)
    row = cast("dict[str, Any]", call)
    return ToolCallPart(
        id=non_empty_text(row, "id"), name=function["name"], arguments=arguments or ""
    )
