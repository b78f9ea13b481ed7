"""The adapter keeps the contract in every generation of the service."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import pytest

from convostore.models import Transcript
from convostore.testing import Backend, StoreContract, Waiver, never
from convostore.testing.samples import HOSTILE_TEXTS, dialogue

from .support.apps import PROMPTS
from .support.service import GENERATIONS, OPTIONS, FastGPTService


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


class TestFastGPTsOtherLists(StoreContract):
    """Of another source, where each conversation is deleted by itself.

    What turns begin is of the source ``api``, and so in none of these lists.
    """

    waivers = TestFastGPT.waivers

    @pytest.fixture
    def backend(self) -> Backend:
        service = FastGPTService("4.16")

        def seed(transcripts: Sequence[Transcript]) -> None:
            service.seed(transcripts)
            for transcript in transcripts:
                service.chats[transcript.conversation_id].source = "online"

        options = OPTIONS | {"source": "online"}
        return _backend(service, seed=seed, options=options, prompts=None)


def _backend(service: FastGPTService, **changed: Any) -> Backend:
    """Return a backend on the service, with other owners' conversations beside its own."""

    def unlisted() -> Callable[[], int]:
        service.insert("of another owner", owner="somebody")
        service.insert("of another source", source="test")
        own = ("of another owner", "of another source")
        there = service.chats
        return lambda: sum(item in there and not there[item].deleted for item in own)

    given = {"seed": service.seed, "options": dict(OPTIONS), "prompts": PROMPTS} | changed
    return Backend("fastgpt+http://chat.test", service=service.handle, unlisted=unlisted, **given)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_titles_that_are_not_empty_come_back_the_same(generation):
    titles = {f"t{place}": text for place, text in enumerate(HOSTILE_TEXTS) if text}
    service = FastGPTService(generation)
    service.seed([dialogue(item, ["hi"], title) for item, title in titles.items()])
    with _backend(service).open() as store:
        assert {
            conversation.id: conversation.title for conversation in store.conversations()
        } == titles


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_title_given_by_hand_wins_until_it_is_taken_back(generation):
    service = FastGPTService(generation)
    service.seed([dialogue("c", ["hi"], "from the model")])
    with _backend(service).open() as store:
        store.update_conversation("c", title="by hand")
        assert store.get_conversation("c").title == "by hand"
        store.update_conversation("c", title=None)
        assert store.get_conversation("c").title == "from the model"
