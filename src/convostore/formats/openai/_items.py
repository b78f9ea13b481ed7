"""Items of OpenAI's Responses, the `input` of a request and the `output` of a response.

By the API's reference of 2025. Its items are smaller than messages: what a model makes in one step
(its reasoning, its calls, its text) are several items, and one message here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from ...models import (
    JSON,
    FilePart,
    Message,
    OtherPart,
    Part,
    ReasoningPart,
    Role,
    Source,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from ...parsing import Row, non_empty_text
from ..text import safe_link
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

_PIECES: Final = frozenset({"input_audio", "input_file", "input_image"})
"""Types of pieces that a user's content may hold, and that are kept as they are."""
_TOOL_SUFFIXES: Final = ("_output", "_response")
"""The ends of the types of items that a program, and not the model, answers with."""


def to_items(
    messages: Iterable[Message], *, raw: bool = True, losses: Counter[str] | None = None
) -> list[dict[str, JSON]]:
    """Convert messages to items of OpenAI's Responses, the `input` of a request.

    A message that `from_items` made, and that was not changed since, becomes the items that it was
    made of: the API wants their ids and encrypted reasoning back. Any other message keeps its
    texts, tool calls and results, and a user's images and files; the rest is left out and counted.

    Args:
        messages: The messages, oldest first, as `store.messages` yields them.
        raw: Whether items in `raw` may be used; False for a service other than the one they came
            from.
        losses: A counter of what is left out, by names such as ``"message.parts.reasoning"``.

    Raises:
        InvalidError: One is not a `Message`.
    """
    writer = _ItemWriter(Counter() if losses is None else losses)
    items: list[dict[str, JSON]] = []
    for message in check_messages(messages, "from_items"):
        known = _items_in(message) if raw else None
        items += writer.items(message) if known is None else known
    return items


def from_items(items: Iterable[Mapping[str, JSON]]) -> list[Message]:
    """Convert items of OpenAI's Responses, of a request or a response, to messages.

    The output of a model in one step is one message; an output of a tool is one by itself. Messages
    get new ids. Each keeps its items in `raw`, and an item that is not modelled is an `OtherPart`.
    Citations of URLs are `sources`.

    Args:
        items: The items as dictionaries; for objects of OpenAI's library, their `model_dump()`.

    Raises:
        InvalidError: One is not an item; the error names its place and the field.
    """
    rows = [_checked(where, item) for where, item in enumerate_rows(items, "items")]
    return [_message(group) for group in _grouped(rows)]


# From items


def _checked(where: str, given: object) -> Row:
    row = check_row(given, where)
    kind = _kind(row)
    if kind == "message":
        check_field(row, "role", where, str, expected="a string")
        check_field(row, "content", where, str, list, tuple, expected="a string or a list of parts")
    elif kind == "function_call":
        for name in ("call_id", "name", "arguments"):
            check_field(row, name, where, str, expected="a string")
    elif kind == "function_call_output":
        check_field(row, "call_id", where, str, expected="a string")
        check_field(row, "output", where, str, list, tuple, expected="a string or a list of parts")
    else:
        check_field(row, "type", where, str, expected="a string")
    return row


def _kind(item: Row) -> str | None:
    """Return the type of an item; a message need not name it."""
    return non_empty_text(item, "type") or ("message" if "role" in item else None)


def _role(item: Row) -> Role:
    kind = _kind(item) or ""
    if kind == "message":
        return ROLES.get(item["role"], "other")
    if kind.endswith(_TOOL_SUFFIXES):
        return "tool"
    return "assistant"


def _grouped(items: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield the items of each message."""
    group: list[Row] = []
    for item in items:
        if group and not _continues(group, item):
            yield group
            group = []
        group.append(item)
    if group:
        yield group


def _continues(group: list[Row], item: Row) -> bool:
    """Return whether the model made an item in the same step as those before it."""
    if not _role(group[0]) == _role(item) == "assistant":
        return False
    kind, kinds = _kind(item), {_kind(other) for other in group}
    if kind == "reasoning":
        return kinds == {"reasoning"}
    return kind != "message" or "message" not in kinds


def _message(items: list[Row]) -> Message:
    return Message(
        role=_role(items[0]),
        parts=_parts_of(items),
        sources=tuple(_sources(items)),
        raw=list(items),
    )


def _parts_of(items: Iterable[Row]) -> tuple[Part, ...]:
    return tuple(part for item in items for part in _parts(item))


def _parts(item: Row) -> Iterator[Part]:
    match _kind(item):
        case "message":
            yield from read_content(item["content"])
        case "reasoning":
            yield from _reasoning(item)
        case "function_call":
            yield read_call(item, item, "call_id")
        case "function_call_output":
            yield from read_result(item["output"], item["call_id"])
        case kind:
            yield OtherPart(type=kind, data=item)


def _reasoning(item: Row) -> Iterator[Part]:
    """Yield the reasoning itself or, where the API keeps it to itself, the summary of it."""
    texts = joined(read_content(item.get("content") or item.get("summary")))
    if texts:
        yield ReasoningPart(text=texts)


def _sources(items: Iterable[Row]) -> Iterator[Source]:
    for item in items:
        content = item.get("content")
        for piece in content if isinstance(content, list | tuple) else ():
            annotations = piece.get("annotations") if isinstance(piece, dict) else None
            for annotation in annotations if isinstance(annotations, list | tuple) else ():
                if isinstance(annotation, dict) and annotation.get("type") == "url_citation":
                    yield Source(
                        title=non_empty_text(annotation, "title"),
                        url=non_empty_text(annotation, "url"),
                        raw=annotation,
                    )


# To items


def _items_in(message: Message) -> list[dict[str, JSON]] | None:
    """Return the items that a message was made of; None if it was not, or says something else."""
    items = message.raw
    if not isinstance(items, list | tuple) or not items:
        return None
    if not all(isinstance(item, dict) and _is_sound(item) for item in items):
        return None
    if _role(items[0]) != message.role or _parts_of(items) != message.parts:
        return None
    return [dict(item) for item in items]


def _is_sound(item: Row) -> bool:
    try:
        _checked("", item)
    except ValueError:
        return False
    return True


class _ItemWriter(ConversationWriter):
    """The items of one conversation, in which outputs refer to the calls before them."""

    def items(self, message: Message) -> Iterator[Row]:
        if not self._has_place(message):
            return
        pending: list[Part] = []
        for part in message.parts:
            if isinstance(part, ToolCallPart | ToolResultPart):
                yield from self._said(message.role, pending)
                pending = []
                yield self._call(part) if isinstance(part, ToolCallPart) else self._output(part)
            elif isinstance(part, TextPart) or (message.role == "user" and _is_sent(part)):
                pending.append(part)
            else:
                self._lose(part)
        yield from self._said(message.role, pending)

    def _said(self, role: Role, parts: list[Part]) -> Iterator[Row]:
        if not parts:
            return
        if role == "tool":
            yield self._output(ToolResultPart(content=joined(parts)))
            return
        content: JSON = joined(parts)
        if not all(isinstance(part, TextPart) for part in parts):
            content = [_piece(part) for part in parts]
        yield {"type": "message", "role": role, "content": content}

    def _call(self, part: ToolCallPart) -> Row:
        return {
            "type": "function_call",
            "call_id": self._call_id(part),
            "name": part.name,
            "arguments": part.arguments,
        }

    def _output(self, part: ToolResultPart) -> Row:
        call_id = self._answered_call(part.id)
        return {"type": "function_call_output", "call_id": call_id, "output": part.content}


def _is_sent(part: Part) -> bool:
    if isinstance(part, FilePart):
        return is_image(part) or is_data(part) or safe_link(part.url) is not None
    return is_piece(part, _PIECES)


def _piece(part: Part) -> JSON:
    if isinstance(part, TextPart):
        return {"type": "input_text", "text": part.text}
    if isinstance(part, OtherPart):
        return part.data
    assert isinstance(part, FilePart)  # noqa: S101  # see `_is_sent`
    if is_image(part):
        return {"type": "input_image", "image_url": part.url, "detail": "auto"}
    if is_data(part):
        return {"type": "input_file", "filename": part.name or "file", "file_data": part.url}
    return {"type": "input_file", "file_url": part.url}
