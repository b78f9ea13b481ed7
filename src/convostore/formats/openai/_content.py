"""What OpenAI's messages and items have in common: their content, calls, and checks of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, TypeVar

from ... import serialization
from ...errors import InvalidError
from ...models import (
    JSON,
    FilePart,
    Message,
    OtherPart,
    Part,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from ...parsing import Row, non_empty_text
from ..text import safe_link

T = TypeVar("T")

ROLES: Final[dict[str, Role]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
"""Roles of ours by those of either API; any other is ``other``."""
_LOST_FIELDS: Final = ("sources", "feedback", "created_at", "model")
_TEXTS: Final = frozenset({"text", "input_text", "output_text", "reasoning_text", "summary_text"})


def read_content(content: JSON) -> Iterator[Part]:
    """Yield the parts of a content; what is unknown becomes an `OtherPart`."""
    if isinstance(content, str):
        yield TextPart(text=content)
    elif isinstance(content, list | tuple):
        for piece in content:
            yield _read_piece(piece)
    elif content is not None:
        yield OtherPart(data=content)


def _read_piece(piece: JSON) -> Part:
    if isinstance(piece, str):
        return TextPart(text=piece)
    if not isinstance(piece, dict):
        return OtherPart(data=piece)
    kind = non_empty_text(piece, "type")
    if kind in _TEXTS and isinstance(piece.get("text"), str):
        return TextPart(text=piece["text"])
    if kind == "refusal" and isinstance(piece.get("refusal"), str):
        return TextPart(text=piece["refusal"])
    if kind in {"image_url", "input_image"}:
        image = piece.get("image_url")
        url = image.get("url") if isinstance(image, dict) else image
        if isinstance(url, str):
            return FilePart(url=url, media_type=_media_type(url) or "image/*")
    if kind in {"file", "input_file"}:
        file = piece.get("file") if kind == "file" else piece
        url = _file_url(file) if isinstance(file, dict) else None
        if url is not None:
            return FilePart(
                name=non_empty_text(file, "filename"), url=url, media_type=_media_type(url)
            )
    return OtherPart(type=kind, data=piece)


def _file_url(file: Row) -> str | None:
    data = non_empty_text(file, "file_data")
    if data is not None and data.startswith("data:"):
        return data
    return non_empty_text(file, "file_url")


def _media_type(url: str) -> str | None:
    """Return the media type that a ``data:`` URL names."""
    if not url.startswith("data:"):
        return None
    return url[5:].partition(",")[0].partition(";")[0] or None


def is_image(part: Part) -> bool:
    """Return whether a part is an image at an address that a model may be given."""
    if not isinstance(part, FilePart) or not (part.media_type or "").startswith("image/"):
        return False
    return safe_link(part.url) is not None or (part.url or "").startswith("data:image/")


def is_data(part: Part) -> bool:
    """Return whether a part is a file that is held in its address."""
    return isinstance(part, FilePart) and (part.url or "").startswith("data:")


def is_piece(part: Part, kinds: Collection[str]) -> bool:
    """Return whether a part holds a piece of one of these types, as the API wrote it."""
    return (
        isinstance(part, OtherPart)
        and part.type in kinds
        and isinstance(part.data, dict)
        and part.data.get("type") == part.type
    )


def joined(parts: Iterable[Part]) -> str:
    """Return the texts of parts as `Message.text` has them."""
    return "\n".join([part.text for part in parts if isinstance(part, TextPart)])


def read_call(call: Row, function: JSON, id_key: str) -> Part:
    """Return a call of a function, an `OtherPart` if it is not one."""
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return OtherPart(type="tool_call", data=call)
    arguments = function.get("arguments")
    if arguments is not None and not isinstance(arguments, str):
        arguments = serialization.to_json(arguments)
    return ToolCallPart(
        id=non_empty_text(call, id_key), name=function["name"], arguments=arguments or ""
    )


class ConversationWriter:
    """What the writers of messages and items share: the losses and calls of one conversation.

    Args:
        losses: Where what has no place is counted.
    """

    def __init__(self, losses: Counter[str]) -> None:
        self._losses = losses
        self._calls = 0
        self._last_call: str | None = None

    def _has_place(self, message: Message) -> bool:
        """Return whether the role of a message is one of the API's, and count what else is lost."""
        if message.role == "other":
            self._losses["message.role"] += 1
            return False
        for name in _LOST_FIELDS:
            if getattr(message, name):
                self._losses[f"message.{name}"] += 1
        return True

    def _lose(self, part: Part) -> None:
        self._losses[f"message.parts.{part.kind}"] += 1

    def _call_id(self, part: ToolCallPart) -> str:
        """Return the id of a call, for a result that has none."""
        self._last_call = part.id or self._new_call()
        return self._last_call

    def _answered_call(self, call_id: str | None) -> str:
        """Return the id of the call that a result answers."""
        return call_id or self._last_call or self._new_call()

    def _new_call(self) -> str:
        self._calls += 1
        return f"call_{self._calls}"


def read_result(content: JSON, call_id: str | None) -> Iterator[Part]:
    """Yield the parts of an answer to a call: a result of all its texts, then the other parts."""
    parts = list(read_content(content))
    yield ToolResultPart(id=call_id, content=joined(parts))
    yield from (part for part in parts if not isinstance(part, TextPart))


def enumerate_rows(rows: Iterable[T], name: str) -> Iterator[tuple[str, T]]:
    """Yield each of a caller's rows after its name in errors.

    Raises:
        InvalidError: It is not a list.
    """
    given: object = rows
    if not isinstance(given, Iterable) or isinstance(given, Mapping | str | Message):
        raise InvalidError(f"{name} must be a list, got {type(given).__name__}")
    for place, row in enumerate(rows):
        yield f"{name}[{place}]", row


def check_messages(messages: Iterable[Message], other_way: str) -> Iterator[Message]:
    """Yield messages of ours, each checked to be one.

    Args:
        messages: The messages.
        other_way: The function for what a caller may have meant to convert.

    Raises:
        InvalidError: One is something else.
    """
    for where, message in enumerate_rows(messages, "messages"):
        if not isinstance(message, Message):
            raise InvalidError(
                f"{where} must be a convostore.Message, got {type(message).__name__}: "
                f"{other_way} converts OpenAI's own"
            )
        yield message


def check_row(row: object, where: str) -> Row:
    """Return a row of a caller's as plain JSON.

    Raises:
        InvalidError: It is not a mapping.
    """
    if not isinstance(row, Mapping):
        hint = ": pass its model_dump()" if hasattr(row, "model_dump") else ""
        raise InvalidError(f"{where} must be a mapping, got {type(row).__name__}{hint}")
    return dict(row)


def check_field(row: Row, name: str, where: str, *kinds: type, expected: str) -> None:
    """Check the type of a field.

    Raises:
        InvalidError: It is something else.
    """
    value = row.get(name)
    if not isinstance(value, kinds):
        given = "None" if value is None else type(value).__name__
        raise InvalidError(f"{where}.{name} must be {expected}, got {given}")
