"""Whatever an answer holds, there is a value or a `ProtocolError`, and every row stays whole."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.cases import for_each

import convostore
from convostore.adapters import Transport
from convostore.flow import run
from convostore.http import Request, Response
from convostore.models import Listing, RunStep
from convostore.parsing import MAX_NESTING
from convostore.testing import Backend
from convostore.testing.strategies import corrupted, json_values, nested
from convostore_fastgpt.schema import records

from .support.service import APP, JSON_TYPE, OPTIONS, FastGPTService

ITEMS = [
    {
        "chatId": "c1",
        "updateTime": "2025-03-01T08:03:00.000Z",
        "appId": APP,
        "customTitle": "",
        "title": "a title",
        "top": True,
        "chatGenerateStatus": 1,
        "hasBeenRead": False,
    },
    {
        "chatId": "c2",
        "updateTime": "2025-03-01T08:02:00.000Z",
        "appId": APP,
        "customTitle": "by hand",
        "title": "from the model",
        "top": False,
    },
]
TOOL = {"id": "t", "toolName": "n", "toolAvatar": "", "params": "{}", "response": "r"}
SELECT = {
    "type": "userSelect",
    "params": {
        "description": "which?",
        "userSelectOptions": [{"key": "o1", "value": "a"}, {"key": "o2", "value": "b"}],
        "userSelectedVal": "a",
    },
}
FORM = {
    "type": "userInput",
    "params": {
        "description": "fill in",
        "inputForm": [
            {
                "key": "k",
                "label": "K",
                "type": "select",
                "required": True,
                "list": [{"label": "A", "value": "a"}, {"label": "none", "value": ""}],
                "value": "a",
            }
        ],
        "submitted": True,
    },
}
ASK = {
    "type": "agentAsk",
    "params": {
        "questions": [
            {"question": "q", "options": [{"value": "a", "summary": "A"}], "answer": "a"}
        ],
        "submitted": False,
    },
}
WRAPPED = {"type": "childrenInteractive", "params": {"childrenResponse": SELECT}}
RECORDS = [
    {
        "_id": "66a000000000000000000001",
        "dataId": "d-1",
        "obj": "Human",
        "value": [
            {"type": "text", "text": {"content": "q"}},
            {"type": "file", "file": {"type": "image", "name": "f", "url": "https://x.test/f"}},
        ],
        "time": "2025-03-01T08:00:01.000Z",
        "hideInUI": False,
        "customFeedbacks": [],
    },
    {
        "_id": "66a000000000000000000002",
        "dataId": "d-2",
        "obj": "AI",
        "value": [
            {"reasoning": {"content": "hm"}, "text": {"content": "a [67e5](CITE)"}},
            {"type": "tool", "tools": [TOOL]},
            {"tool": TOOL, "agentPlanUpdate": TOOL, "agentAsk": TOOL},
            {"interactive": SELECT},
            {"interactive": FORM},
            {"interactive": ASK},
            {"interactive": WRAPPED},
            {"interactive": {"type": "agentPlanAskQuery", "params": {"options": ["x"]}}},
            {"plan": {"planId": "p"}, "skills": [], "planStatus": {}, "contextCheckpoint": "c"},
            {"type": "unheard"},
        ],
        "time": "2025-03-01T08:00:02.000Z",
        "durationSeconds": 2.42,
        "userGoodFeedback": "yes",
        "userBadFeedback": "wrong",
        "totalQuoteList": [
            {
                "id": "67e5",
                "q": "Q",
                "a": "A",
                "sourceName": "n",
                "sourceId": "https://x.test",
                "score": [{"type": "embedding", "value": 0.5, "index": 0}],
            }
        ],
        "toolCiteLinks": [{"name": "l", "url": "https://x.test/l"}],
        "errorMsg": "boom",
        "errorText": {"moduleName": "m", "errorText": "e"},
    },
    {"_id": "66a000000000000000000003", "dataId": "d-2", "obj": "System", "value": "plain"},
]
STEPS = [
    {
        "id": "r1",
        "moduleName": "AI chat",
        "moduleType": "chatNode",
        "runningTime": 0.5,
        "error": {"message": "m"},
        "errorText": "",
        "childrenResponses": [{"moduleName": "inner", "toolDetail": [{"moduleName": "deeper"}]}],
    }
]


def lists(document: list[Any]) -> st.SearchStrategy[list[Any]]:
    return corrupted(document, places=3).filter(lambda rows: isinstance(rows, list))


# Readers


@given(lists(ITEMS))
def test_every_item_of_a_list_stays_whole_in_a_conversation(rows):
    found = records.read_conversations(rows)
    assert [same(item.raw) for item in found] == [same(row) for row in rows]
    for conversation in found:
        assert conversation.id
        assert copied(conversation).portable() == conversation.portable()
        if not isinstance(conversation.raw, dict):
            assert conversation.problems


def same(value: object) -> str:
    """Return a text to compare by: not-a-number is not equal to itself."""
    return json.dumps(value)


def copied(value: Any) -> Any:
    return type(value).model_validate(value.model_dump())


def read_messages(rows: list[Any], *, ended: bool = True) -> tuple[convostore.Message, ...]:
    return records.read_messages(rows, first=0, following=None, ended=ended)


@given(lists(RECORDS), st.booleans())
def test_every_record_stays_whole_in_a_message(rows, ended):
    found = read_messages(rows, ended=ended)
    assert [same(item.raw) for item in found] == [same(row) for row in rows]
    for message in found:
        assert message.id
        assert len(message.fingerprint()) == 64
        assert copied(message).fingerprint() == message.fingerprint()
        for citation in message.citations():
            assert citation.mark in message.text[citation.start : citation.end]


@given(lists(RECORDS))
def test_what_of_a_record_cannot_be_read_is_named(rows):
    for message in read_messages(rows):
        row = message.raw
        noted = {problem.where.partition("[")[0].partition(".")[0] for problem in message.problems}
        if not isinstance(row, dict):
            assert message.problems
            continue
        if not isinstance(row.get("_id"), str) or not row["_id"]:
            assert noted & {"_id", "dataId"}
        if not isinstance(row.get("dataId"), str):
            assert noted & {"dataId", "_id"}
        if not isinstance(row.get("value"), str | list | None):
            assert "value" in noted
        for name in ("userGoodFeedback", "userBadFeedback"):
            if not isinstance(row.get(name), str | None):
                assert name in noted
        for name in ("totalQuoteList", "toolCiteLinks"):
            if not isinstance(row.get(name), list | None):
                assert name in noted


@for_each("lost", ["_id", "dataId"])
@for_each("value", [None, True, 5, []])
def test_a_lost_id_is_named_and_another_stands_in(lost, value):
    first, second = read_messages([RECORDS[0] | {lost: value}, RECORDS[1] | {lost: value}])
    assert first.id != second.id
    for message in (first, second):
        assert lost in {problem.where for problem in message.problems}


@given(lists(RECORDS[1]["value"]))
def test_what_of_a_value_cannot_be_read_is_named_and_kept(items):
    (message,) = read_messages([RECORDS[1] | {"value": items}])
    noted = {problem.where for problem in message.problems}
    others = [same(part.data) for part in message.parts if part.kind == "other"]
    for place, item in enumerate(items):
        if not isinstance(item, dict):
            assert f"value[{place}]" in noted
            assert same(item) in others
            continue
        for key in ("text", "reasoning", "file", "interactive"):
            content = item.get(key)
            if content is not None and not isinstance(content, str | dict):
                assert f"value[{place}].{key}" in noted
                assert same(content) in others


@for_each("content", [5, True, [5]])
@for_each(
    "key",
    ["text", "reasoning", "file", "tools", "tool", "agentAsk", "agentPlanUpdate", "interactive"],
)
def test_a_piece_of_another_shape_is_named_and_kept(key, content):
    (message,) = read_messages([RECORDS[2] | {"value": [{key: content}]}])
    assert message.parts == (convostore.OtherPart(type=key, data=content),)
    assert [problem.where for problem in message.problems] == [f"value[0].{key}"]


@given(lists(RECORDS[1]["totalQuoteList"]), lists(RECORDS[1]["toolCiteLinks"]))
def test_every_source_stays_whole(quotes, links):
    (message,) = read_messages([RECORDS[1] | {"totalQuoteList": quotes, "toolCiteLinks": links}])
    kept = [(source.kind, same(source.raw)) for source in message.sources]
    assert kept == [
        *[("quote", same(quote)) for quote in quotes],
        *[("researched", same(link)) for link in links],
    ]


@given(lists(STEPS))
def test_every_step_of_a_run_stays_whole(rows):
    found = records.read_run_steps(rows)
    assert [same(item.raw) for item in found] == [same(row) for row in rows]
    for step in found:
        assert isinstance(step, RunStep)
        assert isinstance(step.name, str)
        assert same(copied(step).model_dump()) == same(step.model_dump())


@given(json_values())
def test_any_json_in_place_of_data_is_read_or_a_protocol_error(data):
    for reader in (records.list_of, records.read_run_steps):
        try:
            reader(data)
        except convostore.ProtocolError as error:
            assert "data" in str(error)  # noqa: PT017  # any other error ends the test


@for_each("document", [ITEMS, RECORDS, STEPS])
def test_a_null_anywhere_does_no_harm(document):
    readers: dict[int, Callable[[list[Any]], Any]] = {
        id(ITEMS): records.read_conversations,
        id(RECORDS): read_messages,
        id(STEPS): records.read_run_steps,
    }
    for spoilt_document in with_nulls(document):
        assert len(readers[id(document)](spoilt_document)) == len(document)


def with_nulls(document: Any) -> list[Any]:
    """Return copies of a document, each with a null in another place."""
    found = []
    for place, inner in document.items() if isinstance(document, dict) else enumerate(document):
        for put in (None, *(with_nulls(inner) if isinstance(inner, dict | list) else [])):
            changed = copy.deepcopy(document)
            changed[place] = put
            found.append(changed)
    return found


# Through the store


class Answers(Transport[Request, Response]):
    """Answers each path with bytes of its own, or with a list's rows by the offset asked for."""

    def __init__(self, total: int | None = None, **contents: object) -> None:
        self._contents = contents
        self._total = total

    def send(self, request: Request) -> Response:
        name = request.path.rpartition("/")[2]
        content = self._contents.get(name, {"list": [], "total": 0})
        if isinstance(content, bytes):
            return Response(200, JSON_TYPE, content)
        if isinstance(content, list) and name != "getResData":
            content = self._page(content, request)
        body = {"code": 200, "statusText": "", "message": "", "data": content}
        return Response(200, JSON_TYPE, json.dumps(body).encode())

    def _page(self, rows: list[Any], request: Request) -> object:
        asked: Any = request.json
        start, size = asked.get("offset", 0), asked.get("pageSize", 10)
        if request.path.endswith("getPaginationRecords"):
            shown = rows[::-1][start : start + size][::-1]
        else:
            shown = rows[start : start + size]
        return {"list": shown, "total": len(rows) if self._total is None else self._total}


def opened(**contents: object) -> convostore.ConversationStore:
    return convostore.open(
        "fastgpt+http://x.test", transport=Answers(**contents), retries=0, **OPTIONS
    )


def everything(content: object) -> list[object]:
    """Return all that can be read if every answer is the same, or `ProtocolError`s."""
    store = opened(
        getHistories=content,
        getHistoryStatus=content,
        getPaginationRecords=content,
        getResData=content,
    )
    found: list[object] = []
    for look in (
        lambda: store.list_conversations(limit=3),
        lambda: store.list_messages("c1", limit=3),
        lambda: store.list_messages("c1", limit=3, order="newest_first"),
        lambda: store.get_conversation("c1"),
        lambda: store.get_run_details("c1", "id.d-2"),
        store.check,
    ):
        try:
            found.append(look())
        except (convostore.ProtocolError, convostore.NotFoundError) as error:
            assert str(error)  # noqa: PT017  # any other error ends the test
    return found


@given(json_values())
@example({"list": [None], "total": -1})
@example({"list": ITEMS, "total": True})
def test_any_json_in_place_of_an_answers_data_gives_a_value_or_a_protocol_error(data):
    everything(json.dumps({"code": 200, "data": data}).encode())


@given(
    corrupted({"code": 200, "statusText": "", "message": "", "data": {"list": ITEMS, "total": 2}})
)
def test_any_json_at_any_place_of_an_answer_gives_a_value_or_a_store_error(body):
    content = json.dumps(body).encode()
    store = opened(getHistories=content, getHistoryStatus=content)
    for look in (store.list_conversations, lambda: store.get_conversation("c1"), store.check):
        try:
            repr(look())
        except convostore.StoreError as error:
            assert str(error)  # noqa: PT017  # a refusal may have been made of it


@given(st.binary(max_size=60))
@example(b"")
@example(b"\xff\xfe")
@example(b'{"code":200,')
@example(b'{"code":200,"data":')
def test_any_bytes_in_place_of_an_answer_give_a_value_or_a_protocol_error(content):
    everything(content)


@for_each("total", [3, 1000, 10**400])
@for_each("rows", [[], ITEMS])
def test_a_total_that_promises_too_much_gives_what_there_is(rows, total):
    asked: list[int] = []
    service = Answers(getHistories=rows, total=total)

    class Counted(Transport[Request, Response]):
        def send(self, request: Request) -> Response:
            asked.append(1)
            return service.send(request)

    store = convostore.open("fastgpt+http://x.test", transport=Counted(), retries=0, **OPTIONS)
    assert [conversation.id for conversation in store.conversations()] == [
        row["chatId"] for row in rows
    ]
    assert len(asked) < 20


@given(lists(ITEMS * 3), st.integers(1, 7))
def test_a_walk_over_spoilt_items_ends_and_repeats_nothing(rows, limit):
    store = opened(getHistories=rows)
    seen: list[str] = []
    cursor = None
    for _ in range(50):
        page = store.list_conversations(limit=limit, cursor=cursor)
        assert len(page.items) <= limit
        seen += [item.id for item in page.items]
        if (cursor := page.cursor) is None:
            break
    assert cursor is None
    walked = [conversation.id for conversation in store.conversations()]
    assert len(set(walked)) == len(walked)


@given(lists(RECORDS), st.sampled_from(("oldest_first", "newest_first")))
def test_a_walk_over_spoilt_records_repeats_nothing(rows, order):
    ids = [
        message.id
        for message in opened(getPaginationRecords=rows or RECORDS).messages("c", order=order)
    ]
    assert len(set(ids)) == len(ids)


@given(
    json_values().map(json.dumps)
    | st.tuples(json_values(), json_values(), json_values(), json_values()).map(json.dumps)
    | st.text(max_size=20)
)
@example("[Infinity, 1, [false, 0], []]")
@example("[1, 1, [false, 0], [[]]]")
@example("[-5, -5, [false, 0], []]")
@example('[1, 1, {"a": 1}, []]')
@example("[" * 100_000)
@example("9" * 5000)
def test_a_forged_place_in_a_list_gives_a_page_or_a_store_error(cursor):
    service = FastGPTService("4.16")
    for number in range(5):
        service.insert(f"c{number}")
        service.append("c0", "user", "text")
    adapter = Backend("fastgpt+http://x.test", options=dict(OPTIONS)).adapter()
    listing = Listing(limit=2, cursor=cursor)
    for make in (
        lambda: adapter.list_conversations(listing),
        lambda: adapter.list_messages("c0", listing),
    ):
        try:
            run(make(), service.handle)
        except convostore.StoreError as error:
            assert str(error)  # noqa: PT017  # any other error ends the test


# Bounds


@for_each("call", ["list_conversations", "check"])
def test_a_number_of_5000_digits_is_a_protocol_error_that_keeps_an_excerpt(call):
    body = b'{"code":200,"data":{"list":[],"total":' + b"9" * 5000 + b"}}"
    with pytest.raises(convostore.ProtocolError, match="out of bounds") as caught:
        getattr(opened(getHistories=body), call)()
    assert caught.value.excerpt.startswith('{"code"')


@for_each("depth", [MAX_NESTING, 5_000, 200_000])
def test_nesting_too_deep_is_a_protocol_error(depth):
    body = b'{"code":200,"data":{"list":' + b"[" * depth + b"]" * depth + b"}}"
    with pytest.raises(convostore.ProtocolError, match="nested"):
        opened(getHistories=body).list_conversations()


def test_nesting_within_the_bound_is_kept():
    row = RECORDS[0] | {"extra": nested(MAX_NESTING - 10)}
    (message,) = opened(getPaginationRecords=[row]).messages("c")
    assert message.raw == row


def test_interactions_nested_to_the_bound_are_unwrapped_to_the_deepest():
    wrapped: dict[str, Any] = SELECT
    for _ in range(90):
        wrapped = {"type": "loopInteractive", "params": {"childrenResponse": wrapped}}
    (message,) = read_messages([RECORDS[1] | {"value": [{"interactive": wrapped}]}])
    (part,) = message.parts
    assert (part.type, part.answer) == ("userSelect", "a")


def test_steps_nested_to_the_bound_are_read():
    step: dict[str, Any] = {"moduleName": "deepest"}
    for _ in range(90):
        step = {"moduleName": "outer", "childrenResponses": [step]}
    (found,) = records.read_run_steps([step])
    while found.steps:
        (found,) = found.steps
    assert found.name == "deepest"


def test_lone_surrogates_are_kept():
    row = ITEMS[0] | {"title": "\ud800 x", "chatId": "\ud800"}
    (conversation,) = opened(getHistories=[row]).conversations()
    assert (conversation.title, conversation.id) == ("\ud800 x", "\ud800")


def test_one_bad_row_of_a_list_is_a_note_on_that_row():
    good, bad = opened(getHistories=[ITEMS[0], 5]).conversations()
    assert good.problems == ()
    assert bad.raw == 5
    assert {problem.where for problem in bad.problems} >= {"chatId"}


@for_each("data", [None, [], {}, "text", 1, {"list": None}, {"list": {}}])
def test_an_answer_without_a_list_names_the_field(data):
    body = json.dumps({"code": 200, "data": data}).encode()
    store = opened(getHistories=body, getPaginationRecords=body)
    for call in (store.list_conversations, lambda: store.list_messages("c")):
        with pytest.raises(convostore.ProtocolError, match=r"data\.list"):
            call()
