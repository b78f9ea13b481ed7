"""What is served in the FastGPT dialect and read back by its adapter keeps the contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import ClassVar

import pytest

from convostore.testing import Backend, Prompts, StoreContract, never
from convostore.testing.contract import Waiver
from convostore.testing.dialects import seeding, serving
from convostore_fastgpt.dialect import FastGPTDialect
from convostore_gateway.upstream import aopen_answered

from .gateway_kit import served
from .upstream_kit import Model

APP = "65f000000000000000000010"
OPTIONS: Mapping[str, object] = {"app_id": APP, "api_key": "fastgpt-a-token"}
ONE_EMPTY_TITLE = never(
    "the service's shape has an empty title where there is none, so that the two are one"
)


class TestSQLiteInTheFastGPTDialect(StoreContract):
    waivers: ClassVar[Mapping[str, Waiver]] = {"test_titles_come_back_the_same": ONE_EMPTY_TITLE}

    @pytest.fixture
    def backend(self, tmp_path) -> Iterator[Backend]:
        target = f"sqlite:///{tmp_path}/served.db"
        with serving(FastGPTDialect(), target) as service:
            yield Backend(
                "fastgpt+http://chat.test",
                service=service,
                seed=seeding(target),
                options=dict(OPTIONS),
            )


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    with Model().serving() as model:
        yield model


class TestAnsweredSQLiteBehindTheGateway(StoreContract):
    """The same with a model that answers, over real connections."""

    waivers: ClassVar[Mapping[str, Waiver]] = {
        "test_titles_come_back_the_same": ONE_EMPTY_TITLE,
        "test_suggested_questions_are_texts_and_change_nothing": never(
            "the store that is served thinks of no questions, so that there are none"
        ),
    }

    @pytest.fixture
    def backend(self, tmp_path, model) -> Iterator[Backend]:
        target = f"sqlite:///{tmp_path}/served.db"
        store = partial(aopen_answered, target, model.url, model="parrot")
        with served(store, viewer=False) as url:
            yield Backend(
                f"fastgpt+{url}",
                seed=seeding(target),
                options=OPTIONS | {"verify": False},
                prompts=Prompts(thinking="think of a tide", failing="fail"),
            )
