"""The adapter on the wire: every fault of a real server, on both faces, in the gateway's place."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from tests.contract.mutants.registry import ECHO_PROMPTS

from convostore.adapters import Adapter
from convostore.testing import Backend, FaultContract

from ..support.asgi import informed, serving

pytestmark = pytest.mark.rim


class TestGatewayOnTheWire(FaultContract):
    @pytest.fixture
    def backend(self) -> Iterator[Backend]:
        with serving("echo://") as service:
            yield Backend(partial(informed, service), service=service, prompts=ECHO_PROMPTS)

    def adapter_at(self, backend: Backend, url: str, **options: object) -> Adapter:
        assert backend.service is not None
        return informed(backend.service, f"gateway+{url}", **options)
