"""Hypothesis strategies for hostile input: any JSON, and documents corrupted in one place."""

from __future__ import annotations

import copy
from typing import Final

from hypothesis import strategies as st

from ..models import JSON

__all__ = ["corrupted", "json_values", "nested", "texts"]

_AWKWARD: Final[tuple[JSON, ...]] = (
    None,
    True,
    0,
    -1,
    10**400,
    1.5,
    float("inf"),
    float("nan"),
    "",
    "\ud800",
    "\x00",
    "[]",
    "{}",
    '"\\"[]\\""',
    "9" * 5000,
    "not json {",
    "Invalid Date",
    "Sat Dec 07 2024 09:35:59 GMT+9999 (nowhere)",
    "Sat Xxx 07 2024 09:35:59 GMT+0000",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59-23:59",
    "99999999999999999999",
    [],
    {},
    [None],
    [[]],
    {"": None},
)


_PIECES: Final = ("\ud83d\ude00", "\ud83d\u200c\ude00", "\U0001f600", "\ud83d", "\ude00", "\u200c")


def texts(*, pairs: bool = False) -> st.SearchStrategy[str]:
    """Draw any text, lone surrogates and control characters included.

    Args:
        pairs: Whether to draw two lone surrogates side by side, too, which are one character if
            they are written as JSON. The JSON of most services cannot hold such a text.
    """
    any_text = st.text(st.characters(codec=None), max_size=30)
    if not pairs:
        return any_text
    return any_text | st.lists(st.sampled_from(_PIECES), max_size=5).map("".join)


def json_values() -> st.SearchStrategy[JSON]:
    """Draw any JSON value, beginning with those that have broken readers before."""
    # Copied, as a test may change what it draws: another draw must not see that.
    awkward = st.sampled_from(_AWKWARD).map(copy.deepcopy)
    scalars = st.one_of(awkward, st.none(), st.booleans(), st.integers(), st.floats(), texts())
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts(), inner, max_size=4),
        max_leaves=8,
    )


def nested(depth: int) -> JSON:
    """Return a list within a list, `depth` levels deep."""
    value: JSON = []
    for _ in range(depth - 1):
        value = [value]
    return value


@st.composite
def corrupted(draw: st.DrawFn, document: JSON, places: int = 2) -> JSON:
    """Draw a copy of a JSON document in which some places hold other JSON, or are missing."""
    changed = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, places))):
        paths = list(_paths(changed))
        if not paths:
            return draw(json_values())
        *above, last = draw(st.sampled_from(paths))
        holder = changed
        for step in above:
            holder = holder[step]
        if draw(st.booleans()):
            holder[last] = draw(json_values())
        else:
            del holder[last]
    return changed


def _paths(value: JSON, above: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the paths of all places of a document, below its top."""
    items: list[tuple[str | int, JSON]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    paths = []
    for step, inner in items:
        paths.append((*above, step))
        paths += _paths(inner, (*above, step))
    return paths
