"""Checks of the arguments that mirrors, exports and imports share."""

from __future__ import annotations

from ..errors import InvalidError


def check_progress(progress: object) -> None:
    """Check a callback, before anything is written.

    Raises:
        InvalidError: It cannot be called.
    """
    if progress is not None and not callable(progress):
        raise InvalidError(f"progress must be a function, got {type(progress).__name__}")
