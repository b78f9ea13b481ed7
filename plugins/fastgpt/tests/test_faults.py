"""The adapter on the wire: every fault of a real server, on both faces."""

import pytest

from convostore.testing import Backend, FaultContract

from .support.apps import PROMPTS
from .support.service import GENERATIONS, OPTIONS, FastGPTService

pytestmark = pytest.mark.rim


class TestFastGPTOnTheWire(FaultContract):
    @pytest.fixture
    def backend(self) -> Backend:
        service = FastGPTService(list(GENERATIONS)[-1])
        return Backend(
            "fastgpt+http://chat.test",
            service=service.handle,
            seed=service.seed,
            options=dict(OPTIONS),
            prompts=PROMPTS,
        )
