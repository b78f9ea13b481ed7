"""Lists are read whole while others write: nothing that stood is dropped, nothing comes twice."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.cases import for_each

import convostore
from convostore.dsn import DSN
from convostore.http import Request, Response
from convostore.testing import Backend
from convostore.testing.transports import Service
from convostore_fastgpt import FastGPT
from convostore_fastgpt.options import FastGPTOptions

from ..support.service import GENERATIONS, OPTIONS, ROOT, FastGPTService

PAGE = 10
"""More than a schedule moves: the head of the list then shows a row that stood still."""


class SmallPages(FastGPT):
    """The adapter, with pages so small that a few rows make several."""

    traits = replace(FastGPT.traits, max_page=PAGE)


def small_pages(**options: object) -> FastGPT:
    return SmallPages(DSN.parse("fastgpt+http://chat.test"), FastGPTOptions(**options))


def opened(service: Service, *, small: bool = False, **options: object):
    target = small_pages if small else "fastgpt+http://chat.test"
    return Backend(target, service=service, options=OPTIONS | options).open()


Step = tuple[str, int]
Schedule = Sequence[Sequence[Step]]


def schedules(*kinds: str) -> st.SearchStrategy[Schedule]:
    """Return what others do after each request, in all fewer things than a page holds."""
    step = st.tuples(st.sampled_from(kinds), st.integers(0, 60))
    return st.lists(st.lists(step, max_size=2), max_size=PAGE // 2 - 1)


class Disturbed:
    """A service that others write to, a little behind each request."""

    def __init__(self, service: FastGPTService, schedule: Schedule, act: Callable) -> None:
        self._service = service
        self._pending = iter(schedule)
        self._act = act
        self._left = 300

    def handle(self, request: Request) -> Response:
        self._left -= 1
        assert self._left, "the walk does not end"
        response = self._service.handle(request)
        for step in next(self._pending, ()):
            self._act(*step)
        return response


class OtherHands:
    """Moves conversations about, and keeps a record of which."""

    def __init__(self, service: FastGPTService) -> None:
        self._service = service
        self.deleted: set[str] = set()
        self.moved: set[str] = set()

    def act(self, kind: str, number: int) -> None:
        shown = self._service.shown()
        if kind == "insert" or not shown:
            made = self._service.insert(f"new{len(self._service.chats)}")
            self.moved.add(made.chat_id)
            return
        chosen = shown[number % len(shown)]
        if kind == "delete":
            self._service.remove(chosen)
            self.deleted.add(chosen)
            return
        self.moved.add(chosen)
        if kind == "touch":
            self._service.touch(chosen)
        else:
            self._service.pin(chosen, kind == "pin")


CONVERSATION_STEPS = ("insert", "touch", "delete", "pin", "unpin")


@st.composite
def lists_of_conversations(draw: st.DrawFn) -> FastGPTService:
    """Return a service with some conversations, of which several may be of the same millisecond."""
    service = FastGPTService(draw(st.sampled_from(sorted(GENERATIONS))))
    for number in range(draw(st.integers(0, 45))):
        service.tick = timedelta(milliseconds=draw(st.sampled_from((0, 0, 1))))
        service.insert(f"c{number}", title=str(number))
    for number in draw(st.lists(st.integers(0, 44), max_size=2)):
        if f"c{number}" in service.chats:
            service.pin(f"c{number}", True)
    service.wait()
    service.tick = timedelta(milliseconds=draw(st.sampled_from((0, 1))))
    return service


def forty() -> FastGPTService:
    service = FastGPTService("4.16")
    for number in range(40):
        service.insert(f"c{number}")
    service.wait()
    return service


@given(lists_of_conversations(), schedules(*CONVERSATION_STEPS))
@example(forty(), [[("touch", 39)], [("touch", 39)], [("touch", 39)]])
@example(forty(), [[("delete", 0), ("touch", 39)], [("delete", 0), ("touch", 38)]])
@example(forty(), [[("pin", 39)], [("unpin", 0)], [("pin", 30)]])
def test_a_walk_shows_each_conversation_that_stood_throughout_once(service, schedule):
    before = service.shown()
    hands = OtherHands(service)
    store = opened(Disturbed(service, schedule, hands.act).handle, small=True)
    seen = [conversation.id for conversation in store.conversations()]
    assert len(set(seen)) == len(seen)
    assert set(before) - hands.deleted <= set(seen)


@given(lists_of_conversations(), schedules(*CONVERSATION_STEPS), st.integers(1, 7))
@example(forty(), [[("delete", 0), ("delete", 0)], [("delete", 0), ("delete", 0)]], 2)
@example(forty(), [[("insert", 0)]] * 4, 1)
def test_pages_show_each_conversation_that_stood_still_once_and_in_order(service, schedule, limit):
    before = service.shown()
    hands = OtherHands(service)
    store = opened(Disturbed(service, schedule, hands.act).handle)
    pages = paged(lambda cursor: store.list_conversations(limit=limit, cursor=cursor))
    seen = [page.id for page in pages]
    still = [item for item in before if item not in hands.deleted | hands.moved]
    assert [item for item in seen if item in still] == still


def paged(read: Callable) -> list:
    """Return the items of all pages, read one by one."""
    found: list = []
    cursor = None
    for _ in range(200):
        page = read(cursor)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return found
    raise AssertionError("the pages do not end")


@for_each("generation", GENERATIONS)
def test_a_walk_over_pages_of_full_size_survives_a_busy_service(generation):
    service = FastGPTService(generation)
    for number in range(250):
        service.insert(f"c{number}")
    schedule = [
        [("touch", 249), ("pin", 200), ("insert", 0)],
        [("delete", 0), ("touch", 180), ("unpin", 0)],
        [("delete", 240), ("touch", 120), ("insert", 0)],
    ]
    before = service.shown()
    hands = OtherHands(service)
    store = opened(Disturbed(service, schedule, hands.act).handle)
    seen = [conversation.id for conversation in store.conversations()]
    assert len(set(seen)) == len(seen)
    assert set(before) - hands.deleted <= set(seen)


# Messages


@st.composite
def lists_of_messages(draw: st.DrawFn) -> FastGPTService:
    """Return a service with one conversation, whose turns may lack their question or answer."""
    service = FastGPTService(draw(st.sampled_from(sorted(GENERATIONS))))
    service.insert("c")
    for role in draw(st.lists(st.sampled_from(("user", "assistant")), max_size=30)):
        service.append("c", role, "text")
    return service


class OtherWriters:
    """Adds and deletes records, and keeps a record of what went."""

    def __init__(self, service: FastGPTService) -> None:
        self._service = service

    def act(self, kind: str, number: int) -> None:
        rows = self._service.chats["c"].records
        if kind == "append" or not rows:
            self._service.append("c", "assistant" if number % 2 else "user", "new")
        else:
            self._service.erase("c", rows[number % len(rows)])


def ids_of(service: FastGPTService) -> list[str]:
    return [f"{row['_id']}.{row['dataId']}" for row in service.chats["c"].records]


def shown_throughout(seen: Sequence[str], before: Sequence[str], service: FastGPTService) -> None:
    """Check that each id that is there before and after appears once and in order."""
    assert len(set(seen)) == len(seen)
    left = set(ids_of(service))
    stood = [item for item in before if item in left]
    assert [item for item in seen if item in stood] == stood


ORDERS = st.sampled_from(("oldest_first", "newest_first"))


@given(lists_of_messages(), schedules("append", "erase"), ORDERS)
def test_a_walk_shows_each_message_that_stood_throughout_once_and_in_order(
    service, schedule, order
):
    before = ids_of(service)[:: 1 if order == "oldest_first" else -1]
    store = opened(Disturbed(service, schedule, OtherWriters(service).act).handle, small=True)
    shown_throughout([message.id for message in store.messages("c", order=order)], before, service)


@given(lists_of_messages(), schedules("append", "erase"), ORDERS, st.integers(1, 7))
def test_pages_show_each_message_that_stood_throughout_once_and_in_order(
    service, schedule, order, limit
):
    before = ids_of(service)[:: 1 if order == "oldest_first" else -1]
    store = opened(Disturbed(service, schedule, OtherWriters(service).act).handle)
    found = paged(lambda cursor: store.list_messages("c", limit=limit, cursor=cursor, order=order))
    shown_throughout([item.id for item in found], before, service)


@given(lists_of_messages(), schedules("append", "erase"))
def test_a_transcript_holds_each_message_that_stood_throughout_once_and_in_order(service, schedule):
    before = ids_of(service)
    store = opened(Disturbed(service, schedule, OtherWriters(service).act).handle)
    (transcript,) = store.transcripts(["c"])
    shown_throughout([message.id for message in transcript.messages], before, service)


@given(lists_of_messages(), ORDERS, st.integers(1, 7))
def test_a_message_reads_the_same_on_any_page_and_in_either_order(service, order, limit):
    store = opened(service.handle)
    whole = list(store.messages("c"))
    found = paged(lambda cursor: store.list_messages("c", limit=limit, cursor=cursor, order=order))
    assert found[:: 1 if order == "oldest_first" else -1] == whole


@for_each("order", ["oldest_first", "newest_first"])
@for_each("generation", GENERATIONS)
def test_messages_of_several_pages_of_full_size_come_in_order(generation, order):
    service = FastGPTService(generation)
    service.insert("c")
    for number in range(253):
        service.append("c", "assistant" if number % 2 else "user", str(number))
    texts = [message.text for message in opened(service.handle).messages("c", order=order)]
    assert texts[:: 1 if order == "oldest_first" else -1] == [str(item) for item in range(253)]


# One conversation


def many(generation: str, count: int = 250, *, ties: bool = False) -> FastGPTService:
    service = FastGPTService(generation)
    service.tick = timedelta(0) if ties else service.tick
    for number in range(count):
        service.insert(f"c{number}", title=f"title {number}")
    service.tick = timedelta(milliseconds=1)
    service.wait()
    return service


def requested_paths(service: FastGPTService) -> list[str]:
    """Return the last words of the requested paths that exist."""
    return [
        request.path.rpartition("/")[2]
        for request, response in service.exchanges
        if response.status != 404
    ]


@for_each("ties", [False, True])
@for_each("generation", GENERATIONS)
def test_a_conversation_deep_in_the_list_is_found(generation, ties):
    service = many(generation, ties=ties)
    assert opened(service.handle).get_conversation("c0").title == "title 0"


@for_each("generation", ["4.14.11", "4.16"])
def test_where_the_service_tells_of_one_conversation_it_is_asked_first(generation):
    service = many(generation)
    store = opened(service.handle)
    store.get_conversation("c0")
    assert requested_paths(service) == ["getHistoryStatus", "getHistories"]
    with pytest.raises(convostore.NotFoundError):
        store.get_conversation("nobody's")
    assert requested_paths(service)[2:] == ["getHistoryStatus"]


@for_each("generation", ["4.9", "4.14.5"])
def test_where_it_does_not_the_list_is_read_and_it_is_not_asked_again(generation):
    service = many(generation)
    store = opened(service.handle)
    for _ in range(2):
        store.get_conversation("c0")
    absent = [request.path for request, response in service.exchanges if response.status == 404]
    assert len(absent) == len(set(absent))
    assert set(requested_paths(service)) == {"getHistories"}


@for_each("generation", GENERATIONS)
def test_looking_a_conversation_up_never_marks_it_as_read(generation):
    service = many(generation, 3)
    store = opened(service.handle)
    store.get_conversation("c1")
    list(store.messages("c1"))
    assert not [exchange for exchange, _ in service.exchanges if exchange.path == f"{ROOT}init"]


@for_each("requests", range(6))
@for_each("generation", GENERATIONS)
def test_a_conversation_that_is_written_to_while_it_is_looked_for_is_found(generation, requests):
    service = many(generation)

    def touch(kind: str, number: int) -> None:
        service.touch("c0")

    disturbed = Disturbed(service, [*[[]] * requests, [("touch", 0)]], touch)
    assert opened(disturbed.handle).get_conversation("c0").id == "c0"


@for_each("generation", GENERATIONS)
def test_a_conversation_of_another_source_is_not_this_stores(generation):
    service = many(generation, 2)
    service.insert("online", source="online")
    with pytest.raises(convostore.NotFoundError):
        opened(service.handle).get_conversation("online")
    assert opened(service.handle, source="all").get_conversation("online").id == "online"
    assert opened(service.handle, source="online").get_conversation("online").id == "online"


@for_each("source", ["api", "online", "all"])
@for_each("generation", GENERATIONS)
def test_a_store_lists_the_conversations_of_its_source(generation, source):
    service = many(generation, 2)
    service.insert("online", source="online")
    service.insert("test", source="test")
    service.insert("somebody's", owner="somebody")
    wanted = {"api": {"c0", "c1"}, "online": {"online"}, "all": {"c0", "c1", "online", "test"}}
    listed = {
        conversation.id for conversation in opened(service.handle, source=source).conversations()
    }
    assert listed == wanted[source]


@for_each("generation", GENERATIONS)
def test_a_conversation_without_messages_has_none_and_an_unknown_one_is_not_found(generation):
    service = many(generation, 1)
    store = opened(service.handle)
    assert list(store.messages("c0")) == []
    with pytest.raises(convostore.NotFoundError):
        list(store.messages("nobody's"))


@for_each("source", ["api", "online"])
@for_each("generation", GENERATIONS)
def test_clearing_takes_everybodys_of_the_app_only_where_the_trait_says_so(generation, source):
    service = many(generation, 120)
    for number in range(120):
        service.insert(f"o{number}", source="online")
    service.insert("somebody's", owner="somebody")
    service.insert("another's", owner="somebody", source="online")
    store = opened(service.handle, source=source)
    store.clear_conversations()
    assert list(store.conversations()) == []
    left = {chat.chat_id for chat in service.chats.values() if not chat.deleted}
    if source == "api":
        assert store.traits.clears == "may_clear_others"
        assert left == {*[f"o{number}" for number in range(120)], "another's"}
    else:
        assert store.traits.clears == "listed"
        assert left == {*[f"c{number}" for number in range(120)], "somebody's", "another's"}


@for_each("generation", GENERATIONS)
def test_a_deleted_conversations_messages_stay_readable_where_the_service_hides_it(generation):
    service = many(generation, 1)
    service.append("c0", "user", "still here")
    store = opened(service.handle)
    store.delete_conversation("c0")
    with pytest.raises(convostore.NotFoundError):
        store.get_conversation("c0")
    if GENERATIONS[generation].soft:
        assert [message.text for message in store.messages("c0")] == ["still here"]
    else:
        with pytest.raises(convostore.NotFoundError):
            list(store.messages("c0"))


@for_each("generation", GENERATIONS)
def test_of_a_turn_only_the_named_message_goes_unless_the_two_share_an_id(generation):
    service = many(generation, 1)
    for text in ("q1", "q2"):
        service.append("c0", "user", text)
        service.append("c0", "assistant", f"{text}'s answer")
    store = opened(service.handle)
    messages = list(store.messages("c0"))
    store.delete_message("c0", messages[1].id)
    left = [message.text for message in store.messages("c0")]
    shared = GENERATIONS[generation].shared_data_id
    assert left == (["q2", "q2's answer"] if shared else ["q1", "q2", "q2's answer"])


def test_what_is_deleted_between_the_list_and_its_reading_is_no_empty_conversation():
    service = FastGPTService("4.9")
    for chat_id in ("second", "first"):
        service.insert(chat_id)
        service.append(chat_id, "user", "hi")
    walk = opened(service.handle).transcripts(on_error="yield")
    assert len(next(walk).messages) == 1
    service.remove("second")
    (gone,) = walk
    assert (gone.conversation_id, gone.messages) == ("second", ())
    assert isinstance(gone.error, convostore.NotFoundError)


def listing_of(rows: list) -> Service:
    """Return a service whose every list has these rows, in the order in which it sorts them."""

    def answer(request: Request) -> Response:
        start, size = request.json["offset"], request.json["pageSize"]
        if "chatId" in request.json:  # records are counted from the newest
            end = len(rows) - start
            page = rows[max(0, end - size) : max(0, end)]
        else:
            page = rows[start : start + size]
        body = {"code": 200, "data": {"list": page, "total": len(rows)}}
        return Response(200, {"content-type": "application/json"}, json.dumps(body).encode())

    return answer


@for_each("limit", [1, 2, 3])
@for_each("time", ["2026-11-20T21:22:11.835Z", None])
def test_conversations_that_lost_their_ids_are_neither_dropped_nor_repeated(limit, time):
    rows = [{"chatId": None, "title": str(number), "updateTime": time} for number in range(7)]
    rows.insert(3, {"chatId": "c", "title": "whole", "updateTime": time})
    store = opened(listing_of(rows))
    found = paged(lambda cursor: store.list_conversations(limit=limit, cursor=cursor))
    assert [item.title for item in found] == [row["title"] for row in rows]


@for_each("limit", [1, 2, 3])
@for_each("order", ["oldest_first", "newest_first"])
@for_each("own_id", [None, "{}" + "f" * 5000, "no hex {}", 7])
def test_records_whose_ids_cannot_be_sorted_by_are_neither_dropped_nor_repeated(
    own_id, order, limit
):
    rows = [{"_id": own_id, "obj": "AI", "dataId": "d", "value": str(item)} for item in range(7)]
    for number, row in enumerate(rows):
        row["_id"] = own_id.format(number) if isinstance(own_id, str) else own_id
    store = opened(listing_of(rows))
    found = paged(lambda cursor: store.list_messages("c", limit=limit, cursor=cursor, order=order))
    texts = [item.text for item in found]
    assert texts[:: 1 if order == "oldest_first" else -1] == [str(item) for item in range(7)]
