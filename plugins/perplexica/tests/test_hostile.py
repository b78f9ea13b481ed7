"""Whatever JSON an answer holds, there is a value or a `StoreError`, and every row stays whole."""

import itertools
import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.cases import for_each

import convostore
from convostore.adapters import Transport, Turn
from convostore.http import Request, Response
from convostore.models import TextPart
from convostore.parsing import MAX_NESTING
from convostore.testing.strategies import corrupted, json_values, nested
from convostore_perplexica.api.versions import Generation
from convostore_perplexica.options import PerplexicaOptions, PerplexicaReplyOptions
from convostore_perplexica.replies.history import parse_history
from convostore_perplexica.replies.requests import TurnSettings, reply_request

from .support.service import JSON_TYPE

SOURCE = {"pageContent": "p", "metadata": {"title": "T", "url": "https://example.org"}}
STEPS = [
    {"id": "1", "type": "reasoning", "reasoning": "hm"},
    {"id": "2", "type": "searching", "searching": ["q"]},
    {"id": "3", "type": "search_results", "reading": [SOURCE]},
    {"id": "4", "type": "upload_search_results", "results": [SOURCE]},
]
ROWS = [
    {"id": 1, "messageId": "a", "role": "user", "content": "q", "metadata": '{"createdAt":"x"}'},
    {
        "id": 2,
        "messageId": "b",
        "role": "assistant",
        "content": "a[1]",
        "metadata": {"createdAt": "2024-12-07T09:36:04.371Z", "sources": [SOURCE]},
    },
    {"id": 3, "messageId": "c", "role": "user", "content": "q", "sources": []},
    {"id": 4, "messageId": "c-source", "role": "source", "content": None, "sources": [SOURCE]},
    {"id": 5, "messageId": "d", "role": "assistant", "content": "a", "sources": "[]"},
    {
        "id": 6,
        "messageId": "e",
        "query": "q",
        "createdAt": "Sat Dec 07 2024 17:35:59 GMT+0800 (中国标准时间)",
        "responseBlocks": [
            {"id": "x", "type": "research", "data": {"subSteps": STEPS}},
            {"id": "y", "type": "source", "data": [SOURCE]},
            {"id": "z", "type": "text", "data": "a[1]"},
            {"id": "w", "type": "widget", "data": {"widgetType": "weather"}},
        ],
        "status": "completed",
    },
]
UNANSWERED = {"id": 7, "messageId": "f", "query": "q", "responseBlocks": [], "status": "answering"}
MODELS_CHOSEN = PerplexicaReplyOptions(chat_model="p/m", embedding_model="p/e")
CHAT = {
    "id": "chat",
    "title": "a title",
    "createdAt": "Sat Dec 07 2024 09:35:59 GMT+0000 (Coordinated Universal Time)",
    "focusMode": "webSearch",
    "files": [{"name": "n.txt", "fileId": "0f"}],
}
DETAIL = {"chat": CHAT, "messages": ROWS}
LIST = {"chats": [CHAT, CHAT | {"id": "other", "sources": ["web"]}]}


class Answers(Transport[Request, Response]):
    """Answers everything with the same bytes."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def send(self, request: Request) -> Response:
        return Response(200, JSON_TYPE, self._content)


def opened(body: object) -> convostore.ConversationStore:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return convostore.open("perplexica+http://x.test", transport=Answers(content), retries=0)


def read(body: object) -> list[object]:
    """Return all that can be read of a body, in every way that there is.

    An error must be ours, and name the field or the bound.
    """
    store = opened(body)
    results: list[object] = []
    for look in (
        lambda: list(store.conversations()),
        lambda: store.get_conversation("chat"),
        lambda: list(store.messages("chat")),
        lambda: list(store.transcripts(["chat"])),
        store.check,
    ):
        try:
            results.append(look())
        except convostore.ProtocolError as error:
            told = str(error)
            assert re.search(r"'(chats?|messages)'|not JSON|nested", told), told
    return results


def rows_in(messages: list[convostore.Message]) -> list[object]:
    """Return the rows that the messages keep, each once, though one row may make two messages."""
    seen: dict[int, object] = {}
    for message in messages:
        rows = message.raw if isinstance(message.raw, list) else [message.raw]
        seen |= {id(row): row for row in rows}
    return list(seen.values())


@given(corrupted(DETAIL))
def test_any_json_at_any_place_of_a_chat_gives_a_value_or_a_protocol_error(body):
    for result in read(body):
        repr(result)


@given(corrupted(DETAIL | {"messages": [*ROWS, UNANSWERED]}, places=2))
@example({"chat": CHAT, "messages": [UNANSWERED | {"status": []}]})
def test_any_json_at_any_place_of_a_chat_gives_replies_or_store_errors(body):
    store = opened(body)
    for turn_id in ("a", "c", "e", "e/answer", "f"):
        try:
            reply = store.get_reply("chat", turn_id)
        except convostore.StoreError as error:
            assert error.operation == "get_reply"  # noqa: PT017  # most bodies raise none
        else:
            assert reply.message.id


@given(corrupted(DETAIL, places=2))
def test_any_json_at_any_place_of_a_chat_goes_along_with_a_turn_as_texts(body):
    try:
        past = parse_history(body)
    except convostore.ProtocolError:
        return
    content = (TextPart(text="q"),)
    turn = Turn(conversation_id="chat", turn_id="t", content=content, options=MODELS_CHOSEN)
    choices = TurnSettings(MODELS_CHOSEN, PerplexicaOptions())
    for generation in set(Generation) - {Generation.SOCKET}:
        sent = reply_request(generation, turn, past, choices).json
        searched = sent.get("sources") or [sent.get("focusMode", "")]
        texts = [*sent["files"], *searched, *itertools.chain(*sent["history"])]
        assert {type(text) for text in texts} <= {str}


@given(corrupted(LIST))
def test_any_json_at_any_place_of_a_list_gives_a_value_or_a_protocol_error(body):
    for result in read(body):
        repr(result)


@given(json_values())
def test_any_json_in_place_of_an_answer_gives_a_value_or_a_protocol_error(body):
    read(body)


@given(st.binary(max_size=60))
@example(b"\xff\xfe")
@example(b"")
@example(b'{"chats": [')
def test_any_bytes_in_place_of_an_answer_give_a_value_or_a_protocol_error(body):
    read(body)


@given(corrupted(ROWS, places=3).filter(lambda rows: isinstance(rows, list)))
def test_every_row_stays_whole_in_the_raw_of_some_message(rows):
    try:
        messages = list(opened({"chat": CHAT, "messages": rows}).messages("chat"))
    except convostore.ProtocolError:
        return
    sent = json.loads(json.dumps(rows))
    kept = [json.dumps(row) for row in rows_in(messages) if not isinstance(row, list)]
    for row in sent:
        if isinstance(row, dict):
            assert json.dumps(row) in kept


@given(corrupted(ROWS, places=3).filter(lambda rows: isinstance(rows, list)))
def test_messages_can_be_compared_exported_and_told_apart(rows):
    try:
        messages = list(opened({"chat": CHAT, "messages": rows}).messages("chat"))
    except convostore.ProtocolError:
        return
    ids = [message.id for message in messages]
    assert len(set(ids)) == len(ids)
    for message in messages:
        assert len(message.fingerprint()) == 64
        for citation in message.citations():
            assert message.text[citation.start] == "["
            assert citation.mark in message.text[citation.start : citation.end]
        copy = convostore.Message.model_validate(message.model_dump())
        assert copy.fingerprint() == message.fingerprint()


@for_each(
    "body, field",
    [
        ({"chat": CHAT}, "messages"),
        ({"chat": CHAT, "messages": None}, "messages"),
        ({"chat": CHAT, "messages": {}}, "messages"),
        ([], "messages"),
        ("text", "messages"),
    ],
)
def test_an_answer_without_messages_names_the_field(body, field):
    with pytest.raises(convostore.ProtocolError, match=field):
        list(opened(body).messages("chat"))


@for_each("chat", [None, [], "chat", 1])
def test_an_answer_without_a_chat_names_the_field(chat):
    with pytest.raises(convostore.ProtocolError, match="chat"):
        opened({"chat": chat, "messages": []}).get_conversation("chat")


@for_each("chats", [None, {}, "chats", 1])
def test_a_list_that_is_none_names_the_field(chats):
    with pytest.raises(convostore.ProtocolError, match="chats"):
        list(opened({"chats": chats}).conversations())


def test_one_bad_row_of_a_list_is_a_note_on_that_row():
    good, bad = opened({"chats": [CHAT, 5]}).conversations()
    assert good.problems == ()
    assert bad.raw == 5
    assert {problem.where for problem in bad.problems} == {"chat", "id"}


def test_a_number_of_5000_digits_is_a_protocol_error_that_keeps_an_excerpt():
    body = b'{"chat": {"id": "c"}, "messages": [' + b"9" * 5000 + b"]}"
    with pytest.raises(convostore.ProtocolError, match="out of bounds") as caught:
        list(opened(body).messages("chat"))
    assert caught.value.excerpt.startswith('{"chat"')


def test_a_number_of_5000_digits_within_metadata_is_a_note_on_its_message():
    row = ROWS[1] | {"metadata": '{"createdAt": ' + "9" * 5000 + "}"}
    (message,) = opened({"chat": CHAT, "messages": [row]}).messages("chat")
    assert [problem.where for problem in message.problems] == ["metadata"]
    assert message.text == "a[1]"


@for_each("depth", [MAX_NESTING, 5_000, 200_000])
def test_nesting_too_deep_is_a_protocol_error(depth):
    body = b'{"chats": ' + b"[" * depth + b"]" * depth + b"}"
    with pytest.raises(convostore.ProtocolError, match="nested"):
        list(opened(body).conversations())


def test_nesting_within_the_bound_is_kept():
    row = ROWS[0] | {"extra": nested(MAX_NESTING - 10)}
    (message,) = opened({"chat": CHAT, "messages": [row]}).messages("chat")
    assert message.raw == row


def test_of_a_key_that_comes_twice_the_last_counts():
    body = b'{"chat": {"id": "c", "title": "first", "title": "last"}, "messages": []}'
    assert opened(body).get_conversation("c").title == "last"


def test_lone_surrogates_are_kept():
    body = b'{"chat": {"id": "c", "title": "\\ud800 x"}, "messages": []}'
    assert opened(body).get_conversation("c").title == "\ud800 x"
