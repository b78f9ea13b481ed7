"""Every recorded answer of the history's endpoints, read on both faces, as the contract says.

The expectations come from `oracle`, a second reading of the contract; what notable recordings hold
is written out in `test_notable_recordings`. Each answer is read three ways: by the store, from a
`Replay` that serves it to whatever the store asks; where the mapping has the recorded request, by
the store over the recorded bytes; and, that of whatever endpoint, by the adapter's `failure`.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import product
from urllib.parse import urlsplit

import pytest
from tests.support.cases import for_each
from tests.support.faces import PlainStore
from tests.support.naming import naming
from vcr.errors import CannotOverwriteExistingCassetteException

import convostore
from convostore.config import open_adapter
from convostore.testing import FACES
from convostore_fastgpt.schema import records

from .support.oracle import (
    ExpectedError,
    expect_conversation,
    expect_conversations,
    expect_error,
    expect_messages,
    expect_records,
    expect_steps,
)
from .support.recordings import (
    CASES,
    KINDS,
    VERSIONS,
    all_exchanges,
    exchange_of,
    exchanges_of,
    open_gated,
    open_over,
    options_of,
    outcome,
    playing,
    replay_of,
    scope_of,
    standing_for,
    target_of,
)

pytestmark = pytest.mark.usefixtures("closed_network")

CHAT_ISSUE = (
    "/chat/completions",
    "/createQuestionGuide",
    "/init",
    "/getRecords_v2",
    "/markRead",
    "/stop",
    "/batchDelete",
    "/nope",
)

LIMITS = (1, 2, 3, 5, 8, 20)

OPERATIONS = {
    "getHistories": "list_conversations",
    "getPaginationRecords": "list_messages",
    "updateHistory": "update_conversation",
    "delHistory": "delete_conversation",
    "clearHistories": "clear_conversations",
    "getHistoryStatus": "get_conversation",
    "updateUserFeedback": "set_feedback",
    "getResData": "get_run_details",
    "record/delete": "delete_message",
}


COMPLETIONS_ALONE = re.compile(
    r".*/(completions_no_chatid|v\d_completions_[a-z-]+_[a-z-]+(_(llm_error|multi|plugin|think|tool))?)"
)
"""The cases that have nothing of the history; see `test_decoding` and `test_replies`."""
READ = [case for case in CASES if not COMPLETIONS_ALONE.fullmatch(case)]


@pytest.mark.parametrize("case", READ)
def test_a_recording_is_read_as_the_contract_says(case):
    for exchange in exchanges_of(case):
        for check in checks_of(exchange):
            with naming(exchange, check.__name__):
                check(exchange)
        for check in checks_on_both_faces_of(exchange):
            for face in FACES:
                with naming(exchange, check.__name__, face):
                    check(exchange, face)


def checks_of(exchange):
    if is_looked_at(exchange):
        yield is_a_result_or_the_error_of_the_contracts_table
    if is_listed(exchange) or exchange.kind == "getPaginationRecords":
        yield a_page_tells_how_many_there_are_in_all
    if exchange.is_made_by_the_adapter:
        yield what_the_store_sends_is_what_was_recorded
    if has_records(exchange):
        yield pages_of_any_size_hold_the_same_messages_in_both_orders


def checks_on_both_faces_of(exchange):
    if exchange.kind:
        yield is_read_by_the_store
    if is_listed(exchange):
        yield each_listed_conversation_is_found_by_its_id
    if has_records(exchange):
        yield a_transcript_holds_the_same_messages


def is_looked_at(exchange):
    """Return whether it is of the history, or another endpoint's refusal."""
    return exchange.kind or exchange.status >= 400 or exchange.content.startswith(b'{"code"')


def is_listed(exchange):
    return exchange.kind == "getHistories" and exchange.status == 200


def has_records(exchange):
    return exchange.kind == "getPaginationRecords" and exchange.rows != []


def is_a_result_or_the_error_of_the_contracts_table(exchange):
    adapter = open_adapter(target_of(exchange.version), **options_of({}))
    error = adapter.failure(exchange.request, exchange.response)
    right = expect_error(exchange.status, exchange.media_type, exchange.content)
    if right is None:
        assert error is None
    else:
        assert_error(error, right)


def a_page_tells_how_many_there_are_in_all(exchange):
    if exchange.status != 200:
        assert exchange.rows == []
        return
    offset = int(exchange.params.get("offset", 0))
    rows, total = records.list_of(exchange.body["data"], offset)
    assert (rows, total) == (exchange.rows, exchange.body["data"]["total"])


def pages_of_any_size_hold_the_same_messages_in_both_orders(exchange):
    expected = expect_messages(exchange.body)
    for limit, order in product(LIMITS, ("oldest_first", "newest_first")):
        with (
            naming(limit, order),
            open_over("sync", exchange.version, replay_of(exchange)) as store,
        ):
            messages = joined_pages(store, exchange, limit, order)
            assert_messages(messages if order == "oldest_first" else messages[::-1], expected)


def joined_pages(store, exchange, limit, order):
    messages, cursor = [], None
    while True:
        page = store.list_messages(
            exchange.params["chatId"], limit=limit, cursor=cursor, order=order
        )
        assert len(page.items) <= limit
        assert page.total == len(exchange.rows)
        messages += page.items
        if (cursor := page.cursor) is None:
            return messages


def is_read_by_the_store(exchange, face):
    with open_over(face, exchange.version, replay_of(exchange), **scope_of(exchange)) as store:
        for operation, args, kwargs, right in calls_of(exchange):
            assert_right(outcome(store, operation, *args, **kwargs), right, exchange)


def what_the_store_sends_is_what_was_recorded(exchange):
    options = scope_of(exchange) | {"source": exchange.params.get("source", source_of(exchange))}
    (call,) = calls_of(exchange, paged=True)
    operation, args, kwargs, right = call
    with playing(*[exchange] * len(FACES)) as cassette:
        for times, face in enumerate(FACES, start=1):
            with naming(face), open_gated(face, exchange.version, **options) as store:
                assert_right(outcome(store, operation, *args, **kwargs), right, exchange)
                assert cassette.play_count == times


def each_listed_conversation_is_found_by_its_id(exchange, face):
    with open_over(face, exchange.version, replay_of(exchange)) as store:
        for item in exchange.rows:
            found = store.get_conversation(item["chatId"])
            assert_conversation(found, expect_conversation(item))
        absent = outcome(store, "get_conversation", "an id that is not there")
    assert type(absent) is convostore.NotFoundError


def a_transcript_holds_the_same_messages(exchange, face):
    chat = exchange.params["chatId"]
    with open_over(face, exchange.version, replay_of(exchange)) as store:
        (transcript,) = store.transcripts([chat])
    assert (transcript.conversation_id, transcript.error) == (chat, None)
    assert transcript.conversation.id == chat
    assert_messages(transcript.messages, expect_messages(exchange.body))


@for_each("version", VERSIONS)
@for_each("places", [(4, 3, 2), (4, 7, 6)])
def test_recorded_pages_joined_are_the_whole_conversation(version, places):
    name = f"{version}/record_getPaginationRecords"
    rows = [row for place in places for row in exchange_of(f"{name}#{place}").rows]
    assert rows == exchange_of(f"{name}#1").rows


@for_each("version", VERSIONS)
@for_each("place, offset", [(2, 0), (3, 3), (4, 6), (6, 0), (7, 3)])
def test_a_recorded_page_alone_reads_as_its_part_of_the_whole(version, place, offset):
    name = f"{version}/record_getPaginationRecords"
    whole, rows = exchange_of(f"{name}#1").rows, exchange_of(f"{name}#{place}").rows
    end = len(whole) - offset
    start = end - len(rows)
    messages = records.read_messages(
        rows,
        first=start,
        following=whole[end] if end < len(whole) else None,
        ended=end == len(whole),
    )
    assert_messages(messages, expect_records(whole)[start:end])


@for_each(
    "version, absent, kept",
    [
        ("v4.9.14", "history_getHistories#16", "history_getHistories#0"),
    ],
)
def test_the_page_of_an_absent_path_leads_to_the_older_one(version, absent, kept, face):
    pages = [exchange_of(f"{version}/{each}") for each in (absent, kept)]
    options = options_of({"api_key": pages[0].key})
    with playing(*pages), PlainStore(face, target_of(version), **options) as store:
        page = store.list_conversations(limit=20)
    assert_conversations(page.items, expect_conversations(pages[1].body))


@for_each("operation", list(OPERATIONS.values()))
@for_each("version", VERSIONS)
def test_a_server_that_has_none_of_the_paths_is_told_as_a_wrong_base_url(version, operation, face):
    args = {"list_conversations": [], "clear_conversations": [], "list_messages": ["c"]}
    two = {"delete_message": ["c", "0.d"], "get_run_details": ["c", "0.d"]}
    two["set_feedback"] = ["c", "0.d", None]
    kwargs = {"pinned": True} if operation == "update_conversation" else {}
    page = exchange_of(f"{version}/unknown_route#0").response
    with open_over(face, version, lambda request: page) as store:
        error = outcome(store, operation, *(args | two).get(operation, ["c"]), **kwargs)
    assert isinstance(error, convostore.ProtocolError)
    assert "check the base URL" in str(error)
    assert error.excerpt.startswith("<!DOCTYPE html>")
    assert (error.adapter, error.operation) == ("fastgpt", operation)


def test_what_the_adapter_itself_sends_is_among_the_recordings():
    assert Counter(
        (exchange.version, exchange.kind)
        for exchange in all_exchanges()
        if exchange.is_made_by_the_adapter
    ) == {
        ("v4.16.0", "getHistories"): 21,
        ("v4.16.0", "getPaginationRecords"): 4,
        ("v4.16.0", "updateHistory"): 5,
        ("v4.16.0", "delHistory"): 3,
        ("v4.16.0", "clearHistories"): 2,
        ("v4.16.0", "updateUserFeedback"): 8,
        ("v4.16.0", "getResData"): 5,
        ("v4.9.14", "getHistories"): 21,
        ("v4.9.14", "getPaginationRecords"): 4,
        ("v4.9.14", "updateHistory"): 1,
        ("v4.9.14", "delHistory"): 4,
        ("v4.9.14", "clearHistories"): 2,
        ("v4.9.14", "updateUserFeedback"): 8,
        ("v4.9.14", "getResData"): 5,
    }


def test_no_recorded_exchange_is_left_out():
    assert Counter(case.partition("/")[0] for case in CASES) == {"v4.16.0": 95, "v4.9.14": 93}
    assert Counter(exchange.version for exchange in all_exchanges()) == {
        "v4.16.0": 345,
        "v4.9.14": 323,
    }
    assert Counter(
        (exchange.version, exchange.kind) for exchange in all_exchanges() if exchange.kind
    ) == {
        ("v4.16.0", "getHistories"): 40,
        ("v4.16.0", "getPaginationRecords"): 68,
        ("v4.16.0", "updateHistory"): 10,
        ("v4.16.0", "delHistory"): 5,
        ("v4.16.0", "clearHistories"): 5,
        ("v4.16.0", "getHistoryStatus"): 2,
        ("v4.16.0", "updateUserFeedback"): 13,
        ("v4.16.0", "getResData"): 8,
        ("v4.16.0", "record/delete"): 6,
        ("v4.9.14", "getHistories"): 39,
        ("v4.9.14", "getPaginationRecords"): 68,
        ("v4.9.14", "updateHistory"): 10,
        ("v4.9.14", "delHistory"): 5,
        ("v4.9.14", "clearHistories"): 4,
        ("v4.9.14", "updateUserFeedback"): 13,
        ("v4.9.14", "getResData"): 7,
        ("v4.9.14", "record/delete"): 6,
    }
    others = {exchange.path for exchange in all_exchanges() if not exchange.kind}
    assert all(path.endswith(CHAT_ISSUE) for path in others), others
    assert set(OPERATIONS) == set(KINDS.values())


def test_none_but_completions_are_passed_over():
    looked_at = {exchange.case for exchange in all_exchanges() if is_looked_at(exchange)}
    assert looked_at == set(READ)
    assert len(READ) == 90


def test_a_request_that_was_not_recorded_is_refused(face):
    exchange = exchange_of("v4.16.0/history_getHistories#9")
    options = {"api_key": exchange.key, "source": "online"}
    with playing(exchange), open_gated(face, exchange.version, **options) as store:
        assert len(store.list_conversations(limit=20).items) == 1
        with pytest.raises(CannotOverwriteExistingCassetteException):
            store.list_conversations(limit=20)


def test_without_a_recording_the_closed_network_is_found_out():
    port = urlsplit(target_of("v4.16.0")).port
    with (
        open_gated("sync", "v4.16.0") as store,
        pytest.raises(pytest.fail.Exception, match=f"the network was used.*{port}"),
    ):
        store.list_conversations()


# What a recorded exchange is to a store


def source_of(exchange):
    """Return the source with which a store sends the exchange's request."""
    return "all" if exchange.kind == "getHistories" and exchange.key else "api"


def calls_of(exchange, *, paged=False):
    """Return what makes requests of the exchange's kind: operation, arguments and the right result.

    Args:
        exchange: What was recorded.
        paged: Whether a list is asked for by the page that was recorded.
    """
    if exchange.kind == "getHistoryStatus":
        rows = {row["chatId"]: row for row in standing_for(exchange.body["data"]["list"])}
        return [
            ("get_conversation", (id_,), {}, expect_conversation(rows[id_]))
            if id_ in rows
            else ("get_conversation", (id_,), {}, ExpectedError(kind=convostore.NotFoundError))
            for id_ in exchange.params["chatIds"]
        ]
    right = expect_error(exchange.status, exchange.media_type, exchange.content)
    if right is None and exchange.kind in READERS:
        right = READERS[exchange.kind](exchange.body)
    return [(*_call(exchange, paged=paged), right)]


def _call(exchange, *, paged):
    params = exchange.params
    chat = params.get("chatId") or "any"
    page = {"limit": params.get("pageSize")} if paged else {}
    operation = OPERATIONS[exchange.kind]
    match exchange.kind:
        case "getHistories":
            return (operation if paged else "conversations", (), page)
        case "getPaginationRecords" if paged:
            return (operation, (chat,), page | {"order": "newest_first"})
        case "getPaginationRecords":
            return ("messages", (chat,), {})
        case "updateHistory" if "top" in params:
            return (operation, (chat,), {"pinned": params["top"]})
        case "updateHistory":
            return (operation, (chat,), {"title": params.get("customTitle", "x")})
        case "delHistory":
            return (operation, (chat,), {})
        case "clearHistories":
            return (operation, (), {})
        case "updateUserFeedback":
            return (operation, (*message_of(params, "dataId"), thumb(params)), {})
    name = "dataId" if exchange.kind == "getResData" else "contentId"
    return (operation, message_of(params, name), {})


def _messages_or_absence(body):
    """Of an empty conversation that is in no list, too, the service says nothing."""
    if body["data"]["total"] == 0:
        return ExpectedError(kind=convostore.NotFoundError)
    return expect_messages(body)


READERS = {
    "getHistories": expect_conversations,
    "getPaginationRecords": _messages_or_absence,
    "getResData": expect_steps,
}


def message_of(params, name):
    return params.get("chatId") or "any", f"0.{params.get(name, 'any')}"


def thumb(params):
    for rating, name in (("bad", "userBadFeedback"), ("good", "userGoodFeedback")):
        if said := params.get(name):
            comment = None if said == "yes" else said
            return convostore.Feedback(rating=rating, comment=comment)
    return None


# What is right


def assert_right(result, right, exchange):
    if right is None:
        assert result is None
    elif not isinstance(right, list):
        assert_single(result, right, exchange)
    elif exchange.kind == "getHistories":
        assert_conversations(getattr(result, "items", result), right)
    elif exchange.kind == "getPaginationRecords":
        page = result.items[::-1] if hasattr(result, "items") else result
        assert_messages(page, right)
    else:
        assert [told_step(item) for item in result] == right


def assert_single(result, right, exchange):
    if hasattr(right, "title"):
        assert_conversation(result, right)
    else:
        assert_error(result, right)
        assert result.adapter == "fastgpt"
        assert result.operation == OPERATIONS[exchange.kind]


def assert_error(error, right):
    assert isinstance(error, right.kind), repr(error)
    assert error.retryable is right.retryable
    assert right.said in (None, error.detail)
    assert right.field in str(error)
    if right.kind is convostore.ProtocolError:
        assert "check the base URL" in str(error)


def assert_conversations(conversations, expected):
    assert [item.id for item in conversations] == [item.id for item in expected]
    for conversation, right in zip(conversations, expected, strict=True):
        assert_conversation(conversation, right)


def assert_conversation(conversation, right):
    told = {name: getattr(conversation, name) for name in vars(right)}
    assert told == vars(right)
    assert conversation.created_at is None
    assert (conversation.files, conversation.problems, conversation.origin) == ((), (), None)


def assert_messages(messages, expected):
    assert [item.id for item in messages] == [item.id for item in expected]
    for message, right in zip(messages, expected, strict=True):
        told = {name: getattr(message, name) for name in vars(right)}
        told["parts"] = [told_part(part) for part in message.parts]
        told["sources"] = [told_source(source) for source in message.sources]
        told["feedback"] = message.feedback and (message.feedback.rating, message.feedback.comment)
        told["problems"] = {problem.where for problem in message.problems}
        assert told == vars(right)
        assert (message.model, message.parent_id) == (None, None)


def told_part(part):
    match part:
        case convostore.TextPart() | convostore.ReasoningPart():
            return (part.kind, part.text)
        case convostore.FilePart():
            return (part.kind, part.name, part.url, part.media_type)
        case convostore.ToolCallPart():
            return (part.kind, part.id, part.name, part.arguments)
        case convostore.ToolResultPart():
            return (part.kind, part.id, part.content)
        case convostore.InteractionPart():
            options = [(option.value, option.label) for option in part.options]
            fields = [told_field(field) for field in part.fields]
            return (
                part.kind,
                part.type,
                part.prompt,
                options,
                fields,
                part.answered,
                part.answer,
            )
    raise AssertionError(f"no recording holds {part}")


def told_field(field):
    options = [(option.value, option.label) for option in field.options]
    return (field.key, field.label, field.type, field.required, options, field.value)


def told_source(source):
    return (
        source.kind,
        source.title,
        source.url,
        source.content,
        source.score,
        source.mark,
        source.raw,
    )


def told_step(step):
    return (step.id, step.name, step.type, step.seconds, step.error, step.steps, step.raw)
