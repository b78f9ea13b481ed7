"""The schema as JSON: what a store of one's own keeps and what an export writes, losslessly.

Fields that hold their default are left out. Read back, data of unknown descent is validated; what
this library wrote itself need not be. No file, no table and no service may be known here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final, TypeVar, cast

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_core import to_json as to_json_bytes

from .errors import InvalidError
from .models import (
    JSON,
    Conversation,
    Feedback,
    FilePart,
    InteractionField,
    InteractionOption,
    InteractionPart,
    Message,
    Origin,
    OtherPart,
    Portable,
    Problem,
    ReasoningPart,
    Source,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

__all__ = [
    "dump",
    "dumps",
    "load_conversation",
    "load_message",
    "message_json",
    "to_json",
    "trusted_conversation",
    "trusted_message",
]

T = TypeVar("T", Conversation, Message)

_ENCODERS: Final = {
    ascii_only: json.JSONEncoder(ensure_ascii=ascii_only, separators=(",", ":"))
    for ascii_only in (True, False)
}
_FREE: Final = frozenset({"raw", "data", "value"})
"""Fields that hold any JSON: it is kept as it is."""


def dump(value: Portable, *, raw: bool = True) -> dict[str, JSON]:
    """Returns a value of the schema as plain JSON data; times are ISO 8601.

    Args:
        value: What is to be kept.
        raw: Whether the backend's own object goes with it, at all depths.
    """
    return _plain(value, raw)


def dumps(value: Conversation | Message, *, raw: bool = True) -> str:
    """Returns a value as one line of JSON in ASCII.

    Raises:
        InvalidError: A field that is to hold JSON holds something else.
    """
    return to_json(dump(value, raw=raw))


def message_json(message: Message) -> str:
    """Return a message as JSON, as fast as it can be written.

    It reads back as what `dumps` writes does, though fields that hold their default may be there.

    Raises:
        InvalidError: A field that is to hold JSON holds something else.
    """
    try:
        return to_json_bytes(message, exclude_none=True).decode()
    except ValueError:  # UTF-8 cannot hold it, as a lone surrogate, or it is nested too deeply
        return dumps(message)


def to_json(data: JSON, *, ascii_only: bool = True) -> str:
    """Writes plain data as one line of JSON.

    Raises:
        InvalidError: It is no JSON, or nested too deeply.
    """
    try:
        return _ENCODERS[ascii_only].encode(data)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidError(
            f"raw, an OtherPart's data and a field's value hold plain JSON only: {error}"
        ) from None


def load_conversation(data: JSON) -> Conversation:
    """Reads a conversation from data of any descent.

    Raises:
        InvalidError: It is none; the message names the field.
    """
    return _validated(Conversation, data)


def load_message(data: JSON) -> Message:
    """Reads a message from data of any descent.

    Raises:
        InvalidError: It is none; the message names the field.
    """
    return _validated(Message, data)


def trusted_conversation(data: dict[str, JSON]) -> Conversation:
    """Reads a conversation from data that `dump` made, without looking whether it is right."""
    return Conversation.model_construct(**_revived(data, _CONVERSATION))


def trusted_message(data: dict[str, JSON]) -> Message:
    """Reads a message from data that `dump` made, without looking whether it is right."""
    return Message.model_construct(**_revived(data, _MESSAGE))


def _plain(value: Portable, raw: bool) -> dict[str, JSON]:
    plain: dict[str, JSON] = {}
    for name, default in _fields(cast("Hashable", type(value))):
        held = getattr(value, name)
        if held is default or (held == default and type(held) is type(default)):
            continue
        if name in _FREE:
            if raw or name != "raw":
                plain[name] = held
        elif isinstance(held, tuple):
            plain[name] = [
                _plain(each, raw) if isinstance(each, Portable) else each for each in held
            ]
        elif isinstance(held, Portable):
            plain[name] = _plain(held, raw)
        elif isinstance(held, datetime):
            plain[name] = held.isoformat()
        else:
            plain[name] = held
    return plain


@cache
def _fields(kind: Hashable) -> tuple[tuple[str, object], ...]:
    """A value's fields with their defaults; a part's `kind` is always written."""
    infos: Mapping[str, FieldInfo | Any] = (
        getattr(kind, "model_fields", None) or kind.__dict__["__pydantic_fields__"]
    )
    return tuple(
        (name, PydanticUndefined if name in {"kind", "id"} and kind is not Source else info.default)
        for name, info in infos.items()
    )


def _validated(kind: type[T], data: JSON) -> T:
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first, *_ = error.errors(include_input=False, include_url=False, include_context=False)
        what = ": ".join([".".join(map(str, first["loc"])), first["msg"]])
    except RecursionError:
        what = "it is nested too deeply"
    raise InvalidError(f"this is no {kind.__name__.lower()}: {what}")


_Reviver = Callable[[Any], object]


def _several(revive: _Reviver) -> _Reviver:
    return lambda items: tuple([revive(item) for item in items])


def _made(kind: Any, **revivers: _Reviver) -> _Reviver:
    construct = kind.model_construct
    if not revivers:
        return lambda data: construct(**data)
    return lambda data: construct(**_revived(data, revivers))


def _revived(data: dict[str, JSON], revivers: Mapping[str, _Reviver]) -> dict[str, Any]:
    revived = dict(data)
    for name, revive in revivers.items():
        if name in data:
            revived[name] = revive(data[name])
    return revived


_OPTIONS: Final = _several(_made(InteractionOption))
_PARTS: Final[dict[str, _Reviver]] = {
    "text": _made(TextPart),
    "reasoning": _made(ReasoningPart),
    "tool_call": _made(ToolCallPart),
    "tool_result": _made(ToolResultPart),
    "file": _made(FilePart),
    "interaction": _made(
        InteractionPart,
        options=_OPTIONS,
        fields=_several(_made(InteractionField, options=_OPTIONS)),
    ),
    "other": _made(OtherPart),
}


def _part(data: dict[str, JSON]) -> object:
    revive = _PARTS.get(data["kind"])
    return OtherPart.model_validate(data) if revive is None else revive(data)


_PROBLEMS: Final = _several(_made(Problem))
_MESSAGE: Final[dict[str, _Reviver]] = {
    "parts": _several(_part),
    "created_at": datetime.fromisoformat,
    "sources": _several(_made(Source)),
    "feedback": _made(Feedback),
    "problems": _PROBLEMS,
}
_CONVERSATION: Final[dict[str, _Reviver]] = {
    "created_at": datetime.fromisoformat,
    "updated_at": datetime.fromisoformat,
    "origin": _made(Origin),
    "files": _several(_made(FilePart)),
    "problems": _PROBLEMS,
}
