"""Fields that a later version of the gateway has added, taken out of its answers.

The schema is closed, so that a misspelt field is an error. A field that a newer gateway adds is
not: it is left out, and noted as a `Problem` where there is a place for one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from pydantic import ValidationError

from convostore.models import JSON

Place: TypeAlias = tuple[int | str, ...]

_WHAT: Final = "is not known to this version of convostore: update it"


def unknown_fields(error: ValidationError) -> list[Place]:
    """Return the places of unknown fields; nothing if anything else is wrong as well."""
    errors = error.errors(include_input=False, include_url=False, include_context=False)
    if any(row["type"] != "extra_forbidden" for row in errors):
        return []
    return [row["loc"] for row in errors]


def without_fields(data: JSON, places: Iterable[Place]) -> JSON:
    """Return a copy of data without the fields at some places.

    A value that may have problems gets one for each.
    """
    for place in places:
        data = _without(data, place)
    return data


def _without(data: JSON, place: Sequence[int | str]) -> JSON:
    first, rest = place[0], place[1:]
    if isinstance(data, list | tuple) and isinstance(first, int):
        return [*data[:first], _without(data[first], rest), *data[first + 1 :]]
    if not isinstance(data, dict) or (rest and first not in data.keys() - {data.get("kind")}):
        return _without(data, rest) if rest else data  # it names a choice of a union
    if rest:
        return {**data, first: _without(data[first], rest)}
    kept = {name: value for name, value in data.items() if name != first}
    if "id" in data and not {"kind", "name"} & data.keys():  # a message or a conversation
        kept["problems"] = [*data.get("problems", ()), {"where": first, "what": _WHAT}]
    return kept
