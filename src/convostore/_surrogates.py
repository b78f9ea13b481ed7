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

_JOINABLE: Final = re.compile("[\ud800-\udbff]\u200c*(?=[\udc00-\udfff])")
_SEPARATED: Final = re.compile("([\ud800-\udbff]\u200c*)\u200c(?=[\udc00-\udfff])")

_JSON = Any  # decoded: texts, and lists and objects of them


def separate_surrogates(data: T) -> T:
    """Return JSON data in which no text has two surrogates that its JSON would join."""
    separated: T = _map(data, lambda text: _JOINABLE.sub("\\g<0>\u200c", text))
    return separated


def join_surrogates(data: T) -> T:
    """Return decoded JSON data as it was before `separate_surrogates`."""
    joined: T = _map(data, lambda text: _SEPARATED.sub("\\1", text))
    return joined


def may_hold_pairs(text: str) -> bool:
    """Return whether ASCII JSON may hold surrogates, or characters that are two of them there."""
    return "\\ud" in text


def _map(value: _JSON, change: Callable[[str], str]) -> _JSON:
    """Return a copy of JSON data with its texts changed.

    It calls itself for no level: JSON that can be read may be nested deeper than calls can be.
    """
    holder: list[_JSON] = [value]
    unchanged: list[_JSON] = [holder]
    while unchanged:
        container = unchanged.pop()
        places = container.items() if type(container) is dict else enumerate(container)
        for place, item in [*places]:
            kind = type(item)
            if kind is str:
                container[place] = _changed(item, change)
            elif kind is list or kind is tuple:
                container[place] = [*item]
                unchanged.append(container[place])
            elif kind is dict:
                container[place] = {_changed(key, change): within for key, within in item.items()}
                unchanged.append(container[place])
    return holder[0]


def _changed(text: _JSON, change: Callable[[str], str]) -> _JSON:
    return text if type(text) is not str or text.isascii() else change(text)
