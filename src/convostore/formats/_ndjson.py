"""Lines of JSON, read one at a time and within bounds; errors name the line's number.

The meaning of the lines belongs to the formats.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, NoReturn, TypeVar

from pydantic_core import from_json

from ..errors import InvalidError
from ..models import JSON
from ..parsing import Row

T = TypeVar("T")

MAX_LINE: Final = 256 * 1024 * 1024
"""Bytes of the longest line that is read: a message with its `raw`, or a whole conversation."""


@dataclass(frozen=True, slots=True)
class Line:
    """The object on a line; `number` counts from 1."""

    number: int
    data: Row

    def parse(self, load: Callable[[JSON], T], data: JSON) -> T:
        """Return the result of `load` for a part of this line.

        Raises:
            InvalidError: The part is invalid; the message names the line.
        """
        try:
            return load(data)
        except InvalidError as error:
            raise InvalidError(f"line {self.number}: {error}") from None

    def fail(self, reason: str) -> NoReturn:
        """Raise an error that names this line.

        Raises:
            InvalidError: Always.
        """
        raise InvalidError(f"line {self.number} {reason}")


def _unchanged(data: JSON) -> JSON:
    return data


def json_lines(stream: BinaryIO, *, change: Callable[[JSON], JSON] = _unchanged) -> Iterator[Line]:
    """Yield the object on each line of a file; skip empty lines.

    Args:
        stream: The file.
        change: What is done to what a line with lone surrogates holds.

    Raises:
        InvalidError: A line is too long, is not JSON, or is not an object; the message names it.
    """
    number = 0
    while text := stream.readline(MAX_LINE + 1):
        number += 1
        if len(text) > MAX_LINE:
            raise InvalidError(f"line {number} is longer than {MAX_LINE} bytes")
        if number == 1:
            text = text.removeprefix(b"\xef\xbb\xbf")
        if not text.isspace() and text:
            yield Line(number, _object(text, number, change))


def _object(text: bytes, number: int, change: Callable[[JSON], JSON]) -> Row:
    try:
        data = _decode(text, change)
    except RecursionError:
        raise InvalidError(f"line {number} is nested too deeply") from None
    except ValueError as error:
        reason = getattr(error, "msg", "a value is out of bounds")
        if not text.endswith(b"\n"):
            reason = "the file is truncated within it"
        raise InvalidError(f"line {number} is not valid JSON: {reason}") from None
    if not isinstance(data, dict):
        raise InvalidError(f"line {number} must be a JSON object, got {type(data).__name__}")
    return data


def _decode(text: bytes, change: Callable[[JSON], JSON]) -> JSON:
    # Not `decode_json`: an object at its depth limit is nested deeper here, within a line.
    try:
        return from_json(text)
    except ValueError:  # it refuses lone surrogates, and nesting beyond its limit
        return change(json.loads(text))
