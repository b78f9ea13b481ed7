"""Encoding and decoding: values of the schema to JSON data or text, and validated back.

Damaged values are not known here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping
from datetime import datetime
from functools import cache
from typing import Final, TypeVar, cast

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_core import to_json as to_json_bytes

from .._surrogates import join_surrogates, may_hold_pairs, separate_surrogates
from ..errors import InvalidError
from ..models import JSON, Conversation, Message, Portable, Source

T = TypeVar("T", Conversation, Message)
D = TypeVar("D", JSON, str)

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
    return to_exact_json(dump(value, raw=raw))


def message_json(message: Message) -> str:
    """Return a message as JSON, as fast as it can be written.

    It loads like the output of `dumps`, but may include fields that hold their default.

    Raises:
        InvalidError: A field for JSON holds something else.
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


def to_exact_json(data: JSON) -> str:
    """Encode plain data as one line of JSON in ASCII, of which no parser joins two texts to one.

    It is what `to_json` writes, unless a text has two lone surrogates that make a pair: U+200C is
    put between them, which `join_surrogates` takes away again from what was decoded.

    Raises:
        InvalidError: It is not JSON, or nested too deeply.
    """
    text = to_json(data)
    return to_json(separate_surrogates(data)) if may_hold_pairs(text) else text


def load_conversation(data: JSON) -> Conversation:
    """Load a conversation from data of any origin, and validate it.

    Raises:
        InvalidError: It is not a conversation; the message names the field.
    """
    return _load(Conversation, _validate, data)


def load_message(data: JSON) -> Message:
    """Load a message from data of any origin, and validate it.

    Raises:
        InvalidError: It is not a message; the message names the field.
    """
    return _load(Message, _validate, data)


def parse_message(text: str) -> Message:
    """Parse the JSON of a message as `dumps` writes it: strictly, and as fast as it can be read.

    Raises:
        InvalidError: It is not the JSON of a message; the text of the error names the field.
    """
    return _load(Message, _parse, text)


def parse_conversation(text: str) -> Conversation:
    """Parse the JSON of a conversation as `dumps` writes it: strictly, and as fast as it can be.

    Raises:
        InvalidError: It is not the JSON of a conversation; the text of the error names the field.
    """
    return _load(Conversation, _parse, text)


def _plain(value: Portable, raw: bool) -> dict[str, JSON]:
    plain: dict[str, JSON] = {}
    for name, default, is_json in _fields(cast("Hashable", type(value))):
        content = getattr(value, name)
        if content is default:
            continue
        kind = type(content)
        if kind is type(default) and content == default:
            continue
        if is_json:
            if raw or name != "raw":
                plain[name] = content
        elif kind is str:  # most are: the first to be found out
            plain[name] = content
        elif kind is tuple:
            plain[name] = [
                _plain(item, raw) if isinstance(item, Portable) else item for item in content
            ]
        elif isinstance(content, datetime):
            plain[name] = content.isoformat()
        elif isinstance(content, Portable):
            plain[name] = _plain(content, raw)
        else:
            plain[name] = content
    return plain


@cache
def _fields(kind: Hashable) -> tuple[tuple[str, object, bool], ...]:
    """Return the fields of a class, with their defaults and whether they hold arbitrary JSON.

    `kind` and `id` are always written, as if they had no default.
    """
    always = {"kind", "id"} if kind is not Source else set()
    return tuple(
        (
            name,
            PydanticUndefined if name in always else _default(info),
            name in _JSON_FIELDS,
        )
        for name, info in field_infos(kind).items()
    )


def field_infos(kind: Hashable) -> Mapping[str, FieldInfo]:
    """Return the fields of a class of the schema, be it a model or a dataclass of pydantic's."""
    infos: Mapping[str, FieldInfo] = (
        getattr(kind, "model_fields", None) or kind.__dict__["__pydantic_fields__"]
    )
    return infos


def _default(info: FieldInfo) -> object:
    return info.get_default(call_default_factory=True, validated_data={})


def _load(kind: type[T], read: Callable[[type[T], D], T], data: D) -> T:
    """Load a value by a function whose errors only give the reason."""
    try:
        return read(kind, data)
    except InvalidError as error:
        raise InvalidError(f"invalid {kind.__name__.lower()}: {error}") from None


def _validate(kind: type[T], data: JSON) -> T:
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        reason = _reason(error)
    except RecursionError:
        reason = "it is nested too deeply"
    raise InvalidError(reason)


def _reason(error: ValidationError) -> str:
    """Return the first reason of an error, without what was read."""
    first, *_ = error.errors(include_input=False, include_url=False, include_context=False)
    where, text = ".".join(map(str, first["loc"])), first["msg"]
    if text.startswith("Input should "):
        return f"{where or 'it'} must {text.removeprefix('Input should ')}"
    return f"{where}: {text}" if where else text


def _parse(kind: type[T], text: str) -> T:
    try:
        return kind.model_validate_json(text, strict=True)
    except ValidationError as error:
        if not _is_unparsed(error):
            raise InvalidError(_reason(error)) from None
    return validate_strictly(kind, join_surrogates(decode(text)))


def _is_unparsed(error: ValidationError) -> bool:
    """Return whether pydantic's parser gave up: it takes no surrogates and no deep nesting."""
    return error.errors(include_input=False)[0]["type"] in {"json_invalid", "string_unicode"}


def decode(text: str) -> JSON:
    try:
        return json.loads(text)
    except RecursionError:
        raise InvalidError("it is nested too deeply") from None
    except ValueError:
        raise InvalidError("it is not JSON") from None


def validate_strictly(kind: type[T], data: JSON) -> T:
    """Load decoded JSON that pydantic's own parser may refuse.

    Only that parser is strict about types and takes JSON's times and lists, so it checks a copy.
    """
    copy = to_json(data, ascii_only=False).encode("utf-8", "replace")
    try:
        kind.model_validate_json(copy, strict=True)
    except ValidationError as error:
        if not _is_unparsed(error):
            raise InvalidError(_reason(error)) from None
    return _validate(kind, data)
