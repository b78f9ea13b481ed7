"""Tolerant reading of what services send: JSON within bounds, dates in every spelling, fields.

A reader of a field returns the value or nothing, and notes as a `Problem` what could not be read.
What adapters of any service need lives here; what only one of them needs lives in its `wire.py`.
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
"""One object of an answer, whose fields hold anything."""

MAX_NESTING: Final = 201
"""How deep a JSON value may be; the fast parser's own bound, kept for the slow one as well."""

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


def decode_json(data: bytes | str, what: str = "the answer") -> JSON:
    """Decodes JSON text; of a repeated key the last one counts, lone surrogates are kept.

    Args:
        data: The text.
        what: Its name in the error's message.

    Raises:
        ProtocolError: It is not JSON, is nested deeper than `MAX_NESTING`, or holds a number of
            more digits than Python converts (4,300). Its `excerpt` is the beginning of the text.
    """
    try:
        return from_json(data)
    except (ValueError, TypeError):  # it takes no text with lone surrogates for text
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
    """Decodes what the fast parser refused: lone surrogates are legal JSON to the services."""
    try:
        value = json.loads(data)
    except RecursionError:
        raise ProtocolError(f"{what} is nested too deeply to be read") from None
    except ValueError as error:
        reason = (
            error.msg if isinstance(error, json.JSONDecodeError) else "a value is out of bounds"
        )
        raise ProtocolError(f"{what} is not JSON that can be read: {reason}") from None
    if _deeper_than(value, MAX_NESTING):
        raise ProtocolError(f"{what} is nested deeper than {MAX_NESTING} levels")
    return value


def _deeper_than(value: JSON, bound: int) -> bool:
    level = [value]
    for _ in range(bound):
        level = [inner for outer in level for inner in _within(outer)]
        if not level:
            return False
    return True


def _within(value: JSON) -> list[JSON]:
    """The containers that stand directly within a value."""
    if isinstance(value, dict):
        value = list(value.values())
    return (
        [each for each in value if isinstance(each, dict | list)] if isinstance(value, list) else []
    )


def read_time(value: object) -> datetime | None:
    """Reads a point in time; None for what is none, never an error and never a guess.

    Read are ISO 8601 with ``Z``, an offset or nothing (then UTC, as SQLite's column default writes
    it), JavaScript's ``Date.toString()`` in any zone (the name in brackets is in the server's
    language and is ignored), and milliseconds since 1970 as a number or as digits.
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
    """Writes ``Sat Dec 07 2024 17:35:59 GMT+0800 (中国标准时间)`` as ISO 8601."""
    month = _MONTHS.get(text[4:7], "?")
    return f"{text[11:15]}-{month}-{text[8:10]}T{text[16:24]}{text[28:33]}"


def _in_utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _from_milliseconds(number: float) -> datetime | None:
    """Reads JavaScript's clock; what would lie before 1973 is another number (seconds, an id)."""
    return _EPOCH + timedelta(milliseconds=number) if abs(number) >= 1e11 else None


def read_object(value: JSON, where: str, problems: list[Problem]) -> Row:
    """An object; an empty one for null and, with a problem, for anything else."""
    if isinstance(value, dict):
        return value
    if value is not None:
        problems.append(Problem(where=where, what="is not an object"))
    return {}


def read_text(row: Row, name: str, problems: list[Problem]) -> str | None:
    """A field's text; None for null and, with a problem, for anything else."""
    value = row.get(name)
    if value is None or isinstance(value, str):
        return value
    problems.append(Problem(where=name, what="is not text"))
    return None


def non_empty_text(row: JSON, name: str) -> str | None:
    """A field's text that is not empty; None for anything else, and of no object's."""
    value = row.get(name) if isinstance(row, dict) else None
    return value if isinstance(value, str) and value else None


def read_time_field(
    value: JSON, problems: list[Problem], where: str = "createdAt"
) -> datetime | None:
    """A time; None for nothing or the empty text and, with a problem, for anything else."""
    time = read_time(value)
    if time is None and value not in (None, ""):
        problems.append(Problem(where=where, what="is not a date"))
    return time
