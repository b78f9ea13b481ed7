"""The adapter keeps the contract in every shape of the service."""

import pytest

from convostore.testing import Backend, StoreContract

from .service import SHAPES, ChatsService


@pytest.mark.parametrize("shape", SHAPES)
class TestPerplexica(StoreContract):
    @pytest.fixture
    def backend(self, shape: str) -> Backend:
        service = ChatsService(shape)
        return Backend("perplexica+http://search.test", service=service.handle, seed=service.seed)
