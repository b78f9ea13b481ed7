"""Lines of JSON, read one at a time and within bounds; what is wrong with one names its number.

What the lines mean is the formats' own matter.
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
    """One line's object; `number` counts from 1."""

    number: int
    data: Row

    def read(self, load: Callable[[JSON], T], data: JSON) -> T:
        """What `load` makes of a part of this line.

        Raises:
            InvalidError: It is none; the message names the line.
        """
        try:
            return load(data)
        except InvalidError as error:
            raise InvalidError(f"line {self.number}: {error}") from None

    def refuse(self, what: str) -> NoReturn:
        """Says what is wrong with this line.

        Raises:
            InvalidError: Always.
        """
        raise InvalidError(f"line {self.number} {what}")


def json_lines(stream: BinaryIO) -> Iterator[Line]:
    """Yields the objects that stand on the lines of a file; empty lines are passed over.

    Raises:
        InvalidError: A line is too long, is not JSON, or is no object; the message names it.
    """
    number = 0
    while text := stream.readline(MAX_LINE + 1):
        number += 1
        if len(text) > MAX_LINE:
            raise InvalidError(f"line {number} is longer than {MAX_LINE} bytes")
        if number == 1:
            text = text.removeprefix(b"\xef\xbb\xbf")
        if not text.isspace() and text:
            yield Line(number, _object(text, number))


def _object(text: bytes, number: int) -> Row:
    try:
        data = _decoded(text)
    except RecursionError:
        raise InvalidError(f"line {number} is nested too deeply to be read") from None
    except ValueError as error:
        reason = getattr(error, "msg", "a value is out of bounds")
        if not text.endswith(b"\n"):
            reason = "the file ends within it, as one does that was cut off"
        raise InvalidError(f"line {number} is not JSON that can be read: {reason}") from None
    if not isinstance(data, dict):
        raise InvalidError(f"line {number} is no JSON object")
    return data


def _decoded(text: bytes) -> JSON:
    # Not `decode_json`: what a service sent within its bound is deeper here, as part of a line.
    try:
        return from_json(text)
    except ValueError:  # it takes no lone surrogates and nothing deeper than its bound
        return json.loads(text)
