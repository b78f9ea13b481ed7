"""The adapter keeps the contract in every generation of the service."""

from collections.abc import Mapping
from typing import ClassVar

import pytest

from convostore.testing import Backend, StoreContract, never
from convostore.testing.contract import Waiver
from convostore.testing.samples import HOSTILE_TEXTS, dialogue

from .service import GENERATIONS, OPTIONS, FastGPTService


@pytest.mark.parametrize("generation", GENERATIONS)
class TestFastGPT(StoreContract):
    waivers: ClassVar[Mapping[str, Waiver]] = {
        "test_titles_come_back_the_same": never(
            "the service stores an empty title where there is none, so that the two are one"
        )
    }

    @pytest.fixture
    def backend(self, generation: str) -> Backend:
        return _backend(FastGPTService(generation))


def _backend(service: FastGPTService) -> Backend:
    return Backend(
        "fastgpt+http://chat.test",
        service=service.handle,
        seed=service.seed,
        options=dict(OPTIONS),
    )


@pytest.mark.parametrize("generation", GENERATIONS)
def test_titles_that_are_not_empty_come_back_the_same(generation):
    titles = {f"t{place}": text for place, text in enumerate(HOSTILE_TEXTS) if text}
    service = FastGPTService(generation)
    service.seed([dialogue(each, ["hi"], title) for each, title in titles.items()])
    with _backend(service).open() as store:
        assert {each.id: each.title for each in store.conversations()} == titles


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_title_given_by_hand_wins_until_it_is_taken_back(generation):
    service = FastGPTService(generation)
    service.seed([dialogue("c", ["hi"], "from the model")])
    with _backend(service).open() as store:
        store.update_conversation("c", title="by hand")
        assert store.get_conversation("c").title == "by hand"
        store.update_conversation("c", title=None)
        assert store.get_conversation("c").title == "from the model"
