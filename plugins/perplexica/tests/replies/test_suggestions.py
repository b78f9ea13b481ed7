"""Questions that may come next: what each version is asked, and what it says."""

import json

import pytest
from tests.support.cases import for_each

import convostore
from convostore.http import Response

from ..support.recordings import exchanges_of
from ..support.service import JSON_TYPE
from ..support.streams import VERSIONS, recorded
from ..support.turns import ABSENT, probed, talking

pytestmark = pytest.mark.rim

EXPRESS = ("express-1.9.3", "express-1.10.0-rc3")


class Suggesting:
    """Answers as a version did, with the chat whose questions were recorded."""

    def __init__(self, version, answer=None):
        (exchange,) = exchanges_of(f"{version}/get_prog_kcc")
        self.chat = Response(200, JSON_TYPE, json.dumps(exchange.body).encode())
        self.version = version
        self.recording = recorded(f"{version}/suggestions")
        self.asked = []
        self._answer = answer or self.recording.response

    def __call__(self, request):
        if request.path == "/api/suggestions":
            self.asked.append(request.json)
            return self._answer
        if request.path.startswith("/api/chats/"):
            return self.chat
        return probed(self.version, request)

    @property
    def model(self):
        provider, name, *_ = self.recording.request["chatModel"].values()
        return f"{provider}/{name}"


@for_each("version", [*EXPRESS, *VERSIONS])
def test_suggestions_are_asked_for_as_they_were_recorded(version, talk):
    service = Suggesting(version)
    with talking(talk, service, chat_model=service.model) as store:
        questions = store.suggest_questions("c")
    assert questions == tuple(json.loads(service.recording.content)["suggestions"])
    (asked,) = service.asked
    assert asked["chatHistory"] == service.recording.request["chatHistory"]
    model = asked["chatModel"]  # the recorded ones up to 1.9 hold an address and a key as well
    assert model.items() <= service.recording.request["chatModel"].items()
    assert len(model) == 2


def test_suggestions_need_no_embedding_model(talk):
    service = Suggesting("next-1.12.1")
    with talking(talk, service, chat_model=service.model, embedding_model=None) as store:
        assert store.suggest_questions("c")


def test_without_a_model_nothing_is_asked(talk):
    asked = []
    with (
        talking(talk, asked.append, chat_model=None) as store,
        pytest.raises(convostore.InvalidError, match="chat_model"),
    ):
        store.suggest_questions("c")
    assert asked == []


def test_a_conversation_that_is_not_there_has_no_suggestions(talk):
    with talking(talk, lambda _: ABSENT) as store, pytest.raises(convostore.NotFoundError):
        store.suggest_questions("absent")


def test_what_is_no_text_among_the_suggestions_is_left_out(talk):
    answer = Response(200, JSON_TYPE, b'{"suggestions": ["Why?", 5, null, "", " ", "How?"]}')
    with talking(talk, Suggesting("next-1.12.1", answer)) as store:
        assert store.suggest_questions("c") == ("Why?", "How?")


@for_each("body", [b"{}", b"[]", b'{"suggestions": 5}', b'{"suggestions": null}'])
def test_an_answer_without_suggestions_is_a_protocol_error(body, talk):
    service = Suggesting("next-1.12.1", Response(200, JSON_TYPE, body))
    with talking(talk, service) as store, pytest.raises(convostore.ProtocolError):
        store.suggest_questions("c")
