"""The adapter on the wire: every fault of a real server, on both faces."""

import pytest

from convostore.testing import Backend, FaultContract, Prompts

from .support.service import MODELS, ChatsService

pytestmark = pytest.mark.rim


class TestPerplexicaOnTheWire(FaultContract):
    @pytest.fixture
    def backend(self) -> Backend:
        service = ChatsService("C")
        return Backend(
            "perplexica+http://search.test",
            service=service.handle,
            seed=service.seed,
            options=MODELS,
            prompts=Prompts(thinking="think of tides", failing="fail"),
        )


def test_a_backend_with_a_dsn_is_pointed_elsewhere_with_its_options():
    backend = Backend("perplexica+https://search.test/prefix?timeout=7", options={"retries": 5})
    adapter = FaultContract().adapter_at(backend, "http://127.0.0.1:9", concurrency=3)
    assert adapter.base_url == "http://127.0.0.1:9"
    options = adapter.options
    assert (options.timeout, options.retries, options.concurrency) == (7, 5, 3)
