"""The memory adapter keeps the whole contract."""

import uuid

import pytest

import convostore
from convostore.testing import Backend, StoreContract


class TestMemory(StoreContract):
    @pytest.fixture
    def backend(self) -> Backend:
        name = uuid.uuid4().hex

        def unlisted():
            other = convostore.open(f"memory://{name}-beside")
            other.create_conversation(id="a neighbour's")
            return lambda: len(list(other.conversations()))

        return Backend(f"memory://{name}", unlisted=unlisted)
