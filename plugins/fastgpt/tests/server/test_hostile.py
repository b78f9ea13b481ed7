"""Whatever is asked, the dialect answers in the service's way: no request is beyond it."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.cases import for_each

from convostore.models import Message
from convostore.testing.samples import BEYOND_UTF8, HOSTILE_TEXTS, full_message
from convostore.testing.strategies import corrupted, json_values, texts

from ..support.dialects import APP, CHAT, V1, V2, Served, request_of, user

CHATTED = {"appId": APP, "chatId": "c"}
PAGED = CHATTED | {"offset": 0, "pageSize": 5, "source": "api", "startUpdateTime": "2024-12-07"}
SAID = [user([{"type": "text", "text": "hi"}, {"type": "file_url", "name": "a", "url": "u"}])]
BODIES = {
    CHAT + "history/getHistories": PAGED,
    CHAT + "history/updateHistory": CHATTED | {"title": "t", "customTitle": "c", "top": False},
    CHAT + "history/batchDelete": {"appId": APP, "chatIds": ["none"]},
    CHAT + "history/getHistoryStatus": {"appId": APP, "chatIds": ["c"]},
    CHAT + "history/markRead": CHATTED,
    CHAT + "record/getPaginationRecords": PAGED | {"type": "normal", "loadCustomFeedbacks": True},
    CHAT + "record/delete": CHATTED | {"contentId": "x", "contentIds": ["y"]},
    CHAT + "record/getQuote": CHATTED | {"chatItemDataId": "m", "datasetDataIdList": ["a"]},
    CHAT + "feedback/updateUserFeedback": CHATTED
    | {"dataId": "everything", "userGoodFeedback": "yes"},
    "/api/core/ai/agent/v2/createQuestionGuide": CHATTED | {"questionGuide": {"open": True}},
    "/api/core/ai/agent/createQuestionGuide": {"messages": SAID},
    V1: CHATTED | {"messages": SAID, "stream": False, "detail": True, "variables": {"a": 1}},
    V2: CHATTED | {"messages": SAID, "stream": True, "stream_options": {"include_usage": True}},
}
BY_QUERY = ["history/delHistory", "record/getResData", "init", "record/delete"]
STATUSES = {200, 400, 403, 404, 429, 500, 501}

SHARE = max(5, settings().max_examples // 4)
"""The profile's examples are spread over many paths, each with a share."""


def filled() -> Served:
    served = Served("echo")
    served.fill("c", [Message(id="q", role="user"), full_message()], title="a title")
    return served


def assert_it_is_an_answer(response):
    assert response.status in STATUSES
    if response.media_type == "application/json":
        json.loads(response.content)
        assert response.content.isascii()
    elif response.status == 200:
        assert response.content.endswith(b"\n\n")


@for_each("path", BODIES)
@settings(max_examples=SHARE, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_spoilt_body_is_answered(path, data):
    body = data.draw(corrupted(BODIES[path]))
    try:
        request = request_of(path, body)
    except ValueError:  # it is no JSON that could be sent
        return
    assert_it_is_an_answer(filled().answer(request))


@for_each("path", BODIES)
@settings(max_examples=SHARE)
@given(json_values() | st.binary(max_size=40))
def test_any_other_body_is_answered(path, body):
    assert_it_is_an_answer(filled().answer(request_of(path, body)))


@for_each("path", BY_QUERY)
@settings(max_examples=SHARE)
@given(st.dictionaries(st.sampled_from(["appId", "chatId", "dataId", "contentId"]), texts()))
def test_any_query_is_answered(path, query):
    query = {"appId": APP} | query
    assert_it_is_an_answer(filled().ask(CHAT + path, **query))


@given(st.text(max_size=40), texts())
def test_any_key_is_read(path, header):
    request = request_of(f"/api/core/{path}", headers={"authorization": header})
    served = Served()
    assert all(served.dialect.credentials(request))
    served.dialect.scope(request)
    assert served.answer(request).status == 404


@for_each("text", [*HOSTILE_TEXTS[2:], *BEYOND_UTF8])
def test_hostile_ids_and_titles_are_taken_as_they_are(text):
    served = Served()
    served.said(text, 2)
    chat = {"chatId": text}
    served.data("updateHistory", chat | {"customTitle": text})
    (row,) = served.data("getHistories", {})["list"]
    assert (row["chatId"], row["customTitle"]) == (text, text)
    assert served.data("getPaginationRecords", chat)["total"] == 2
    served.data("delHistory", **chat)
    assert served.data("getHistories", {})["total"] == 0


@for_each("text", HOSTILE_TEXTS[2:])
@for_each("stream", [False, True])
def test_hostile_texts_are_answered_as_they_are(text, stream):
    served = Served("echo")
    response = served.ask(V1, {"messages": [user(text)], "chatId": "c", "stream": stream})
    assert response.status == 200
    question, answer = served.store.messages("c")
    assert question.text == text
    if not stream:
        said = json.loads(response.content)["choices"][0]["message"]["content"]
        assert said == answer.text
