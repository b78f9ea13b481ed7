"""The schema as JSON, without loss, for writable stores and for exports.

Fields with their default value are omitted. Loading validates data of unknown origin; data that
this library wrote itself can be loaded without. No file, table or service may be known here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final, TypeAlias, TypeVar, cast

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
_JSON_FIELDS: Final = frozenset({"raw", "data", "value"})
"""Fields that hold arbitrary JSON, which is written unchanged."""


def dump(value: Portable, *, raw: bool = True) -> dict[str, JSON]:
    """Return a value of the schema as plain JSON data; times are ISO 8601.

    Args:
        value: A value of the schema.
        raw: Whether to include the backend's own objects, at all depths.
    """
    return _plain(value, raw)


def dumps(value: Conversation | Message, *, raw: bool = True) -> str:
    """Encode a value as one line of JSON in ASCII.

    Args:
        value: A conversation or a message.
        raw: Whether to include the backend's own objects, at all depths.

    Raises:
        InvalidError: A field for JSON contains something else.
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
    """Encode plain data as one line of JSON.

    Raises:
        InvalidError: It is not JSON, or nested too deeply.
    """
    try:
        return _ENCODERS[ascii_only].encode(data)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidError(
            f"raw, an OtherPart's data and a field's value must be plain JSON: {error}"
        ) from None


def load_conversation(data: JSON) -> Conversation:
    """Load a conversation from data of any origin, and validate it.

    Raises:
        InvalidError: It is not a conversation; the message names the field.
    """
    return _validate(Conversation, data)


def load_message(data: JSON) -> Message:
    """Load a message from data of any origin, and validate it.

    Raises:
        InvalidError: It is not a message; the message names the field.
    """
    return _validate(Message, data)


def trusted_conversation(data: dict[str, JSON]) -> Conversation:
    """Load a conversation from data that `dump` made, without validation."""
    return Conversation.model_construct(**_revive_fields(data, _CONVERSATION))


def trusted_message(data: dict[str, JSON]) -> Message:
    """Load a message from data that `dump` made, without validation."""
    return Message.model_construct(**_revive_fields(data, _MESSAGE))


def _plain(value: Portable, raw: bool) -> dict[str, JSON]:
    plain: dict[str, JSON] = {}
    for name, default in _fields(cast("Hashable", type(value))):
        content = getattr(value, name)
        if content is default or (content == default and type(content) is type(default)):
            continue
        if name in _JSON_FIELDS:
            if raw or name != "raw":
                plain[name] = content
        elif isinstance(content, tuple):
            plain[name] = [
                _plain(item, raw) if isinstance(item, Portable) else item for item in content
            ]
        elif isinstance(content, Portable):
            plain[name] = _plain(content, raw)
        elif isinstance(content, datetime):
            plain[name] = content.isoformat()
        else:
            plain[name] = content
    return plain


@cache
def _fields(kind: Hashable) -> tuple[tuple[str, object], ...]:
    """Return the fields of a class with their defaults; `kind` and `id` are always written."""
    infos: Mapping[str, FieldInfo | Any] = (
        getattr(kind, "model_fields", None) or kind.__dict__["__pydantic_fields__"]
    )
    return tuple(
        (
            name,
            PydanticUndefined if name in {"kind", "id"} and kind is not Source else _default(info),
        )
        for name, info in infos.items()
    )


def _default(info: FieldInfo) -> object:
    return info.get_default(call_default_factory=True, validated_data={})


def _validate(kind: type[T], data: JSON) -> T:
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first, *_ = error.errors(include_input=False, include_url=False, include_context=False)
        reason = ": ".join(filter(None, [".".join(map(str, first["loc"])), first["msg"]]))
    except RecursionError:
        reason = "it is nested too deeply"
    raise InvalidError(f"invalid {kind.__name__.lower()}: {reason}")


_Reviver: TypeAlias = Callable[[Any], object]


def _tuple_of(revive: _Reviver) -> _Reviver:
    return lambda items: tuple([revive(item) for item in items])


def _value_of(kind: Any, **revivers: _Reviver) -> _Reviver:
    construct = kind.model_construct
    if not revivers:
        return lambda data: construct(**data)
    return lambda data: construct(**_revive_fields(data, revivers))


def _revive_fields(data: dict[str, JSON], revivers: Mapping[str, _Reviver]) -> dict[str, Any]:
    revived = dict(data)
    for name, revive in revivers.items():
        if name in data:
            revived[name] = revive(data[name])
    return revived


_OPTIONS: Final = _tuple_of(_value_of(InteractionOption))
_PARTS: Final[dict[str, _Reviver]] = {
    "text": _value_of(TextPart),
    "reasoning": _value_of(ReasoningPart),
    "tool_call": _value_of(ToolCallPart),
    "tool_result": _value_of(ToolResultPart),
    "file": _value_of(FilePart),
    "interaction": _value_of(
        InteractionPart,
        options=_OPTIONS,
        fields=_tuple_of(_value_of(InteractionField, options=_OPTIONS)),
    ),
    "other": _value_of(OtherPart),
}


def _part(data: dict[str, JSON]) -> object:
    revive = _PARTS.get(data["kind"])
    return OtherPart.model_validate(data) if revive is None else revive(data)


_PROBLEMS: Final = _tuple_of(_value_of(Problem))
_MESSAGE: Final[dict[str, _Reviver]] = {
    "parts": _tuple_of(_part),
    "created_at": datetime.fromisoformat,
    "stored_at": datetime.fromisoformat,
    "sources": _tuple_of(_value_of(Source)),
    "feedback": _value_of(Feedback),
    "problems": _PROBLEMS,
}
_CONVERSATION: Final[dict[str, _Reviver]] = {
    "created_at": datetime.fromisoformat,
    "updated_at": datetime.fromisoformat,
    "origin": _value_of(Origin, metadata_keys=tuple),
    "files": _tuple_of(_value_of(FilePart)),
    "problems": _PROBLEMS,
}
