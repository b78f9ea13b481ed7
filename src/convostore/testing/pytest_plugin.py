"""A pytest plugin for apps, taken up where a conftest asks for it.

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
    """An empty in-memory store, for tests of an app that takes one; closed at the end."""
    with open_store("memory://") as store:
        yield store
