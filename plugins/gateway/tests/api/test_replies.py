"""Replies by the native API: whole, or as server-sent events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from httpx_sse import ServerSentEvent, connect_sse

import convostore
from convostore import serialization
from convostore.errors import UnavailableError
from convostore.models import PartialReply, Reply, ReplyFinished
from convostore_gateway import schema
from convostore_gateway.api.responses import NativeEncoder
from convostore_gateway.problems import read_problem

from ..support.gateway import asked, client_of, served


@pytest.fixture(scope="module")
def api() -> Iterator[httpx.Client]:
    with (
        served("echo://native-replies", viewer=False) as url,
        client_of(url) as client,
    ):
        yield client


def events(api: httpx.Client, path: str, body: Any = None) -> list[ServerSentEvent]:
    with connect_sse(api, "POST", path, json=body) as source:
        assert source.response.headers["cache-control"] == "no-store"
        return list(source.iter_sse())


def finished(told: list[ServerSentEvent]) -> Reply:
    last = schema.read_event(json.loads(told[-1].data))
    assert isinstance(last, ReplyFinished)
    return last.reply


@pytest.mark.rim
def test_a_turn_is_answered_by_the_whole_reply(api: httpx.Client) -> None:
    reply = api.post("/v1/replies", json={"content": "hello", "turn_id": "t"}).json()
    assert reply["turn_id"] == "t"
    again = api.get(f"/v1/conversations/{reply['conversation_id']}/replies/t")
    assert again.json() == reply
    assert schema.read(Reply, reply).text == "You said: hello"


@pytest.mark.rim
def test_a_turn_is_answered_as_the_reply_arrives(api: httpx.Client) -> None:
    body = {"conversation_id": "c", "content": [{"kind": "text", "text": "think of it"}]}
    told = events(api, "/v1/replies", body)
    kinds = [each.event for each in told]
    assert kinds[-1] == "reply_finished"
    assert {"reasoning_delta", "text_delta"} <= set(kinds)
    assert [json.loads(each.data)["kind"] for each in told] == kinds
    stored = api.get("/v1/conversations/c/messages").json()["items"]
    assert [each["role"] for each in stored] == ["user", "assistant"]
    assert stored[-1]["id"] == finished(told).message.id


@pytest.mark.rim
def test_a_choice_is_answered_whole_and_as_it_arrives(api: httpx.Client) -> None:
    asked = api.post("/v1/replies", json={"content": "choose tea coffee"}).json()
    id = asked["conversation_id"]
    wrong = api.post("/v1/answers", json={"conversation_id": id, "answer": "beer"})
    assert (wrong.status_code, wrong.json()["kind"]) == (400, "invalid")
    whole = api.post("/v1/answers", json={"conversation_id": id, "answer": "tea"})
    assert whole.status_code == 200
    api.post("/v1/replies", json={"conversation_id": id, "content": "choose tea coffee"})
    streamed = events(api, "/v1/answers", {"conversation_id": id, "answer": "coffee"})
    assert finished(streamed).conversation_id == id
    nothing = api.post("/v1/answers", json={"conversation_id": id, "answer": "tea"})
    assert (nothing.status_code, nothing.json()["kind"]) == (409, "conflict")


@pytest.mark.rim
def test_a_reply_is_gone_on_with(api: httpx.Client) -> None:
    reply = api.post("/v1/replies", json={"content": "hello"}).json()
    path = f"/v1/conversations/{reply['conversation_id']}/replies/{reply['turn_id']}/resume"
    assert serialization.dump(finished(events(api, path))) == reply


@pytest.mark.rim
def test_a_reply_that_fails_ends_with_the_error(api: httpx.Client) -> None:
    told = events(api, "/v1/replies", {"conversation_id": "f", "turn_id": "t", "content": "fail"})
    assert told[-1].event == "error"
    error = read_problem(json.loads(told[-1].data))
    assert isinstance(error, UnavailableError)
    assert error.partial is not None
    assert (error.partial.conversation_id, error.partial.turn_id) == ("f", "t")
    whole = api.post("/v1/replies", json={"conversation_id": "f", "content": "fail"})
    assert whole.json()["kind"] == "unavailable"
    assert whole.json()["partial"]["conversation_id"] == "f"


@pytest.mark.rim
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"content": []}, "TextPart"),
        ({"content": "x", "options": {"modle": 1}}, "modle"),
        ({"content": "x", "options": {"turn_id": "x"}}, "turn_id"),
        ({"content": "x", "turn_id": ""}, "id"),
        ({}, "content"),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_a_wrong_turn_is_refused_before_anything_is_answered(
    api: httpx.Client, body: Any, told: str, accept: str
) -> None:
    response = api.post("/v1/replies", json=body, headers={"accept": accept})
    assert response.status_code == 400
    assert told in response.json()["detail"]


@pytest.mark.rim
def test_a_reply_whose_client_hangs_up_is_stored(api: httpx.Client) -> None:
    body = {"conversation_id": "h", "turn_id": "t", "content": "hello"}
    with connect_sse(api, "POST", "/v1/replies", json=body) as source:
        assert next(source.iter_sse()).event == "text_delta"
    resumed = events(api, "/v1/conversations/h/replies/t/resume")
    assert finished(resumed).text == "You said: hello"
    assert len(api.get("/v1/conversations/h/messages").json()["items"]) == 2


@pytest.mark.rim
def test_a_turn_that_did_not_arrive_is_not_there(api: httpx.Client) -> None:
    assert api.get("/v1/conversations/none/replies/t").status_code == 404
    assert api.post("/v1/conversations/none/replies/t/resume").status_code == 404


@pytest.mark.rim
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_a_store_without_a_model_says_so(accept: str) -> None:
    with served("memory://native-mute", viewer=False) as url:
        response = asked(
            "POST", f"{url}/v1/replies", json={"content": "hello"}, headers={"accept": accept}
        )
    assert (response.status_code, response.json()["kind"]) == (501, "unsupported")


def test_what_cannot_be_written_is_left_out_of_the_error() -> None:
    error = UnavailableError("it broke off")
    error.partial = PartialReply(conversation_id="c", turn_id="t")
    assert b'"conversation_id":"c"' in NativeEncoder().failed(error)
    part: Any = schema.TextPart.model_construct(text=object())
    error.partial = PartialReply(conversation_id="c", turn_id="t", parts=(part,))
    told = NativeEncoder().failed(error)
    assert told.startswith(b"event: error\n")
    assert b"partial" not in told


def test_a_client_sees_that_a_silent_reply_goes_on() -> None:
    assert NativeEncoder().idle().startswith(b":")


@pytest.mark.rim
def test_a_stream_says_whose_message_it_is_as_it_begins() -> None:
    with (
        served("echo://native-message-ids", viewer=False) as url,
        convostore.open(f"gateway+{url}") as store,
        store.stream_reply("c", "hello", turn_id="tür") as stream,
    ):
        assert stream.message_id == "tür/answer"
        assert [*stream][-1].reply.message.id == stream.message_id
