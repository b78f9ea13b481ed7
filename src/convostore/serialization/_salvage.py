"""Salvage: what can be read of a value that a store kept and that is not valid any more.

Pieces are validated one by one, each as the only field of an otherwise valid value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

from pydantic_core import from_json

from ..errors import InvalidError
from ..models import JSON, Conversation, Message, OtherPart, Problem, ReasoningPart, TextPart
from ._codec import decode, validate_strictly

T = TypeVar("T", Conversation, Message)

_DAMAGED: Final = "is damaged in the store"
_READABLE: Final = {"text": TextPart, "reasoning": ReasoningPart}


def salvage_message(text: object, columns: Mapping[str, object]) -> Message:
    """Return what can be read of a stored message that `parse_message` refuses.

    Each field is taken alone, and a problem names each that cannot be read. Then `raw` is the whole
    stored text, so that nothing is lost if the message is stored again; if a column cannot be read
    either, it is an object of both. Parts that cannot be read are kept as text where there is one,
    else as an `OtherPart`.

    Args:
        text: The stored JSON, whatever has become of it.
        columns: Fields that are stored elsewhere, times as ISO 8601; the id must be valid.
    """
    return _salvage(Message, text, columns, {"id": columns["id"], "role": "other"})


def salvage_conversation(text: object, columns: Mapping[str, object]) -> Conversation:
    """Return what can be read of a stored conversation, as `salvage_message` does.

    Args:
        text: The stored JSON, whatever has become of it; None if there is none.
        columns: Fields that are stored elsewhere, times as ISO 8601; the id must be valid.
    """
    return _salvage(Conversation, text, columns, {"id": columns["id"]})


def has_damaged_id(value: Conversation | Message) -> bool:
    """Return whether an id is damaged: then the store finds nothing by what it shows as one."""
    return any(problem.where == "id" and is_damage(problem) for problem in value.problems)


def damage(where: str, what: str) -> Problem:
    """Make the problem of a field that a store kept and cannot read, which `is_damage` recognises.

    Args:
        where: The field.
        what: Why it cannot be read, as "it is not a time"; the field's name before it is left out.
    """
    reason = what.removeprefix(f"{where}: ").removeprefix(f"{where} ")
    return Problem(where=where, what=f"{_DAMAGED}: {reason}")


def is_damage(problem: Problem) -> bool:
    """Return whether a problem is one of a value that a store kept and cannot read any more."""
    return problem.what.startswith(_DAMAGED)


def _salvage(
    kind: type[T], text: object, columns: Mapping[str, object], valid: Mapping[str, JSON]
) -> T:
    problems: list[Problem] = []
    body = {} if text is None else _decode_partly(text, problems)
    fields: dict[str, Any] = _salvage_fields(kind, body, valid, problems)
    raw = _plain_text(text) if problems else fields.get("raw")
    problems_of_columns: list[Problem] = []
    fields |= _salvage_fields(kind, columns, valid, problems_of_columns)
    if problems_of_columns:
        damaged = {problem.where for problem in problems_of_columns}
        raw = {name: _plain_text(columns[name]) for name in damaged} | {"body": _plain_text(text)}
    problems = [*fields.get("problems", ()), *problems, *problems_of_columns]
    return kind.model_construct(**{**valid, **fields, "problems": tuple(problems), "raw": raw})


def _plain_text(value: object) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return None if value is None else str(value)


def _decode_partly(text: object, problems: list[Problem]) -> dict[str, JSON]:
    """Decode a stored text as far as it is the beginning of a JSON object."""
    plain = _plain_text(text) or ""
    data: JSON = None
    try:
        data = decode(plain)
        if not isinstance(data, dict):
            problems.append(damage("body", "it is not a JSON object"))
        elif not isinstance(text, str):
            problems.append(damage("body", "it is not text"))
    except InvalidError as error:
        problems.append(damage("body", str(error)))
        with suppress(ValueError):
            data = from_json(plain.encode("utf-8", "replace"), allow_partial="trailing-strings")
    return data if isinstance(data, dict) else {}


def _salvage_fields(
    kind: type[T],
    stored: Mapping[str, object],
    valid: Mapping[str, JSON],
    problems: list[Problem],
) -> dict[str, Any]:
    """Return the fields that can be read; add a problem for each of the others."""
    fields: dict[str, Any] = {}
    for name, value in stored.items():
        if name not in kind.model_fields:
            problems.append(damage(name, "there is no such field"))
        else:
            fields |= _salvage_field(kind, name, value, valid, problems)
    return fields


def _salvage_field(
    kind: type[T],
    name: str,
    value: JSON,
    valid: Mapping[str, JSON],
    problems: list[Problem],
) -> dict[str, object]:
    """Return a field's value by its name, or nothing if none of it can be read."""
    if isinstance(value, bytes):
        problems.append(damage(name, "it is not UTF-8"))
        return {}
    try:
        return {name: getattr(validate_strictly(kind, {**valid, name: value}), name)}
    except InvalidError as error:
        items = value if isinstance(value, list) else [value]
        kept = [item for piece in items for item in _salvage_items(kind, name, piece, valid)]
        problems.append(damage(name, str(error)))
        return {name: tuple(kept)} if kept else {}


def _salvage_items(
    kind: type[T], name: str, item: JSON, valid: Mapping[str, JSON]
) -> Iterator[object]:
    """Yield an item of a field that holds several, if it is readable; of parts, whatever it is."""
    try:
        yield from getattr(validate_strictly(kind, {**valid, name: [item]}), name)
    except (InvalidError, TypeError):
        if name == "parts" and item is not None:
            yield _salvage_part(item)


def _salvage_part(item: JSON) -> object:
    if isinstance(item, str):
        return TextPart(text=item)
    kind = _READABLE.get(str(item.get("kind"))) if isinstance(item, dict) else None
    if kind is not None and isinstance(item.get("text"), str):
        return kind(text=item["text"])
    return OtherPart(data=item)
