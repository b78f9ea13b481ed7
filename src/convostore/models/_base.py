"""Value: what everything in the schema is made of, frozen, closed, and able to forget its origin.

Only the base lives here; what is modelled with it stands in `parts` and `models`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self, TypeAlias

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict
from pydantic_core import PydanticUndefined

JSON: TypeAlias = Any
"""A decoded JSON value: only the service that made it knows its shape, hence no narrower type."""

# The slots of a pydantic model, set one by one where `model_construct` skips its validation.
_set_dict = object.__setattr__
_set_fields_set = BaseModel.__dict__["__pydantic_fields_set__"].__set__
_set_extra = BaseModel.__dict__["__pydantic_extra__"].__set__
_set_private = BaseModel.__dict__["__pydantic_private__"].__set__


_ConstructFields: TypeAlias = tuple[dict[str, Any], dict[str, Any], set[str]]
"""The fields' defaults in their order, the factories of those that have one, and the names."""


class Portable:
    """What can be told apart from where it is kept."""

    __slots__ = ()

    _service_fields: ClassVar[frozenset[str]] = frozenset({"raw"})

    @classmethod
    def _field_names(cls) -> Iterable[str]:
        raise NotImplementedError

    def portable(self) -> dict[str, JSON]:
        """Returns the value as plain data without `raw` and the service's own ids, at all depths.

        What is left means the same in any store; it is what `fingerprint` compares.
        """
        return {
            name: _portable(getattr(self, name))
            for name in self._field_names()
            if name not in self._service_fields
        }


class Value(Portable, BaseModel):
    """What the schema's values share: frozen, closed, and able to forget where they came from."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        defer_build=True,
        hide_input_in_errors=True,
        ser_json_inf_nan="constants",  # as `codec` writes them, and read back as what they were
    )
    _construct_fields: ClassVar[_ConstructFields]

    # pydantic's mypy plugin gives each model a narrower signature of its own.
    @classmethod
    def model_construct(  # type: ignore[override]
        cls, _fields_set: set[str] | None = None, **values: Any
    ) -> Self:
        """Makes a value from fields that are known to be right, without looking at them.

        As pydantic's, but several times faster, and all values count their fields as set. It is for
        adapters, which have checked what they read; anything else calls the class.
        """
        try:
            defaults, factories, names = cls.__dict__["_construct_fields"]
        except KeyError:
            defaults, factories, names = cls._prepare_construct()
        made = cls.__new__(cls)
        if len(values) < len(names):
            values = {**defaults, **values}
            for name, factory in factories.items():
                if values[name] is PydanticUndefined:
                    values[name] = factory()
        _set_dict(made, "__dict__", values)
        _set_fields_set(made, names)
        _set_extra(made, None)
        _set_private(made, None)
        return made

    @classmethod
    def _field_names(cls) -> Iterable[str]:
        return cls.model_fields

    @classmethod
    def _prepare_construct(cls) -> _ConstructFields:
        fields = cls.model_fields
        cls._construct_fields = (
            {name: info.default for name, info in fields.items()},
            {name: info.default_factory for name, info in fields.items() if info.default_factory},
            set(fields),
        )
        return cls._construct_fields


def _portable(value: object) -> JSON:
    if isinstance(value, Portable):
        return value.portable()
    if isinstance(value, tuple):
        return [_portable(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("UTC cannot hold this time") from None


def _not_empty(text: str) -> str:
    # Not a constraint of pydantic's: those refuse lone surrogates, which services do send.
    if not text:
        raise ValueError("must not be empty")
    return text


Timestamp: TypeAlias = Annotated[AwareDatetime, AfterValidator(_in_utc)]
