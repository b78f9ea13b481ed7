"""The pytest plugin, loaded wherever convostore is installed: readable failures, a test double.

It must cost nothing where it is not used: the kit is imported by the tests that use it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ..store import ConversationStore

pytest.register_assert_rewrite(
    "convostore.testing.read_clauses",
    "convostore.testing.write_clauses",
    "convostore.testing.fault_clauses",
    "convostore.testing.checks",
)


@pytest.fixture
def memory_store() -> Iterator[ConversationStore]:
    """An empty in-memory store, for tests of an app that takes one; closed at the end."""
    from ..config import open as open_store

    with open_store("memory://") as store:
        yield store
