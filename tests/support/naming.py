"""Naming, in a failure, which of many things a test was at: one item stands for many cases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def naming(*what: object) -> Iterator[None]:
    """Adds to whatever is raised in the block what it was about."""
    try:
        yield
    except BaseException as error:
        error.add_note("of " + ", ".join(map(str, what)))
        raise
