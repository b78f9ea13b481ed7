"""The bodies of the public document on the history API (2024, port 3001), as it prints them.

The document shortens with "…" and prints two sources, of which the second is made up here; its
answer cites more of them than that.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from tests.support.faces import PlainStore

import convostore
from convostore.http import Request, Response

from ..support.recordings import TARGET

CHAT_ID = "5a31859e83d0e45b6c5ba063091ff9403ed9eb3b"
LIST = """{"chats": [
  {"id": "5a31859e83d0e45b6c5ba063091ff9403ed9eb3b", "title": "when is the first day of Kapiolani cummunity college", "createdAt": "Sat Dec 07 2024 09:35:59 GMT+0000 (Coordinated Universal Time)", "focusMode": "webSearch", "files": []},
  {"id": "041cd5f3fdef4fda1a0fa2a45564e3c22ce2fd9a", "title": "when is first day of kapiaoni community college", "createdAt": "Sat Dec 07 2024 09:21:12 GMT+0000 (Coordinated Universal Time)", "focusMode": "webSearch", "files": []}
]}"""  # noqa: E501  # as printed
PRINTED_SOURCE = """{"pageContent": "Last day to register, add, or change full-semester class sections. Last day to withdraw from full-semester classes with 100% tuition refund* online at www.star.hawaii.edu", "metadata": {"title": "Academic Calendar | Kapi'olani Community College", "url": "https://www.kapiolani.hawaii.edu/classes/academic-calendar/"}}"""  # noqa: E501  # as printed
OTHER_SOURCE = '{"pageContent": "…", "metadata": {"title": "…", "url": "https://example.org/"}}'
QUESTION = "when is the first day of Kapiolani cummunity college"
ANSWER = "… is September 2[9]. … first day of instruction[11]."
DETAIL = json.dumps(
    {
        "chat": json.loads(LIST)["chats"][0],
        "messages": [
            {
                "id": 3,
                "content": QUESTION,
                "chatId": CHAT_ID,
                "messageId": "5b61edf4bc179e",
                "role": "user",
                "metadata": '{"createdAt":"2024-12-07T09:35:59.119Z"}',
            },
            {
                "id": 4,
                "content": ANSWER,
                "chatId": CHAT_ID,
                "messageId": "32fcbbf251337c",
                "role": "assistant",
                "metadata": '{"createdAt":"2024-12-07T09:36:04.371Z",'
                f'"sources":[{PRINTED_SOURCE},{OTHER_SOURCE}]}}',
            },
        ],
    }
)
BODIES = {"/api/chats": LIST, f"/api/chats/{CHAT_ID}": DETAIL}


def answer_to(request: Request) -> Response:
    """Answer as the document's service does: two addresses, read only."""
    assert (request.method, request.query) == ("GET", ())
    headers = {"content-type": "application/json; charset=utf-8"}
    if request.path not in BODIES:
        return Response(404, headers, b'{"message":"Chat not found"}')
    return Response(200, headers, BODIES[request.path].encode())


@pytest.fixture
def store(face):
    with PlainStore(face, TARGET, service=answer_to) as store:
        yield store


def test_the_documents_list_is_read_in_its_order(store):
    first, second = store.conversations()
    assert (first.id, second.id) == (CHAT_ID, "041cd5f3fdef4fda1a0fa2a45564e3c22ce2fd9a")
    assert first.title == QUESTION
    assert second.title == "when is first day of kapiaoni community college"
    assert first.created_at == datetime(2024, 12, 7, 9, 35, 59, tzinfo=UTC)
    assert second.created_at == datetime(2024, 12, 7, 9, 21, 12, tzinfo=UTC)
    for conversation in (first, second):
        assert conversation.updated_at is None
        assert (conversation.files, conversation.problems) == ((), ())
        assert conversation.raw["focusMode"] == "webSearch"


def test_the_documents_chat_is_a_question_and_its_answer(store):
    question, answer = store.messages(CHAT_ID)
    assert (question.id, answer.id) == ("5b61edf4bc179e", "32fcbbf251337c")
    assert (question.role, answer.role) == ("user", "assistant")
    assert (question.text, answer.text) == (QUESTION, ANSWER)
    assert question.created_at == datetime(2024, 12, 7, 9, 35, 59, 119000, tzinfo=UTC)
    assert answer.created_at == datetime(2024, 12, 7, 9, 36, 4, 371000, tzinfo=UTC)
    assert (question.raw["id"], answer.raw["id"]) == (3, 4)
    assert question.sources == question.problems == answer.problems == ()


def test_the_documents_source_has_its_title_address_and_passage(store):
    source, other = store.messages(CHAT_ID)[1].sources
    assert source.title == "Academic Calendar | Kapi'olani Community College"
    assert source.url == "https://www.kapiolani.hawaii.edu/classes/academic-calendar/"
    assert source.content.startswith("Last day to register, add, or change ")
    assert source.content.endswith(" online at www.star.hawaii.edu")
    assert (source.kind, source.mark, other.mark) == ("cited", "1", "2")
    assert source.raw == json.loads(PRINTED_SOURCE)


def test_marks_beyond_the_printed_sources_stay_readable(store):
    answer = store.messages(CHAT_ID)[1]
    citations = list(answer.citations())
    assert [(citation.mark, citation.source) for citation in citations] == [
        ("9", None),
        ("11", None),
    ]
    assert [answer.text[citation.start : citation.end] for citation in citations] == ["[9]", "[11]"]
    assert answer.text == ANSWER


def test_the_documents_chat_is_the_one_of_its_list(store):
    listed, _ = store.conversations()
    assert store.get_conversation(CHAT_ID) == listed
    (transcript,) = store.transcripts([CHAT_ID])
    assert transcript.conversation == listed
    assert list(transcript.messages) == store.messages(CHAT_ID)


def test_a_chat_that_the_document_only_lists_is_told_as_absent(store):
    with pytest.raises(convostore.NotFoundError, match="Chat not found"):
        store.messages("041cd5f3fdef4fda1a0fa2a45564e3c22ce2fd9a")
