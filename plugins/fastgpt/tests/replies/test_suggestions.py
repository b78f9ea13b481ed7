"""Suggested questions, in both generations of the request, on recordings and on the stand-in."""

from __future__ import annotations

import json

import pytest
from tests.support.cases import for_each
from tests.support.faces import PlainStore

import convostore
from convostore.errors import NotFoundError, ProtocolError, UnavailableError
from convostore.http import Request, Response
from convostore.testing import Backend

from ..support.recordings import VERSIONS, Replay, exchange_of, open_over, standing_for
from ..support.service import (
    AGENT,
    APP,
    GENERATIONS,
    HTML_TYPE,
    JSON_TYPE,
    OPTIONS,
    PAGE,
    SHARED,
    UID,
    FastGPTService,
)

DSN = "fastgpt+http://chat.test"
BY_ID, BY_MESSAGES = f"{AGENT}v2/createQuestionGuide", f"{AGENT}createQuestionGuide"


def talked(generation: str, turns: int = 1, **fields: str) -> FastGPTService:
    """Return a service with one conversation."""
    service = FastGPTService(generation)
    service.insert("c1", **fields)
    for number in range(turns):
        service.append("c1", "user", f"question {number}")
        service.append("c1", "assistant", f"answer {number}")
    return service


class Older:
    """The service as it was before suggestions could be asked for by a conversation's id."""

    def __init__(self, service: FastGPTService) -> None:
        self.service = service
        self.asked: list[str] = []

    def __call__(self, request: Request) -> Response:
        self.asked.append(request.path)
        if request.path == BY_ID:
            return Response(404, HTML_TYPE, PAGE)
        return self.service.handle(request)


def suggested(service, face, conversation_id: str = "c1", **options: object) -> tuple[str, ...]:
    """What a store of a face suggests."""
    with PlainStore(face, DSN, service=service, **OPTIONS | options) as store:
        return store.suggest_questions(conversation_id)


@for_each("version", VERSIONS)
def test_what_a_real_server_suggested_is_returned(version, face):
    held = {
        "getHistories": standing_for([{"chatId": "seed-1", "updateTime": "2026-11-20"}]),
        "getPaginationRecords": exchange_of(f"{version}/record_getPaginationRecords#0").rows,
        BY_ID: exchange_of(f"{version}/createQuestionGuide_v2#0"),
    }
    replay = Replay(version, held)
    with open_over(face, version, replay) as store:
        questions = store.suggest_questions("seed-1")
    assert questions == ("What is next?", "Why so?", "Who said it?")
    assert replay.asked[-1].json == exchange_of(f"{version}/createQuestionGuide_v2#0").json


@for_each("version", VERSIONS)
def test_no_suggestions_are_an_empty_tuple(version, face):
    held = {
        "getPaginationRecords": exchange_of(f"{version}/record_getPaginationRecords#0").rows,
        BY_ID: exchange_of(f"{version}/createQuestionGuide_v2#1"),
    }
    with open_over(face, version, Replay(version, held)) as store:
        assert store.suggest_questions("seed-1") == ()


@for_each("generation", GENERATIONS)
def test_both_generations_suggest_by_the_end_of_the_conversation(generation, face):
    service = talked(generation, turns=5)
    by_id = suggested(service.handle, face)
    assert by_id[0] == "What of 'question 2'?"
    assert len(by_id) == 6
    assert suggested(Older(service), face) == by_id


def test_the_older_request_holds_the_last_messages_in_their_order(face):
    older = Older(talked("4.9"))
    older.service.chats["c1"].records[0]["value"] = []
    older.service.append("c1", "user", "and then?")
    suggested(older, face)
    request = older.service.exchanges[-1][0]
    assert request.path == BY_MESSAGES
    assert request.json == {
        "appId": APP,
        "messages": [
            {"role": "assistant", "content": "answer 0"},
            {"role": "user", "content": "and then?"},
        ],
    }


def test_a_server_that_lacks_the_later_request_is_asked_for_it_once():
    older = Older(talked("4.9"))
    with Backend(DSN, service=older, options=dict(OPTIONS)).open() as store:
        assert store.suggest_questions("c1") == store.suggest_questions("c1")
    assert [older.asked.count(item) for item in (BY_ID, BY_MESSAGES)] == [1, 2]


def test_a_server_that_has_neither_request_is_told_as_a_wrong_base_url():
    service = talked("4.16")

    def without(request: Request) -> Response:
        agent = request.path.startswith(AGENT)
        return Response(404, HTML_TYPE, PAGE) if agent else service.handle(request)

    with (
        Backend(DSN, service=without, options=dict(OPTIONS)).open() as store,
        pytest.raises(ProtocolError, match="base URL"),
    ):
        store.suggest_questions("c1")


@for_each("generation", GENERATIONS)
def test_for_an_unknown_conversation_no_model_is_asked(generation, face):
    older = Older(talked(generation))
    with pytest.raises(NotFoundError):
        suggested(older, face, "unknown")
    assert older.asked
    assert not any(path.startswith(AGENT) for path in older.asked)


@for_each("generation", GENERATIONS)
def test_a_conversation_without_messages_has_suggestions_if_the_model_makes_some(generation):
    assert suggested(talked(generation, turns=0).handle, "sync") == ()


@for_each("generation", GENERATIONS)
def test_a_share_links_visitor_is_given_suggestions(generation):
    service = talked(generation, source="share", owner=f"share:{UID}")
    options = SHARED | {"app_id": APP}
    with Backend(DSN, service=service.keyless, options=options).open() as store:
        assert store.suggest_questions("c1") == ("What of 'question 0'?", "What of 'answer 0'?")


@for_each("make", [lambda service: service.handle, Older])
def test_a_model_is_given_time_and_is_never_asked_twice(make, face):
    answer = make(talked("4.16"))
    sent = []

    def busy(request: Request) -> Response:
        response = answer(request)
        if request.path.startswith(AGENT) and response.status == 200:
            sent.append(request)
            return Response(503, {"retry-after": "0"})
        return response

    with pytest.raises(UnavailableError):
        suggested(busy, face, retries=3)
    (request,) = sent
    assert request.patient
    assert not request.repeatable


@for_each("data", [None, {}, "What?", 3])
def test_an_answer_without_a_list_is_none_of_this_service(data):
    service = talked("4.16")

    def odd(request: Request) -> Response:
        if request.path != BY_ID:
            return service.handle(request)
        return Response(200, JSON_TYPE, json.dumps({"code": 200, "data": data}).encode())

    with pytest.raises(ProtocolError, match="not a list"):
        suggested(odd, "sync")


def test_what_is_no_text_is_no_question():
    service = talked("4.16")

    def odd(request: Request) -> Response:
        if request.path != BY_ID:
            return service.handle(request)
        content = {"code": 200, "data": ["Why?", None, 3, {"text": "What?"}, "Who?"]}
        return Response(200, JSON_TYPE, json.dumps(content).encode())

    assert suggested(odd, "sync") == ("Why?", "Who?")


def test_a_store_tells_that_it_suggests():
    with convostore.open(DSN, **OPTIONS) as store:
        assert store.offers("suggest_questions")
