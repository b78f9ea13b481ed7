"""The echo adapter keeps the whole contract, that of replies and answers included."""

import uuid

import pytest

from convostore.testing import Backend, StoreContract

from .mutants.registry import ECHO_PROMPTS


class TestEcho(StoreContract):
    @pytest.fixture
    def backend(self) -> Backend:
        return Backend(f"echo://{uuid.uuid4().hex}", prompts=ECHO_PROMPTS)
