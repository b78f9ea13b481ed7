"""The memory adapter keeps the whole contract."""

import uuid

import pytest

from convostore.testing import Backend, StoreContract


class TestMemory(StoreContract):
    @pytest.fixture
    def backend(self) -> Backend:
        return Backend(f"memory://{uuid.uuid4().hex}")
