r"""Surrogates: two lone ones that JSON's escapes would join to one character are kept apart.

``"\ud83d\ude00"`` is 😀 to every JSON parser, also where a text held two code points. The formats
of convostore itself put U+200C, the zero width non-joiner, between them, and one more where some
are there already; whoever decodes takes one away again. No other text changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

T = TypeVar("T")

_TO_PART: Final = re.compile("[\ud800-\udbff]\u200c*(?=[\udc00-\udfff])")
_PARTED: Final = re.compile("([\ud800-\udbff]\u200c*)\u200c(?=[\udc00-\udfff])")

_JSON = Any  # decoded: texts, and lists and objects of them


def part_surrogates(data: T) -> T:
    """Return JSON data in which no text has two surrogates that its JSON would join."""
    parted: T = _map(data, lambda text: _TO_PART.sub("\\g<0>\u200c", text))
    return parted


def join_surrogates(data: T) -> T:
    """Return decoded JSON data as it was before `part_surrogates`."""
    joined: T = _map(data, lambda text: _PARTED.sub("\\1", text))
    return joined


def may_hold_pairs(text: str) -> bool:
    """Return whether ASCII JSON may hold surrogates, or characters that are two of them there."""
    return "\\ud" in text


def _map(value: _JSON, change: Callable[[str], str]) -> _JSON:
    kind = type(value)
    if kind is str:
        return value if value.isascii() else change(value)
    if kind is list or kind is tuple:
        return [_map(item, change) for item in value]
    if kind is dict:
        return {_map(key, change): _map(item, change) for key, item in value.items()}
    return value
