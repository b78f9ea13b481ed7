"""The dialect's endpoints over stores in memory: what each reads, answers, and refuses."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from tests.support.cases import for_each

from convostore.adapters import Traits
from convostore.adapters.memory import MemoryAdapter
from convostore.dialects import AbsentScopeError
from convostore.errors import (
    AuthError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    ProtocolError,
    RateLimitError,
    UnavailableError,
    UnsupportedError,
)
from convostore.models import Feedback, Message, Source, TextPart
from convostore.plugins import dialects
from convostore.testing.samples import START, text_message
from convostore_fastgpt.server.dialect import FastGPTDialect

from ..support.dialects import APP, CHAT, V1, ById, Served, Uncounted, refusal, request_of, user

INVALID = (400, 400, "Data validation error")
NO_RECORDS = {"list": [], "total": 0}


@pytest.fixture
def served() -> Served:
    return Served()


def ids(data):
    return [item["chatId"] for item in data["list"]]


def texts(data):
    return [item["value"][0]["text"]["content"] for item in data["list"]]


# Who asks, and for what


def test_the_plugin_brings_its_dialect():
    found, failed = dialects()
    assert found["fastgpt"] is FastGPTDialect
    assert failed == ()


@for_each(
    "header, expected",
    [
        ("Bearer a-token", ("a-token",)),
        ("bearer a-token", ("a-token",)),
        ("whatever a-token more", ("a-token",)),
        ("Bearer fastgpt-a-token", ("fastgpt-a-token", "a-token")),
        (
            f"Bearer fastgpt-a-token-{APP}",
            (f"fastgpt-a-token-{APP}", "fastgpt-a-token", f"a-token-{APP}", "a-token"),
        ),
        ("a-token", ()),
        ("Bearer ", ()),
        ("Bearer fastgpt-", ("fastgpt-",)),
        ("", ()),
    ],
)
def test_a_key_may_be_a_token_with_the_services_marks_around_it(header, expected):
    request = request_of(CHAT + "init", headers={"authorization": header})
    assert FastGPTDialect().credentials(request) == expected


OTHER = "65f000000000000000000011"


@for_each(
    "body, query, key, expected",
    [
        ({"appId": APP}, {"appId": OTHER}, f"k-{OTHER}", APP),
        ({}, {"appId": APP}, f"k-{OTHER}", APP),
        (None, {}, f"k-{APP}", APP),
        (None, {}, "k", None),
        ({"appId": 5}, {}, "k", None),
        (b"{no json", {}, "k", None),
    ],
)
def test_the_app_is_named_in_the_body_or_the_query_or_the_key(body, query, key, expected):
    headers = {"authorization": f"Bearer {key}"}
    assert FastGPTDialect().scope(request_of(CHAT + "init", body, headers, **query)) == expected


@for_each(
    "path, is_served",
    [
        (CHAT + "getHistories", True),
        (CHAT + "nothing/there", True),
        (V1, True),
        ("/api/v1/models", True),
        ("/api/chats", False),
        ("/v1/conversations", False),
        ("/", False),
    ],
)
def test_the_services_addresses_are_served_and_no_other(path, is_served):
    assert FastGPTDialect().serves(request_of(path)) is is_served


# Both generations of paths

READS = {
    "history/getHistories": {},
    "getHistories": {},
    "record/getPaginationRecords": {"chatId": "c"},
    "getPaginationRecords": {"chatId": "c"},
    "record/getRecords_v2": {"chatId": "c"},
    "history/getHistoryStatus": {"chatIds": ["c"]},
    "history/markRead": {"chatId": "c"},
    "history/updateHistory": {"chatId": "c", "title": "t"},
    "updateHistory": {"chatId": "c", "title": "t"},
    "history/batchDelete": {"chatIds": ["none"]},
    "record/delete": {"chatId": "c", "contentId": "none"},
    "item/delete": {"chatId": "c", "contentId": "none"},
}
BY_QUERY = {
    "history/delHistory": {"chatId": "none"},
    "delHistory": {"chatId": "none"},
    "history/clearHistories": {},
    "clearHistories": {},
    "record/getResData": {"chatId": "c", "dataId": "none"},
    "getResData": {"chatId": "c", "dataId": "none"},
    "init": {"chatId": "c"},
    "record/delete": {"chatId": "c", "contentId": "none"},
    "item/delete": {"chatId": "c", "contentId": "none"},
}


@for_each("path", READS)
def test_a_path_of_either_generation_is_there_and_reads_the_body(path):
    served = Served()
    served.said("c", 2)
    served.data(path, READS[path])


@for_each("path", BY_QUERY)
def test_a_path_of_either_generation_is_there_and_reads_the_query(path):
    served = Served()
    served.said("c", 2)
    served.data(path, **BY_QUERY[path])


@for_each("path", [CHAT + "nope", CHAT + "history/nope", "/api/v1/models"])
def test_an_unknown_path_is_a_page(path):
    served = Served()
    response = served.ask(path, {})
    assert (response.status, response.media_type) == (404, "text/html")


@for_each("path", [CHAT + "getHistories", CHAT + "init", V1])
@for_each("content", [b"{no json", b"[" * 5000, b"\xff", b'{"a":' + b"9" * 5000])
def test_a_body_that_is_no_json_is_told_so(path, content):
    served = Served()
    response = served.ask(path, content)
    assert (response.status, response.media_type) == (400, "text/plain")
    assert response.content == b"Invalid JSON"


@for_each("path", [CHAT + read for read in READS] + [V1])
@for_each("body", [None, [], "text", 5, True])
def test_a_body_that_is_no_object_is_refused(path, body):
    served = Served()
    response = served.ask(path, body)
    assert refusal(response) == INVALID


@for_each(
    "path, missing",
    [(path, name) for path, fields in READS.items() for name in fields if name.startswith("chat")],
)
def test_an_id_that_is_needed_is_asked_for(path, missing):
    served = Served()
    if path.endswith(("getPaginationRecords", "getRecords_v2")):
        assert served.data(path, {}).items() >= NO_RECORDS.items()
        return
    for wrong in ({}, {missing: 5}, {missing: []} if missing == "chatIds" else {missing: ""}):
        response = served.ask(CHAT + path, {"appId": APP, "title": "t"} | wrong)
        assert refusal(response) == INVALID
        assert json.loads(response.content)["zodError"][0]["path"] == [missing]


@for_each("app_id", ["xyz", 5, APP + "0", ""])
def test_an_app_that_is_none_is_refused(app_id):
    served = Served()
    response = served.ask(CHAT + "getHistories", {"appId": app_id})
    assert refusal(response) == INVALID


def test_without_an_app_no_list_and_nothing_else_is_given(served):
    assert refusal(served.ask(CHAT + "getHistories", {}))[:2] == (500, 504000)
    assert refusal(served.ask(CHAT + "getPaginationRecords", {"chatId": "c"})) == INVALID


def test_share_links_are_none_of_a_store(served):
    link = {"outLinkAuthData": {"shareId": "s", "outLinkUid": "u"}}
    assert refusal(served.ask(CHAT + "getHistories", link))[:2] == (500, 501)
    assert refusal(served.ask(CHAT + "getHistories", link | {"appId": APP})) == INVALID


# Conversations


def stores():
    return [Served(kind=kind) for kind in (None, Uncounted, ById)]


@for_each(
    "paging, expected",
    [
        ({"offset": 0, "pageSize": 3}, ["c11", "c10", "c9"]),
        ({"offset": 2, "pageSize": 2}, ["c9", "c8"]),
        ({"pageNum": 2, "pageSize": 2}, ["c9", "c8"]),
        ({"pageNum": 1, "offset": 3, "pageSize": 2}, ["c8", "c7"]),
        ({"offset": "1", "pageSize": "2"}, ["c10", "c9"]),
        ({"offset": 1.0, "pageSize": 1.0}, ["c10"]),
        ({"offset": 10, "pageSize": 1000}, ["c1", "c0"]),
        ({"offset": 12, "pageSize": 5}, []),
        ({"offset": 10**15, "pageSize": 5}, []),
        ({}, [f"c{number}" for number in range(11, 1, -1)]),
        ({"offset": 5, "pageNum": 2}, [f"c{number}" for number in range(11, 1, -1)]),
        ({"offset": None, "pageSize": 1}, ["c11"]),
    ],
)
@for_each("any_store", stores)
def test_conversations_are_paged_by_offset_or_by_number(any_store, paging, expected):
    any_store.several(12)
    data = any_store.data("getHistories", paging)
    assert ids(data) == expected
    assert data["total"] == 12


def test_paging_is_read_in_the_query_where_the_body_has_none(served):
    served.several(3)
    response = served.ask(CHAT + "getHistories", {"appId": APP}, pageSize="1", offset="1")
    assert ids(json.loads(response.content)["data"]) == ["c1"]


@for_each(
    "paging",
    [
        {"pageSize": -1},
        {"pageSize": "x"},
        {"pageSize": 10**6},
        {"pageSize": 1.5},
        {"pageSize": True},
        {"pageSize": []},
        {"pageSize": 2, "offset": -1},
    ],
)
@for_each("path", ["getHistories", "getPaginationRecords"])
def test_numbers_that_make_no_page_are_refused(path, paging):
    served = Served()
    assert refusal(served.ask(CHAT + path, {"appId": APP, "chatId": "c"} | paging)) == INVALID


@for_each("path", ["getHistories", "record/getPaginationRecords"])
@for_each("text", [" " * 20 + "1", "1" + " " * 20, "0" * 20 + "1"])
def test_blanks_and_zeros_around_a_number_make_no_difference(path, text):
    served = Served()
    served.several(3)
    served.said("talk", 3)
    page = {"chatId": "talk", "pageSize": 1}
    plain = served.data(path, page | {"offset": 1})
    assert plain["list"]
    assert served.data(path, page | {"offset": text}) == plain


def test_a_page_of_nothing_lacks_its_parameters(served):
    response = served.ask(CHAT + "getHistories", {"appId": APP, "pageSize": 0})
    assert refusal(response)[:2] == (500, 507004)


@for_each("any_store", stores)
def test_pinned_conversations_come_first_whatever_order_the_store_keeps(any_store):
    any_store.several(4)
    any_store.store.update_conversation("c1", pinned=True)
    data = any_store.data("getHistories", {})
    assert ids(data) == ["c1", "c3", "c2", "c0"]
    assert [item["top"] for item in data["list"]] == [True, False, False, False]


def test_a_conversation_has_its_title_twice_and_the_time_of_its_last_activity(served):
    served.fill("c", [], title="a title", created_at=START)
    (row,) = served.data("getHistories", {})["list"]
    assert (row["title"], row["customTitle"], row["appId"]) == ("a title", "a title", APP)
    assert row["updateTime"] == "2024-12-07T09:35:59.000Z"


def moment(seconds):
    return (START + timedelta(seconds=seconds)).isoformat()


@for_each(
    "filters, expected",
    [
        ({"startUpdateTime": moment(2)}, ["c3", "c2"]),
        ({"endUpdateTime": moment(1)}, ["c1", "c0"]),
        ({"startUpdateTime": moment(1), "endUpdateTime": moment(2)}, ["c2", "c1"]),
        ({"startUpdateTime": moment(1), "endUpdateTime": moment(1)}, ["c1"]),
        ({"startCreateTime": moment(0)}, []),
        ({"startUpdateTime": "", "endUpdateTime": None}, ["c3", "c2", "c1", "c0"]),
    ],
)
@for_each("any_store", stores)
def test_conversations_are_chosen_by_their_times(any_store, filters, expected):
    any_store.several(4)
    data = any_store.data("getHistories", filters)
    assert (ids(data), data["total"]) == (expected, len(expected))


def test_a_pinned_conversation_does_not_hide_what_is_behind_it(served):
    served.several(3)
    served.store.update_conversation("c0", pinned=True)
    for size, expected in ((10, ["c2", "c1"]), (1, ["c2"])):
        filters = {"startUpdateTime": moment(1), "pageSize": size}
        data = served.data("getHistories", filters)
        assert (ids(data), data["total"]) == (expected, 2)


def test_a_time_that_is_none_is_refused(served):
    response = served.ask(CHAT + "getHistories", {"appId": APP, "startUpdateTime": "soon"})
    assert refusal(response) == INVALID


def test_whatever_a_store_has_is_of_the_source_api(served):
    served.several(2)
    assert served.data("getHistories", {"source": "api"})["total"] == 2
    for source in ("online", "share", "team"):
        assert served.data("getHistories", {"source": source}) == NO_RECORDS
    for source in ("nowhere", None, 5):
        response = served.ask(CHAT + "getHistories", {"appId": APP, "source": source})
        assert refusal(response) == INVALID


@for_each(
    "change, title, pinned",
    [
        ({"customTitle": "new"}, "new", False),
        ({"title": "new"}, "new", False),
        ({"title": "made", "customTitle": "by hand"}, "by hand", False),
        ({"customTitle": ""}, None, False),
        ({"top": True}, "old", True),
        ({}, "old", False),
        ({"customTitle": None, "top": None}, "old", False),
    ],
)
def test_an_update_changes_what_is_named(change, title, pinned):
    served = Served()
    served.fill("c", [], title="old")
    assert served.data("updateHistory", {"chatId": "c"} | change) is None
    found = served.store.get_conversation("c")
    assert (found.title, found.pinned) == (title, pinned)


@for_each("change", [{"top": "yes"}, {"title": 5}])
def test_an_update_to_something_else_is_refused(change):
    served = Served()
    response = served.ask(CHAT + "updateHistory", {"appId": APP, "chatId": "c"} | change)
    assert refusal(response) == INVALID


def test_what_is_not_there_is_updated_and_deleted_in_silence(served):
    assert served.data("updateHistory", {"chatId": "none", "title": "t"}) is None
    assert served.data("delHistory", chatId="none") is None
    assert served.data("history/batchDelete", {"chatIds": ["none", ""]}) is None
    assert served.data("record/delete", {"chatId": "none", "contentId": "m"}) is None
    assert list(served.store.conversations()) == []


def test_conversations_are_deleted_and_then_gone(served):
    served.several(4)
    served.said("talk", 2)
    served.data("delHistory", chatId="talk")
    served.data("history/batchDelete", {"chatIds": ["c0", "none", "c1"]})
    assert ids(served.data("getHistories", {})) == ["c3", "c2"]
    assert served.data("getPaginationRecords", {"chatId": "talk"}) == NO_RECORDS
    served.data("clearHistories")
    assert served.data("getHistories", {}) == NO_RECORDS


@for_each("status, expected", [("generating", 0), ("complete", 1), (None, 1), ("failed", 2)])
def test_the_newest_message_tells_whether_an_answer_is_being_made(status, expected):
    served = Served()
    served.fill("c", [Message(role="assistant", status=status)], updated_at=START)
    (row,) = served.data("history/getHistoryStatus", {"chatIds": ["c", "none", ""]})["list"]
    assert row == {
        "chatId": "c",
        "updateTime": "2024-12-07T09:35:59.000Z",
        "chatGenerateStatus": expected,
        "hasBeenRead": True,
    }
    assert served.data("init", chatId="c")["chatGenerateStatus"] == expected


def test_more_statuses_than_the_service_gives_are_refused(served):
    fields = {"appId": APP, "chatIds": ["c"] * 201}
    assert refusal(served.ask(CHAT + "history/getHistoryStatus", fields)) == INVALID


def test_init_tells_the_title_and_of_an_unknown_conversation_none(served):
    served.fill("c", [], title="a title")
    known, unknown = (served.data("init", chatId=item) for item in ("c", "none"))
    assert (known["title"], known["variables"], known["appId"]) == ("a title", {}, APP)
    assert (unknown["title"], "variables" in unknown) == ("", False)
    assert known["app"]["chatConfig"]["variables"] == []


# Records


@for_each("kind", [None, Uncounted])
@for_each(
    "paging, expected",
    [
        ({"offset": 0, "pageSize": 3}, [9, 10, 11]),
        ({"offset": 3, "pageSize": 3}, [6, 7, 8]),
        ({"pageNum": 2, "pageSize": 3}, [6, 7, 8]),
        ({"offset": 10, "pageSize": 5}, [0, 1]),
        ({"offset": 100, "pageSize": 5}, []),
        ({}, list(range(2, 12))),
    ],
)
def test_records_are_counted_from_the_newest_and_shown_the_oldest_first(kind, paging, expected):
    served = Served(kind=kind)
    served.said("c", 12)
    data = served.data("getPaginationRecords", {"chatId": "c"} | paging)
    assert texts(data) == [f"text {item}" for item in expected]
    assert data["total"] == 12


def test_records_of_what_is_not_there_are_none(served):
    for chat in ({"chatId": "none"}, {"chatId": ""}, {"chatId": None}, {}):
        assert served.data("getPaginationRecords", chat) == NO_RECORDS


@for_each("kind", [None, Uncounted])
@for_each(
    "fields, expected, older, newer",
    [
        ({}, range(290, 300), True, False),
        ({"pageSize": 300}, range(300), False, False),
        ({"pageSize": 2, "prevId": "m00005"}, [3, 4], True, True),
        ({"pageSize": 9, "prevId": "m00005"}, range(5), False, True),
        ({"pageSize": 2, "prevId": "m00299"}, [297, 298], True, True),
        ({"pageSize": 2, "nextId": "m00005"}, [6, 7], True, True),
        ({"pageSize": 2, "nextId": "m00000"}, [1, 2], True, True),
        ({"pageSize": 9, "nextId": "m00297"}, [298, 299], True, False),
        ({"pageSize": 4, "initialId": "m00005"}, range(3, 8), True, True),
        ({"pageSize": 4, "initialId": "m00299"}, [297, 298, 299], True, False),
        ({"pageSize": 4, "initialId": "m00000"}, [0, 1, 2], False, True),
    ],
)
def test_records_are_shown_around_one_that_is_named(kind, fields, expected, older, newer):
    served = Served(kind=kind)
    served.said("c", 300)
    data = served.data("record/getRecords_v2", {"chatId": "c"} | fields)
    assert texts(data) == [f"text {item}" for item in expected]
    assert (data["total"], data["hasMorePrev"], data["hasMoreNext"]) == (300, older, newer)


@for_each("name", ["prevId", "nextId", "initialId"])
def test_no_record_is_shown_around_one_that_is_not_there(name):
    served = Served()
    served.said("c", 2)
    fields = {"appId": APP, "chatId": "c", name: "none"}
    response = served.ask(CHAT + "record/getRecords_v2", fields)
    assert refusal(response)[:2] == (500, 500)
    assert refusal(response)[2].endswith("item not found")


def test_of_a_pair_that_shares_an_id_what_stands_around_both_is_shown(served):
    pair = [f"{number:024x}.shared" for number in (1, 2)]
    before, after = text_message("before", "user", 0), text_message("after", "user", 9)
    roles = ("user", "assistant")
    shared = [
        Message(id=item, role=role, parts=(TextPart(text=role),))
        for item, role in zip(pair, roles, strict=True)
    ]
    served.fill("c", [before, *shared, after])
    for name, expected in (
        ("prevId", ["before"]),
        ("nextId", ["after"]),
        ("initialId", ["before", *roles, "after"]),
    ):
        data = served.data("record/getRecords_v2", {"chatId": "c", name: "shared", "pageSize": 2})
        assert texts(data) == expected


@for_each("size", ["3", 0, -1, 1.5, True, 10**6, None])
def test_a_size_that_is_no_number_of_records_is_refused(size):
    served = Served()
    fields = {"appId": APP, "chatId": "c", "pageSize": size}
    assert refusal(served.ask(CHAT + "record/getRecords_v2", fields)) == INVALID


def test_custom_feedbacks_are_there_when_they_are_asked_for(served):
    served.said("c", 2)
    with_them = served.data("getPaginationRecords", {"chatId": "c", "loadCustomFeedbacks": True})
    assert [item["customFeedbacks"] for item in with_them["list"]] == [[], []]
    without = served.data("getPaginationRecords", {"chatId": "c"})
    assert not any("customFeedbacks" in item for item in without["list"])


def test_the_kind_of_a_list_is_one_that_the_service_knows(served):
    served.said("c", 1)
    for kind in ("normal", "outLink", "home", "team"):
        assert served.data("getPaginationRecords", {"chatId": "c", "type": kind})["total"] == 1
    fields = {"appId": APP, "chatId": "c", "type": "bad"}
    assert refusal(served.ask(CHAT + "getPaginationRecords", fields)) == INVALID


def test_large_records_are_given_whole(served):
    large = "x" * 300_000
    served.fill("c", [text_message(large, "user", 1)])
    assert texts(served.data("getPaginationRecords", {"chatId": "c"})) == [large]


def left(served):
    return [message.id for message in served.store.messages("c")]


@for_each(
    "gone, expected",
    [
        ({"contentId": "m00001"}, ["m00000", "m00002", "m00003"]),
        ({"contentIds": ["m00000", "m00003"]}, ["m00001", "m00002"]),
        ({"contentIds": "m00000,m00002"}, ["m00001", "m00003"]),
        ({"contentId": "none"}, ["m00000", "m00001", "m00002", "m00003"]),
        ({}, ["m00000", "m00001", "m00002", "m00003"]),
    ],
)
@for_each("path", ["record/delete", "item/delete"])
def test_records_are_deleted_by_the_ids_that_are_named(path, gone, expected):
    served = Served()
    served.said("c", 4)
    served.data(path, {"chatId": "c"} | gone)
    assert left(served) == expected


@for_each("as_text", [True, False])
def test_no_more_records_are_deleted_at_a_time_than_can_be_looked_for(as_text):
    served = Served()
    served.said("talk", 2)
    ids = [f"{number}" for number in range(1000)] + ["m00000"]
    body = {"appId": APP, "chatId": "talk", "contentIds": ",".join(ids) if as_text else ids}
    answer = served.ask(CHAT + "record/delete", body)
    assert refusal(answer) == INVALID
    assert texts(served.data("getPaginationRecords", {"chatId": "talk"})) == ["text 0", "text 1"]


def test_a_question_and_its_answer_that_share_an_id_go_together(served):
    own = [f"{number:024x}.shared" for number in (1, 2)]
    other = text_message("x", "user", 9)
    served.fill("c", [Message(id=own[0], role="user"), Message(id=own[1], role="assistant"), other])
    served.data("record/delete", {"chatId": "c", "contentId": "shared"})
    assert left(served) == [other.id]


def test_of_records_that_share_an_id_by_accident_the_newest_is_meant(served):
    first, last = (f"{number:024x}.same" for number in (1, 3))
    between = text_message("x", "user", 2)
    served.fill("c", [Message(id=first, role="user"), between, Message(id=last, role="user")])
    served.data("record/delete", {"chatId": "c", "contentId": "same"})
    assert left(served) == [first, between.id]


@for_each(
    "fields, expected",
    [
        ({"userGoodFeedback": "yes"}, Feedback(rating="good")),
        ({"userGoodFeedback": "fine"}, Feedback(rating="good", comment="fine")),
        ({"userBadFeedback": "wrong"}, Feedback(rating="bad", comment="wrong")),
        (
            {"userGoodFeedback": "yes", "userBadFeedback": "no"},
            Feedback(rating="bad", comment="no"),
        ),
        ({"userGoodFeedback": "", "userBadFeedback": None}, None),
        ({}, None),
    ],
)
def test_each_feedback_replaces_the_one_before(fields, expected):
    served = Served()
    served.said("c", 2)
    served.store.set_feedback("c", "m00001", Feedback(rating="good", comment="before"))
    chat = {"chatId": "c", "dataId": "m00001"}
    assert served.data("feedback/updateUserFeedback", chat | fields) is None
    assert list(served.store.messages("c"))[1].feedback == expected


@for_each("chat_id, data_id", [("c", "none"), ("c", "m00000"), ("none", "m00001")])
def test_only_answers_that_are_there_take_feedback(chat_id, data_id):
    served = Served()
    served.said("c", 2)
    fields = {"appId": APP, "chatId": chat_id, "dataId": data_id, "userGoodFeedback": "yes"}
    response = served.ask(CHAT + "feedback/updateUserFeedback", fields)
    assert refusal(response) == (500, 500, "Chat item not found")


def test_a_message_far_back_is_found(served):
    served.said("c", 450)
    chat = {"chatId": "c", "dataId": "m00001", "userGoodFeedback": "yes"}
    served.data("feedback/updateUserFeedback", chat)
    assert list(served.store.messages("c"))[1].feedback == Feedback(rating="good")


def test_a_store_that_keeps_no_runs_has_no_nodes(served):
    served.said("c", 2)
    for data_id in ("m00001", "m00000", "none"):
        assert served.data("getResData", chatId="c", dataId=data_id) == []
    response = served.ask(CHAT + "getResData", appId=APP, chatId="c")
    assert refusal(response) == INVALID


def test_passages_are_given_by_their_ids():
    served = Served()
    sources = (
        Source(kind="quote", mark="a1", content="first"),
        Source(kind="quote", mark="a2"),
        Source(kind="quote", mark="a3", content="third"),
        Source(kind="researched", mark="a1", content="no quote"),
    )
    parts = (TextPart(text="see"),)
    served.fill("c", [Message(id="m", role="assistant", parts=parts, sources=sources)])
    wanted = {"chatId": "c", "chatItemDataId": "m", "datasetDataIdList": ["a1", "a2", "none"]}
    assert served.data("record/getQuote", wanted) == [{"_id": "a1", "q": "first", "a": ""}]
    absent = {"appId": APP} | wanted | {"chatItemDataId": "none"}
    assert refusal(served.ask(CHAT + "record/getQuote", absent))[2] == "Chat item not found"


AGENT = "/api/core/ai/agent/"


def test_questions_are_suggested_by_a_store_that_thinks_of_some():
    served = Served("echo")
    served.said("c", 3)
    body = {"appId": APP, "chatId": "c", "questionGuide": {"open": True}}
    response = served.ask(f"{AGENT}v2/createQuestionGuide", body)
    assert json.loads(response.content)["data"] == ["Why text 2?"]
    response = served.ask(f"{AGENT}v2/createQuestionGuide", body | {"chatId": "none"})
    assert json.loads(response.content)["data"] == []


def test_a_store_that_thinks_of_no_questions_has_none(served):
    response = served.ask(f"{AGENT}v2/createQuestionGuide", {"appId": APP, "chatId": "c"})
    assert json.loads(response.content)["data"] == []


def test_nothing_is_suggested_for_messages_that_are_sent_along(served):
    response = served.ask(f"{AGENT}createQuestionGuide", {"messages": [user("hi")]})
    assert refusal(response)[:2] == (501, 501)


# What went wrong


@for_each(
    "error, status, code, name",
    [
        (AuthError("a token is needed"), 403, 403, "unAuthorization"),
        (ForbiddenError("may only read"), 500, 502001, "unAuthApp"),
        (AbsentScopeError("not served"), 500, 502000, "appUnExist"),
        (NotFoundError("no such namespace"), 500, 502000, "appUnExist"),
        (NotFoundError("no such chat", adapter="sqlite"), 500, 504000, "unAuthChat"),
        (AuthError("secret inside", adapter="postgresql"), 500, 500, "error"),
        (UnsupportedError("no", operation="reply"), 501, 501, "notSupported"),
        (ConflictError("busy", retryable=True), 500, 504001, "chatIsGenerating"),
        (RateLimitError("slowly"), 429, 429, "error"),
        (InvalidError("the body is too large"), 400, 400, "error"),
        (InvalidError("POST /inside was refused", detail="no"), 400, 400, "error"),
        (UnavailableError("secret inside"), 500, 500, "error"),
        (ProtocolError("secret inside"), 500, 500, "error"),
    ],
)
def test_an_error_is_said_in_the_services_way(error, status, code, name):
    response = FastGPTDialect().failed(request_of(CHAT + "getHistories", {"appId": APP}), error)
    body = json.loads(response.content)
    assert (response.status, body["code"], body["statusText"]) == (status, code, name)
    assert body["data"] is None
    assert b"inside" not in response.content


def test_a_turn_that_comes_too_early_is_not_one_that_came_before():
    request = request_of(V1, {"messages": [user("hi")], "responseChatItemId": "turn-1"})
    failed = FastGPTDialect().failed
    assert refusal(failed(request, ConflictError("busy", retryable=True)))[1] == 504001
    assert refusal(failed(request, ConflictError("taken")))[2].endswith("exists: turn-1")


def test_a_wrong_key_is_another_refusal_than_none():
    request = request_of(CHAT + "init", headers={"authorization": "Bearer wrong"})
    response = FastGPTDialect().failed(request, AuthError("not accepted"))
    assert refusal(response)[:2] == (500, 514)


def test_an_app_that_is_none_is_told_before_that_it_is_not_served():
    request = request_of(CHAT + "getHistories", {"appId": "xyz"})
    assert refusal(FastGPTDialect().failed(request, AbsentScopeError("not served"))) == INVALID


def test_an_app_that_a_key_names_may_not_be_served_either():
    request = request_of(V1, {}, headers={"authorization": f"Bearer k-{APP}"})
    assert refusal(FastGPTDialect().failed(request, AbsentScopeError("not served")))[1] == 502000


def test_of_a_share_link_it_is_told_that_it_is_not_valid():
    request = request_of(CHAT + "getHistories", {"outLinkAuthData": {"shareId": "s"}})
    assert refusal(FastGPTDialect().failed(request, AuthError("a token is needed")))[:2] == (
        500,
        501,
    )


@for_each(
    "error, told",
    [
        (AuthError("a token is needed"), b'"code":403'),
        (UnavailableError("inside"), b'{"message":"The store that is served here failed"}'),
    ],
)
def test_who_asks_for_a_stream_is_told_by_an_event(error, told):
    request = request_of(V1, {"messages": [user("hi")], "stream": True})
    response = FastGPTDialect().failed(request, error)
    assert response.status == 200
    assert response.content.startswith(b"event: error\ndata: {")
    assert told in response.content


@for_each(
    "error, status",
    [(InvalidError("no"), 400), (RateLimitError("no"), 429), (UnsupportedError("no"), 501)],
)
def test_what_is_refused_before_it_is_looked_at_is_no_stream(error, status):
    request = request_of(V1, {"messages": [user("hi")], "stream": True})
    assert FastGPTDialect().failed(request, error).status == status


class Unpinned(MemoryAdapter):
    """A store without pins."""

    traits = Traits(changes=frozenset({"title"}))


def test_of_an_operation_that_is_offered_only_the_argument_is_refused():
    served = Served(kind=Unpinned)
    served.said("c", 1)
    change = {"appId": APP, "chatId": "c"}
    response = served.ask(CHAT + "updateHistory", change | {"top": True})
    assert refusal(response) == (
        501,
        501,
        "The store that is served here does not offer the argument pinned of update_conversation",
    )
    assert served.data("updateHistory", {"chatId": "c", "customTitle": "t"}) is None


def test_what_a_store_cannot_do_is_said_clearly(served):
    response = served.ask(V1, {"messages": [user("hi")]})
    assert refusal(response) == (
        501,
        501,
        "The store that is served here does not offer reply",
    )
