"""Structure: a check of JSON that makes no value, in a fraction of the time of validation.

It is derived from the annotations of the schema, so that it knows each field, and carried out by
pydantic's core alone: nothing of it runs in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import AwareDatetime
from pydantic_core import CoreSchema, SchemaValidator, core_schema

from ..models import JSON, Conversation, Message
from ._codec import field_infos

_SIMPLE: Final[Mapping[object, CoreSchema]] = {
    str: core_schema.str_schema(strict=True),
    bool: core_schema.bool_schema(strict=True),
    float: core_schema.float_schema(strict=True),
    AwareDatetime: core_schema.datetime_schema(strict=True, tz_constraint=0),
    JSON: core_schema.any_schema(),
}


def structure_of(
    kind: type[Message | Conversation], *, without: Collection[str] = ()
) -> Callable[[str], bool]:
    """Return a check of whether a text is the JSON of a value of a class.

    It takes no text with lone surrogates, no deep nesting and no part of an unknown kind, though a
    value may have them.

    Args:
        kind: The class.
        without: Fields that the JSON does not have, because they are stored elsewhere.
    """
    validate = SchemaValidator(_object_schema(kind, frozenset(without))).validate_json

    def is_sound(text: str) -> bool:
        try:
            validate(text)
        except ValueError:
            return False
        return True

    return is_sound


@cache
def _object_schema(kind: Any, without: frozenset[str] = frozenset()) -> CoreSchema:
    infos = field_infos(kind)
    fields = {
        name: core_schema.typed_dict_field(
            _schema_of(infos[name].annotation), required=infos[name].is_required()
        )
        for name in infos.keys() - without
    }
    return core_schema.typed_dict_schema(fields, extra_behavior="forbid", strict=True)


def _schema_of(annotation: Any) -> CoreSchema:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in _SIMPLE:
        return _SIMPLE[annotation]
    if origin is Annotated:
        return _schema_of(arguments[0])
    if origin in {Union, UnionType}:
        return _union_schema([kind for kind in arguments if kind is not NoneType])
    if origin is Literal:
        return core_schema.literal_schema(list(arguments))
    if origin is tuple:
        return core_schema.list_schema(_schema_of(arguments[0]), strict=True)
    if origin is Mapping:
        return core_schema.dict_schema(strict=True)
    return _object_schema(annotation)


def _union_schema(alternatives: Sequence[Any]) -> CoreSchema:
    if len(alternatives) == 1:  # all unions but that of the parts are with None
        return core_schema.nullable_schema(_schema_of(alternatives[0]))
    kinds = [get_args(part)[0] for part in alternatives]
    return core_schema.tagged_union_schema(
        {
            name: _object_schema(kind)
            for kind in kinds
            for name in get_args(kind.model_fields["kind"].annotation)
        },
        discriminator="kind",
        strict=True,
    )
