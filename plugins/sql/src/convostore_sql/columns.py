"""Texts and times as values of columns, and back.

Any text is stored losslessly and in its order: NUL and surrogates, which databases refuse, are
encoded as pairs of characters. No row may be known here.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from operator import index
from typing import Final, overload

__all__ = [
    "ENCODED",
    "EPOCH",
    "MOST",
    "decode_text",
    "encode_text",
    "is_count",
    "is_encoded",
    "is_number",
    "microseconds",
    "time_of",
]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
ENCODED: Final = "~"
"""First character of a body with surrogates: JSON would merge two adjacent ones into one."""
_REFUSED: Final = re.compile("[\x00\x01\ud800-\udfff\ue000]")
_REPLACED: Final = re.compile("\x01[\x01\x02]|\ue000[\x01-\u0801]")
_SURROGATES: Final = 0xD800
_LEAST, _MOST = -(2**63), 2**63 - 1
MOST: Final = 2**62
"""More messages than there are."""


def encode_text(text: str) -> str:
    """Encode a text for a column; encoded texts sort by code points, as the texts do."""
    return _REFUSED.sub(_pair_for, text)


def decode_text(text: str) -> str:
    """Decode the text of a column."""
    if "\x01" not in text and "\ue000" not in text:
        return text
    return _REPLACED.sub(_one_for, text)


def _pair_for(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code <= 1:
        return "\x01" + chr(code + 1)
    # Surrogates sort before U+E000: they and it become pairs that begin with it.
    return "\ue000" + chr(code - _SURROGATES + 1)


def _one_for(match: re.Match[str]) -> str:
    pair = match[0]
    return chr(ord(pair[1]) - 1 + (0 if pair[0] == "\x01" else _SURROGATES))


def is_encoded(identity: object) -> bool:
    """Return whether the id of a column is one that `encode_text` made, by which it is found."""
    if not isinstance(identity, str) or not identity:
        return False
    return encode_text(decode_text(identity)) == identity


def is_count(value: object) -> bool:
    """Return whether a value is a number of messages."""
    return type(value) is int and 0 <= value < MOST


def is_number(value: object) -> bool:
    """Return whether a value is one that both databases store in a column of numbers."""
    return type(value) is int and _LEAST <= value <= _MOST


@overload
def microseconds(time: datetime) -> int: ...
@overload
def microseconds(time: datetime | None) -> int | None: ...
def microseconds(time: datetime | None) -> int | None:
    """Encode a time for a column: microseconds since 1970, UTC."""
    return None if time is None else (time - EPOCH) // _MICROSECOND


@overload
def time_of(number: int) -> datetime: ...
@overload
def time_of(number: int | None) -> datetime | None: ...
def time_of(number: int | None) -> datetime | None:
    """Decode the time of a column."""
    if number is None:
        return None
    seconds, rest = divmod(index(number), 1_000_000)  # faster than a timedelta of microseconds
    return EPOCH + timedelta(0, seconds, rest)
