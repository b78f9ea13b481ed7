"""A store that a model answers keeps the contract, that of replies included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest
from tests.support.models import PROMPTS, Model

import convostore
from convostore import ConversationStore
from convostore.config import open_adapter
from convostore.testing import Backend, StoreContract, never
from convostore_openai import ModelAdapter, open_answered
from convostore_openai.options import ModelOptions

pytestmark = pytest.mark.rim

WAIVERS = {
    "test_what_is_left_early_is_stored_whole": never(
        "to leave is to hang up on the model, which has nobody else to tell: "
        "what had arrived is stored, marked failed"
    )
}


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    with Model().serving() as model:
        yield model


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Iterator[str]:
    """A file that stays open, for whoever empties it first."""
    target = f"sqlite:///{tmp_path_factory.mktemp('answered').as_posix()}/store.db"
    adapter = open_adapter(target)
    with ConversationStore(adapter, adapter.transport()) as lasting:
        lasting.check()
        yield target


def emptied(target: str) -> str:
    with convostore.open(target) as store:
        store.clear_conversations()
    return target


def answered(target: str, model: Model) -> Backend:
    def adapter(**options: object) -> ModelAdapter:
        return ModelAdapter(open_adapter(target), ModelOptions(url=model.url, **options))

    return Backend(adapter, prompts=PROMPTS)


class TestAnsweredMemory(StoreContract):
    waivers: ClassVar = WAIVERS

    @pytest.fixture
    def backend(self, model) -> Backend:
        return answered(emptied("memory://answered"), model)


class TestAnsweredSQLite(StoreContract):
    waivers: ClassVar = WAIVERS

    @pytest.fixture
    def backend(self, model, kept) -> Backend:
        return answered(emptied(kept), model)


def test_namespaces_share_the_model_and_not_what_it_said(model: Model) -> None:
    with open_answered("memory://", model.url, model="m") as store:
        reply = store.with_namespace("ann").reply(None, "hello", owner="a", metadata={"k": 1})
        kept = store.with_namespace("ann").get_conversation(reply.conversation_id)
        assert (kept.owner, kept.metadata) == ("a", {"k": 1})
        assert [*store.conversations()] == [*store.with_namespace("ben").conversations()] == []
