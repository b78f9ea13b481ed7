"""Messages of OpenAI's Chat Completions, to and from ours.

By the API's reference of 2025: roles `developer` and the older `function` are read as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Final

from ...models import (
    JSON,
    FilePart,
    InteractionPart,
    Message,
    OtherPart,
    Part,
    ReasoningPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from ...parsing import Row, non_empty_text
from ._content import (
    ROLES,
    ConversationWriter,
    check_field,
    check_messages,
    check_row,
    enumerate_rows,
    is_data,
    is_image,
    is_piece,
    joined,
    read_call,
    read_content,
    read_result,
)

_LOST_PARTS: Final = (ReasoningPart, FilePart, InteractionPart, OtherPart)
_PIECES: Final = frozenset({"file", "image_url", "input_audio"})
"""Types of pieces that a user's content may hold, and that are kept as they are."""


def to_messages(
    messages: Iterable[Message], *, losses: Counter[str] | None = None
) -> list[dict[str, JSON]]:
    """Convert messages to those of OpenAI's Chat Completions, the `messages` of a request.

    A message with tool calls and their results becomes several. Texts, tool calls and results, and
    a user's images and files are kept; what the API has no place for is left out and counted. Calls
    without an id get one, which their results share.

    Args:
        messages: The messages, oldest first, as `store.messages` yields them.
        losses: A counter of what is left out, by names such as ``"message.parts.reasoning"``.

    Raises:
        InvalidError: One is not a `Message`.
    """
    rows = MessageRows(Counter() if losses is None else losses)
    return [
        row for message in check_messages(messages, "from_messages") for row in rows.of(message)
    ]


def from_messages(messages: Iterable[Mapping[str, JSON]]) -> list[Message]:
    """Convert messages of OpenAI's Chat Completions, of a request or a response, to ours.

    They get new ids. Each keeps the whole message in `raw`, and what is not modelled is an
    `OtherPart` besides.

    Args:
        messages: The messages as dictionaries; for objects of OpenAI's library, their
            `model_dump()`.

    Raises:
        InvalidError: One is not a message; the error names its place and the field.
    """
    return [_checked(where, row) for where, row in enumerate_rows(messages, "messages")]


def _checked(where: str, given: object) -> Message:
    row = check_row(given, where)
    check_field(row, "role", where, str, expected="a string")
    check_field(
        row, "content", where, str, list, tuple, type(None), expected="a string or a list of parts"
    )
    check_field(row, "tool_calls", where, list, tuple, type(None), expected="a list")
    return Message(role=role_of(row), parts=tuple(read_parts(row)), raw=row)


class MessageRows(ConversationWriter):
    """The rows of one conversation, in which later ones refer to the calls of earlier ones."""

    def of(self, message: Message) -> Iterator[Row]:
        """Yield one row, or several: tool results are rows after that of their calls."""
        if self._has_place(message):
            yield from self._split(message)

    def _split(self, message: Message) -> Iterator[Row]:
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
        if not isinstance(part, _LOST_PARTS) or (role == "user" and _is_piece(part)):
            return True
        self._lose(part)
        return False

    def _row(self, role: Role, parts: list[Part]) -> Row:
        calls = [self._call(part) for part in parts if isinstance(part, ToolCallPart)]
        content: JSON = joined(parts)
        if any(map(_is_piece, parts)):
            content = [_piece(part) for part in parts if not _is_call(part)]
        row: Row = {"role": role, "content": content if content or not calls else None}
        if calls:  # only an assistant may make calls
            row |= {"role": "assistant", "tool_calls": calls}
        elif role == "tool":
            row["tool_call_id"] = self._answered_call(None)
        return row

    def _result(self, part: ToolResultPart) -> Row:
        call_id = self._answered_call(part.id)
        return {"role": "tool", "content": part.content, "tool_call_id": call_id}

    def _call(self, part: ToolCallPart) -> Row:
        function = {"name": part.name, "arguments": part.arguments}
        return {"id": self._call_id(part), "type": "function", "function": function}


def _is_call(part: Part) -> bool:
    return isinstance(part, ToolCallPart)


def _is_piece(part: Part) -> bool:
    """Return whether a part is one that a user's content lists, and not a text."""
    return is_image(part) or is_data(part) or is_piece(part, _PIECES)


def _piece(part: Part) -> JSON:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if isinstance(part, OtherPart):
        return part.data
    assert isinstance(part, FilePart)  # noqa: S101  # see `_is_piece`
    if is_image(part):
        return {"type": "image_url", "image_url": {"url": part.url}}
    return {"type": "file", "file": {"filename": part.name or "file", "file_data": part.url}}


def role_of(row: Row) -> Role:
    """Return the role of a row; an unknown one is ``other``."""
    role = row.get("role")
    return ROLES.get(role, "other") if isinstance(role, str) else "other"


def read_parts(row: Row) -> Iterator[Part]:
    """Yield the parts of a row, as far as it can be read."""
    if non_empty_text(row, "role") in {"tool", "function"}:
        yield from read_result(row.get("content"), non_empty_text(row, "tool_call_id"))
        return
    if reasoning := non_empty_text(row, "reasoning_content") or non_empty_text(row, "reasoning"):
        yield ReasoningPart(text=reasoning)
    yield from read_content(row.get("content"))
    if refusal := non_empty_text(row, "refusal"):
        yield TextPart(text=refusal)
    if row.get("audio"):
        yield OtherPart(type="audio", data=row["audio"])
    calls = row.get("tool_calls")
    for call in calls if isinstance(calls, list | tuple) else []:
        yield read_call(call, call.get("function") if isinstance(call, dict) else None, "id")
    if row.get("function_call"):
        yield read_call(row["function_call"], row["function_call"], "id")
