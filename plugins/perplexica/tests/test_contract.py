"""The adapter keeps the contract in every shape of the service."""

import pytest

from convostore.testing import Backend, Prompts, StoreContract

from .support.service import MODELS, SHAPES, ChatsService


@pytest.mark.parametrize("shape", SHAPES)
class TestPerplexica(StoreContract):
    @pytest.fixture
    def backend(self, shape: str) -> Backend:
        service = ChatsService(shape)
        return Backend(
            "perplexica+http://search.test",
            service=service.handle,
            seed=service.seed,
            options=MODELS,
            prompts=Prompts(thinking="think of tides" if shape == "C" else None, failing="fail"),
        )
