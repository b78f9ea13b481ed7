"""Metadata and owners: what the application adds to a conversation, and its bounds.

No backend fills these values, so nothing here parses foreign data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator

from ._base import JSON, _not_empty

_MOST_BYTES: Final = 64 * 1024
_TOO_LARGE: Final = f"must have at most {_MOST_BYTES:,} bytes as JSON"
_MOST_LEVELS: Final = 64
LONGEST_KEY: Final = 256


def check_metadata(value: object) -> dict[str, JSON]:
    """Return a copy of metadata that is within its bounds.

    Raises:
        ValueError: It is not a mapping of texts to JSON, has None for a value, or is too large.
    """
    copied = copy_changes(value)
    if None in copied.values():
        raise ValueError("must not hold None: leave the key out")
    return copied


def copy_changes(value: object) -> dict[str, JSON]:
    """Return a copy of changes to metadata, in which None removes a key.

    Raises:
        ValueError: They are not a mapping of texts to JSON, or too large.
    """
    if not isinstance(value, Mapping):
        raise ValueError("must be a mapping of keys to JSON values, got a " + type(value).__name__)  # noqa: TRY004  # for pydantic
    for key in value:
        if not isinstance(key, str) or len(key) > LONGEST_KEY:
            raise ValueError(f"must have keys that are strings of at most {LONGEST_KEY} characters")
    copier = _Copier()
    copied = {key: copier.copy(item, _MOST_LEVELS - 1) for key, item in value.items()}
    if copied and _size(copied) > _MOST_BYTES:
        raise ValueError(_TOO_LARGE)
    return copied


def merge_metadata(stored: Mapping[str, JSON], changes: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return metadata with changes merged in by top-level key; None removes a key.

    Args:
        stored: The metadata before.
        changes: The new values; each replaces the old one whole.

    Raises:
        ValueError: The result is too large.
    """
    merged = {**stored, **changes}
    return check_metadata({key: value for key, value in merged.items() if value is not None})


def _size(value: JSON) -> int:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-8", "surrogatepass"))


class _Copier:
    """A copy of JSON that gives up where it is too large for metadata.

    What is shared within, or contains itself, would else be copied without end.
    """

    def __init__(self) -> None:
        self._left = _MOST_BYTES

    def copy(self, value: object, levels: int) -> JSON:
        kind = type(value)
        self._spend(len(value) if isinstance(value, str) else 1)
        if value is None or kind is str or kind is bool or kind is int:
            return value
        if kind is float:
            if value in {float("inf"), float("-inf")} or value != value:
                raise ValueError("must be JSON, which has no infinite number and no NaN")
            return value
        if levels == 0:
            raise ValueError(f"must have at most {_MOST_LEVELS} levels")
        if isinstance(value, list | tuple):
            return [self.copy(item, levels - 1) for item in value]
        if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
            return {key: self.copy(item, levels - 1) for key, item in value.items()}
        raise ValueError(f"must be JSON, got a value of type {kind.__name__} in it")

    def _spend(self, characters: int) -> None:
        self._left -= characters
        if self._left < 0:
            raise ValueError(_TOO_LARGE)


Metadata: TypeAlias = Annotated[Mapping[str, JSON], BeforeValidator(check_metadata)]
"""An application's own values by key."""

Owner: TypeAlias = Annotated[str, AfterValidator(_not_empty)]
"""The application's name of the user that a conversation belongs to."""
