"""A pytest plugin with fixtures for the tests of an app.

Enable it in a `conftest.py`:

    pytest_plugins = ["convostore.testing.pytest_plugin"]
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..config import open as open_store
from ..store import ConversationStore

__all__ = ["memory_store"]


@pytest.fixture
def memory_store() -> Iterator[ConversationStore]:
    """Yield an empty in-memory store for the test of an app; it is closed at the end."""
    with open_store("memory://") as store:
        yield store
