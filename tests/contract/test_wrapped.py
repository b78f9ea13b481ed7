"""A wrapped adapter keeps the whole contract of the adapter that it wraps."""

import uuid

import pytest

from convostore.adapters import WrappedAdapter
from convostore.config import open_adapter
from convostore.testing import Backend, StoreContract

from .mutants.registry import ECHO_PROMPTS


class TestWrapped(StoreContract):
    @pytest.fixture
    def backend(self) -> Backend:
        target = f"echo://{uuid.uuid4().hex}"
        return Backend(
            lambda **options: WrappedAdapter(open_adapter(target, **options)), prompts=ECHO_PROMPTS
        )
