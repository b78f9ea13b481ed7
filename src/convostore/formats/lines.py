"""Lines of JSON, read one at a time and within bounds; what is wrong with one names its number.

What the lines mean is the formats' own matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, NoReturn, TypeVar

from ..errors import InvalidError, StoreError
from ..models import JSON
from ..reading import Row, decode_json

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
        data = decode_json(text, f"line {number}")
    except StoreError as error:
        raise InvalidError(str(error)) from None
    if not isinstance(data, dict):
        raise InvalidError(f"line {number} is no JSON object")
    return data
