"""The service's stand-in served in the service's own dialect: the adapter finds the same.

So a turn, its answer and what a flow asks go through the dialect and back, interactions included.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from convostore.testing import Backend, StoreContract, Waiver, never
from convostore.testing.dialects import dialect_service
from convostore_fastgpt.server.dialect import FastGPTDialect

from ..support.apps import PROMPTS
from ..support.service import OPTIONS, FastGPTService


class TestFastGPTInItsOwnDialect(StoreContract):
    waivers: ClassVar[Mapping[str, Waiver]] = {
        "test_titles_come_back_the_same": never(
            "the service stores an empty title where there is none, so that the two are one"
        )
    }

    @pytest.fixture
    def backend(self) -> Iterator[Backend]:
        service = FastGPTService("4.16")
        behind = Backend(
            "fastgpt+http://behind.test", service=service.handle, options=dict(OPTIONS)
        )

        def wrapped(_: Any) -> Any:
            return behind.aopen()

        with dialect_service(
            FastGPTDialect(), f"memory://{uuid.uuid4().hex}", wrap=wrapped
        ) as front:
            yield Backend(
                "fastgpt+http://front.test",
                service=front,
                seed=service.seed,
                options=dict(OPTIONS),
                prompts=PROMPTS,
            )
