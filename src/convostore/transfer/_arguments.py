"""Checks of the arguments that mirrors, exports and imports share."""

from __future__ import annotations

from ..errors import InvalidError


def check_flags(**flags: object) -> None:
    """Check arguments that are yes or no: any text, ``"no"`` as well, would pass for a yes.

    Raises:
        InvalidError: One is not a bool.
    """
    for name, value in flags.items():
        if type(value) is not bool:
            raise InvalidError(f"{name} must be True or False, got {value!r}")


def check_progress(progress: object) -> None:
    """Check a callback, before anything is written.

    Raises:
        InvalidError: It cannot be called.
    """
    if progress is not None and not callable(progress):
        raise InvalidError(f"progress must be a function, got {type(progress).__name__}")
