"""Value: the base of the schema's classes, frozen, closed, and comparable across stores.

No class of the schema itself may be here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self, TypeAlias

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict
from pydantic_core import PydanticUndefined

JSON: TypeAlias = Any
"""A decoded JSON value; its shape is known only to the service that made it."""

# Setters of a pydantic model's slots, for `model_construct`, which skips validation.
_set_dict = object.__setattr__
_set_fields_set = BaseModel.__dict__["__pydantic_fields_set__"].__set__
_set_extra = BaseModel.__dict__["__pydantic_extra__"].__set__
_set_private = BaseModel.__dict__["__pydantic_private__"].__set__


_ConstructFields: TypeAlias = tuple[dict[str, Any], dict[str, Any], set[str]]
"""The defaults of the fields in order, the default factories, and the names of the fields."""


class Portable:
    """A value that can be compared across stores."""

    __slots__ = ()

    _service_fields: ClassVar[frozenset[str]] = frozenset({"raw"})

    @classmethod
    def _field_names(cls) -> Iterable[str]:
        raise NotImplementedError

    def portable(self) -> dict[str, JSON]:
        """Return the value as plain data without `raw` and the service's own ids, at all depths.

        The rest means the same in any store; `fingerprint` compares it.
        """
        return {
            name: _portable(getattr(self, name))
            for name in self._field_names()
            if name not in self._service_fields
        }


class Value(Portable, BaseModel):
    """The base of the schema's values: frozen, closed, and comparable across stores."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        defer_build=True,
        hide_input_in_errors=True,
        ser_json_inf_nan="constants",  # as `serialization` writes them, so that they can be loaded
    )
    _construct_fields: ClassVar[_ConstructFields]
    _uncompared: ClassVar[frozenset[str]] = frozenset()
    """The fields in which equal values may differ: when and how often a store wrote them."""
    _unhashed: ClassVar[frozenset[str]] = frozenset()
    """The fields whose values cannot be hashed."""

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        ours, theirs = self.__dict__, other.__dict__
        if ours == theirs:
            return True
        if not self._uncompared:
            return False
        skipped = dict.fromkeys(self._uncompared)
        return {**ours, **skipped} == {**theirs, **skipped}

    def __hash__(self) -> int:
        skipped = self._uncompared | self._unhashed
        return hash(
            tuple([getattr(self, name) for name in self._field_names() if name not in skipped])
        )

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy in which some fields are changed, and validated as the class does.

        Args:
            update: The new values by field.
            deep: Whether to copy nested values as well.

        Raises:
            pydantic.ValidationError: A new value is wrong, or there is no such field.
        """
        if not update:
            return super().model_copy(deep=deep)
        kept = super().model_copy(deep=True) if deep else self
        return type(self).model_validate({**kept.__dict__, **update})

    def trusted_copy(self, **changes: Any) -> Self:
        """Return a copy in which some fields are changed, without validation.

        It is for values that were checked already; see `model_construct`.
        """
        cls = type(self)
        copied = cls.__new__(cls)
        _set_dict(copied, "__dict__", {**self.__dict__, **changes})
        _set_fields_set(copied, self.__pydantic_fields_set__)
        _set_extra(copied, None)
        _set_private(copied, None)
        return copied

    # pydantic's mypy plugin gives each model a narrower signature of its own.
    @classmethod
    def model_construct(  # type: ignore[override]
        cls, _fields_set: set[str] | None = None, **values: Any
    ) -> Self:
        """Make a value from valid fields, without validation.

        It does what pydantic's method does, several times faster, and marks all fields as set. It
        is for adapters, which have checked what they parsed; other code calls the class.
        """
        try:
            defaults, factories, names = cls.__dict__["_construct_fields"]
        except KeyError:
            defaults, factories, names = cls._prepare_construct()
        value = cls.__new__(cls)
        if len(values) < len(names):
            values = {**defaults, **values}
            for name, factory in factories.items():
                if values[name] is PydanticUndefined:
                    values[name] = factory()
        _set_dict(value, "__dict__", values)
        _set_fields_set(value, names)
        _set_extra(value, None)
        _set_private(value, None)
        return value

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
        raise ValueError("must be a time that UTC can represent") from None


def _not_empty(text: str) -> str:
    # No constraint of pydantic: those refuse lone surrogates, which services do send.
    if not text:
        raise ValueError("must not be empty")
    return text


Timestamp: TypeAlias = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time with an offset, converted to UTC."""
