"""Tolerant parsing of services' responses: bounded JSON, dates in all formats, fields.

The functions for fields return the value or nothing, and report as a `Problem` what they could not
parse. Whatever only one service needs belongs in its adapter.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from pydantic_core import from_json

from .errors import ProtocolError
from .models import JSON, Problem

__all__ = [
    "MAX_NESTING",
    "Row",
    "decode_json",
    "non_empty_text",
    "read_object",
    "read_text",
    "read_time",
    "read_time_field",
]

Row: TypeAlias = dict[str, Any]
"""One JSON object of a response, whose fields may hold anything."""

MAX_NESTING: Final = 201
"""The maximum nesting of a JSON value; pydantic's limit, applied to the slow parser as well."""

_EXCERPT: Final = 200
"""Characters of a text that an error shows."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS: Final = {
    name: f"{number:02}"
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
        start=1,
    )
}


def decode_json(data: bytes | str, what: str = "the response") -> JSON:
    """Decode JSON; the last of repeated keys counts, and lone surrogates are kept.

    Args:
        data: The JSON text.
        what: Its name in the error's message.

    Raises:
        ProtocolError: It is not JSON, is nested deeper than `MAX_NESTING`, or contains a number
            with more digits than Python converts (4,300). Its `excerpt` is the beginning of the
            text.
    """
    try:
        return from_json(data)
    except (ValueError, TypeError):  # TypeError: a str with lone surrogates
        pass
    try:
        return _decode_slowly(data, what)
    except ProtocolError as error:
        error.excerpt = _beginning(data)
        raise


def _beginning(data: bytes | str) -> str:
    text = data if isinstance(data, str) else data[: 4 * _EXCERPT].decode("utf-8", "replace")
    return text[:_EXCERPT]


def _decode_slowly(data: bytes | str, what: str) -> JSON:
    """Decode what pydantic's parser refused; services do send lone surrogates."""
    try:
        value = json.loads(data)
    except RecursionError:
        raise ProtocolError(f"{what} is nested too deeply") from None
    except ValueError as error:
        reason = (
            error.msg if isinstance(error, json.JSONDecodeError) else "a value is out of bounds"
        )
        raise ProtocolError(f"{what} is not JSON: {reason}") from None
    if _is_deeper_than(value, MAX_NESTING):
        raise ProtocolError(f"{what} is nested deeper than {MAX_NESTING} levels")
    return value


def _is_deeper_than(value: JSON, bound: int) -> bool:
    level = [value]
    for _ in range(bound):
        level = [inner for outer in level for inner in _containers(outer)]
        if not level:
            return False
    return True


def _containers(value: JSON) -> list[JSON]:
    """Return the arrays and objects that are direct items of a value."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return []
    return [item for item in value if isinstance(item, dict | list)]


def read_time(value: object) -> datetime | None:
    """Parse a point in time; return None for anything else, without an error and without a guess.

    Accepted are ISO 8601 with ``Z``, an offset or neither (then UTC, as SQLite's column default
    writes it), JavaScript's ``Date.toString()`` in any zone (the name in brackets is in the
    server's language and is ignored), and milliseconds since 1970, as a number or as digits.
    """
    try:
        if isinstance(value, str):
            if value[24:28] == " GMT":
                value = _js_to_iso(value)
            if value[4:5] == "-":
                time = datetime.fromisoformat(value)
                return time if time.tzinfo is UTC else _in_utc(time)
            return _from_milliseconds(int(value)) if value.isascii() and value.isdecimal() else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _from_milliseconds(value)
    except (ValueError, OverflowError):
        pass
    return None


def _js_to_iso(text: str) -> str:
    """Convert ``Sat Dec 07 2024 17:35:59 GMT+0800 (中国标准时间)`` to ISO 8601."""
    month = _MONTHS.get(text[4:7], "?")
    return f"{text[11:15]}-{month}-{text[8:10]}T{text[16:24]}{text[28:33]}"


def _in_utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _from_milliseconds(number: float) -> datetime | None:
    """Convert JavaScript's time; a value before 1973 is taken for seconds or an id, not a time."""
    return _EPOCH + timedelta(milliseconds=number) if abs(number) >= 1e11 else None


def read_object(value: JSON, where: str, problems: list[Problem]) -> Row:
    """Return an object, or an empty one for null and, with a problem, for anything else."""
    if isinstance(value, dict):
        return value
    if value is not None:
        problems.append(Problem(where=where, what="is not an object"))
    return {}


def read_text(row: Row, name: str, problems: list[Problem]) -> str | None:
    """Return a field's text, or None for null and, with a problem, for anything else."""
    value = row.get(name)
    if value is None or isinstance(value, str):
        return value
    problems.append(Problem(where=name, what="is not text"))
    return None


def non_empty_text(row: JSON, name: str) -> str | None:
    """Return a field's text if it is not empty, or None for anything else."""
    value = row.get(name) if isinstance(row, dict) else None
    return value if isinstance(value, str) and value else None


def read_time_field(
    value: JSON, problems: list[Problem], where: str = "createdAt"
) -> datetime | None:
    """Return a time, or None for null, the empty text and, with a problem, for anything else."""
    time = read_time(value)
    if time is None and value not in (None, ""):
        problems.append(Problem(where=where, what="is not a date"))
    return time
