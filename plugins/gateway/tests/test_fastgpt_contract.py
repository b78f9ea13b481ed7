"""What is served in the FastGPT dialect and read back by its adapter keeps the contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import ClassVar

import pytest
from tests.support.models import Model

import convostore
from convostore.testing import (
    FACES,
    Backend,
    Kit,
    NotOffered,
    Prompts,
    StoreContract,
    StoreFace,
    Waiver,
    list_clauses,
    never,
    run_clause,
)
from convostore.testing.clauses.replies import ReplyClauses
from convostore.testing.clauses.streaming import StreamingClauses
from convostore.testing.dialects import dialect_service, store_seeder
from convostore.testing.transports import Service
from convostore_fastgpt.server.dialect import FastGPTDialect
from convostore_gateway import streams
from convostore_openai import aopen_answered

from .support.bad_clients import until
from .support.gateway import served

APP = "65f000000000000000000010"
OPTIONS: Mapping[str, object] = {"app_id": APP, "api_key": "fastgpt-a-token"}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is served; it is emptied before each clause."""
    return f"sqlite:///{tmp_path_factory.mktemp('served').as_posix()}/served.db"


@pytest.fixture(scope="module")
def service(target: str) -> Iterator[Service]:
    with dialect_service(FastGPTDialect(), target) as service:
        yield service


class TestSQLiteInTheFastGPTDialect(StoreContract):
    waivers: ClassVar[Mapping[str, Waiver]] = {
        "test_titles_come_back_the_same": never(
            "the service's shape has an empty title where there is none, so that the two are one"
        )
    }

    @pytest.fixture
    def backend(self, service: Service, target: str) -> Backend:
        with convostore.open(target) as store:
            store.clear_conversations()
        return Backend(
            "fastgpt+http://chat.test",
            service=service,
            seed=store_seeder(target),
            options=dict(OPTIONS),
        )


SUGGESTIONS = "test_suggested_questions_are_texts_and_change_nothing"
LEFT_EARLY = "test_what_is_left_early_is_stored_whole"
"""It looks at once: a real server may store the answer a moment later; see below."""
OF_REPLIES = [
    pytest.param(
        name,
        marks=pytest.mark.xfail(reason="the store that is served thinks of no questions")
        if name == SUGGESTIONS
        else (),
    )
    for kind in (ReplyClauses, StreamingClauses)
    for name in vars(kind)
    if name.startswith("test_") and name != LEFT_EARLY
]


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    with Model().serving() as model:
        yield model


@pytest.fixture(scope="module")
def gateway(model: Model, target: str) -> Iterator[str]:
    """The address of a gateway over a store that the model answers."""
    with served(partial(aopen_answered, target, model.url, model="parrot"), viewer=False) as url:
        yield url


@pytest.fixture
def url(gateway: str, target: str) -> Iterator[str]:
    """The same, with nothing in the store; what is left early is stored before others come."""
    with convostore.open(target) as store:
        store.clear_conversations()
    yield gateway
    until(lambda: not streams._running, "a reply goes on for ever")


@pytest.mark.rim
@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("clause", OF_REPLIES)
def test_replies_of_a_model_keep_the_contract_over_a_real_gateway(clause, face, url, target):
    backend = Backend(
        f"fastgpt+{url}",
        seed=store_seeder(target),
        options=OPTIONS | {"verify": False},
        prompts=Prompts(thinking="think of a tide", failing="fail"),
    )
    try:
        run_clause(list_clauses()[clause], backend, face)
    except NotOffered as reason:
        pytest.skip(str(reason))


@pytest.mark.rim
@pytest.mark.parametrize("face", FACES)
def test_what_is_left_early_is_stored_whole_when_the_gateway_has_ended(face, model, tmp_path):
    target = f"sqlite:///{tmp_path}/served.db"
    question = "What is a tide?"

    async def left() -> tuple[str, str]:
        kit = Kit(Backend(f"fastgpt+{url}", options=OPTIONS | {"verify": False}), face)
        async with kit.open().stream_reply(None, question) as stream:
            async for event in stream:
                if event.kind == "text_delta":
                    break
        await kit.close()
        return stream.conversation_id, stream.so_far.text

    make = partial(aopen_answered, target, model.url, model="parrot")
    with served(make, viewer=False) as url, StoreFace(face) as opened:
        conversation, begun = opened.run(left())
    with convostore.open(target) as store:
        asked, answered = store.messages(conversation)
    assert begun
    assert (asked.text, answered.text) == (question, f"You said: {question}")
    assert answered.status != "failed"
