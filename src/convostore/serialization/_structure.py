"""Structure: a check of decoded JSON that makes no value, in a fraction of the time of validation.

It is derived from the annotations of the schema, so that it knows each field.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import AwareDatetime
from pydantic.fields import FieldInfo

from ..models import JSON, Conversation, Message

_Check: TypeAlias = Callable[[Any], bool]  # Any: decoded JSON

_TYPES: Final[Mapping[object, frozenset[type]]] = {
    str: frozenset({str}),
    bool: frozenset({bool}),
    float: frozenset({float, int}),
    NoneType: frozenset({NoneType}),
    JSON: frozenset({dict, list, str, int, float, bool, NoneType}),
}


def structure_of(
    kind: type[Message | Conversation], *, without: Collection[str] = ()
) -> Callable[[JSON], bool]:
    """Return a check of whether decoded JSON is a value of a class.

    Args:
        kind: The class.
        without: Fields that the data does not have, because they are stored elsewhere.
    """
    check = _object_check(kind, frozenset(without))

    def is_sound(data: JSON) -> bool:
        try:
            return check(data)
        except (KeyError, TypeError, ValueError, AttributeError):
            return False  # an unknown field, or a value where another type was expected

    return is_sound


@cache
def _object_check(kind: Any, without: frozenset[str] = frozenset()) -> _Check:
    infos: Mapping[str, FieldInfo] = (
        getattr(kind, "model_fields", None) or kind.__dict__["__pydantic_fields__"]
    )
    types: dict[str, frozenset[type]] = {}
    checks: dict[str, _Check] = {}
    for name in infos.keys() - without:
        types[name], alternatives = _accepted(infos[name].annotation)
        if alternatives:
            (checks[name],) = alternatives
    required = frozenset([name for name in types if infos[name].is_required()])

    def check(data: Any) -> bool:
        for name, value in data.items():
            if type(value) not in types[name] and not checks[name](value):
                return False
        return not required or required <= data.keys()

    return check


def _accepted(annotation: Any) -> tuple[frozenset[type], list[_Check]]:
    """Return the types of which a field takes any value, and the checks of other values."""
    origin = get_origin(annotation)
    if annotation in _TYPES:
        return _TYPES[annotation], []
    if origin is Annotated:
        return _accepted(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        return _accepted_by_one(get_args(annotation))
    if origin is Mapping:
        return frozenset({dict}), []
    return frozenset(), [_check_of(annotation, origin)]


def _accepted_by_one(alternatives: Sequence[Any]) -> tuple[frozenset[type], list[_Check]]:
    if len(alternatives) > 2:  # the parts; all other unions are with None
        return frozenset(), [_part_check([get_args(part)[0] for part in alternatives])]
    pairs = [_accepted(alternative) for alternative in alternatives]
    types = frozenset(kind for types, _ in pairs for kind in types)
    return types, [check for _, checks in pairs for check in checks]


def _check_of(annotation: Any, origin: object) -> _Check:
    if origin is Literal:
        return frozenset(get_args(annotation)).__contains__
    if origin is tuple:
        return _list_check(get_args(annotation)[0])
    if annotation is AwareDatetime:
        return lambda text: datetime.fromisoformat(text).tzinfo is UTC
    return _object_check(annotation)


def _list_check(annotation: Any) -> _Check:
    _, (check,) = _accepted(annotation)
    return lambda items: type(items) is list and all(map(check, items))


def _part_check(kinds: Sequence[Any]) -> _Check:
    checks = {
        name: _object_check(kind)
        for kind in kinds
        for name in get_args(kind.model_fields["kind"].annotation)
    }

    def check(data: Any) -> bool:
        check_kind = checks.get(data["kind"])
        return check_kind is None or check_kind(data)  # one of an unknown kind is kept whole

    return check
