"""Every recorded list, get and delete, read on both faces and compared with the contract.

The expectations come from `oracle`, a second reading of the contract; what notable recordings hold
is written out in `test_notable_recordings`.
"""

from __future__ import annotations

import pytest
from tests.support.naming import naming
from vcr.errors import CannotOverwriteExistingCassetteException

import convostore
from convostore.testing import FACES

from .support.oracle import UNSAID, expect_conversation, expect_conversations, expect_messages
from .support.recordings import CASES, WAYS, exchanges_of, open_store, played_by, playing

pytestmark = pytest.mark.usefixtures("closed_network")

FAILURES = {
    (304, ""): (convostore.ProtocolError, None),
    (400, "text/html"): (convostore.InvalidError, None),
    (404, "application/json"): (convostore.NotFoundError, "Chat not found"),
    (404, "text/html"): (convostore.ProtocolError, None),
    (405, ""): (convostore.ProtocolError, None),
    (431, ""): (convostore.InvalidError, None),
    (500, "application/json"): (convostore.UnavailableError, "An error has occurred."),
    (500, "text/plain"): (convostore.UnavailableError, None),
}


@pytest.mark.parametrize("case", CASES)
def test_every_recorded_exchange_is_read_as_the_contract_says(case):
    for face, way, exchange, result in played_by(FACES, case, ways_of(case)):
        with naming(face, way, exchange.method, exchange.path):
            assert_right(case, exchange, result, way)


def ways_of(case):
    """Return the ways in which a store reads the case's conversations."""
    reads = any(item.method == "GET" and item.conversation_id for item in exchanges_of(case))
    return WAYS if reads else ("transcripts",)


def test_all_recordings_are_among_the_cases():
    assert len(CASES) == 425
    assert sum(len(exchanges_of(case)) for case in CASES) == 584
    assert len({case.partition("/")[0] for case in CASES}) == 18


def test_a_request_that_was_not_recorded_is_refused(recorded_store):
    with playing("next-1.12.1/list_empty"), recorded_store() as store:
        assert store.conversations() == []
        with pytest.raises(CannotOverwriteExistingCassetteException):
            store.get_conversation("never asked for")


def test_without_a_recording_the_closed_network_is_found_out():
    with (
        open_store("sync") as store,
        pytest.raises(pytest.fail.Exception, match=r"perplexica\.invalid"),
    ):
        store.get_conversation("any")


def assert_right(case, exchange, result, way):
    absent = exchange.status == 404 and exchange.media_type == "application/json"
    if exchange.location:
        follow_up = case.replace("trailing_slash", "query_ignored")
        assert_right(case, exchanges_of(follow_up)[0], result, way)
    elif exchange.method == "DELETE" and (exchange.status == 200 or absent):
        assert result is None
    elif exchange.status != 200:
        assert_refused(exchange, result, way)
    elif exchange.conversation_id is None:
        assert_conversations(result, expect_conversations(exchange.body))
    elif way == "get_conversation":
        assert_conversation(result, expect_conversation(exchange.body["chat"]))
    elif way == "messages":
        assert_messages(result, exchange.body)
    else:
        assert result.conversation_id == exchange.conversation_id
        assert_conversation(result.conversation, expect_conversation(exchange.body["chat"]))
        assert_messages(result.messages, exchange.body)


def assert_refused(exchange, error, way):
    expected, said = FAILURES[exchange.status, exchange.media_type]
    assert type(error) is expected
    assert error.detail == said
    assert not error.retryable
    assert error.adapter == "perplexica"
    assert error.operation == operation_of(exchange, way)
    if expected is convostore.ProtocolError:
        assert "check the base URL" in str(error)


def operation_of(exchange, way):
    if exchange.method == "DELETE":
        return "delete_conversation"
    if exchange.conversation_id is None:
        return "list_conversations"
    return "get_conversation" if way == "get_conversation" else "list_messages"


def assert_conversations(conversations, expected):
    assert [item.id for item in conversations] == [item.id for item in expected]
    for conversation, right in zip(conversations, expected, strict=True):
        assert_conversation(conversation, right)


def assert_conversation(conversation, expected):
    assert conversation.id == expected.id
    assert conversation.title == expected.title
    assert conversation.created_at == expected.created_at
    assert conversation.updated_at is None
    assert not conversation.pinned
    assert [(file.name, file.url) for file in conversation.files] == expected.files
    assert {problem.where for problem in conversation.problems} == expected.problems
    assert conversation.raw == expected.raw


def assert_messages(messages, body):
    expected = expect_messages(body)
    assert [item.id for item in messages] == [item.id for item in expected]
    for message, right in zip(messages, expected, strict=True):
        assert_message(message, right)
    assert_raw_is_whole(messages, body)


def assert_message(message, expected):
    assert message.role == expected.role
    assert message.text == expected.text
    assert message.created_at == expected.created_at
    assert_sources(message.sources, expected)
    assert message.feedback is None
    for field in ("status", "raw"):
        right = getattr(expected, field)
        assert right is UNSAID or getattr(message, field) == right
    if expected.problems is not None:
        named = {problem.where.partition("[")[0] for problem in message.problems}
        assert named == expected.problems


def assert_sources(sources, expected):
    """Compare them, cited ones first; a mark counts the cited ones."""
    triples = [(source.kind, source.title, source.url, source.content) for source in sources]
    assert triples == [
        *(("cited", *item) for item in expected.cited),
        *(("researched", *item) for item in expected.researched),
    ]
    marks = [str(number) for number, _ in enumerate(expected.cited, start=1)]
    assert [source.mark for source in sources] == marks + [None] * len(expected.researched)


def assert_raw_is_whole(messages, body):
    kept = []
    for message in messages:
        kept += message.raw if isinstance(message.raw, list) else [message.raw]
    for row in body["messages"]:
        assert row in kept
