"""What both faces do around an adapter: refusals, sealed cursors, and walks while others write."""

import asyncio
import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convostore import (
    DSN,
    Conversation,
    InvalidError,
    Message,
    NotFoundError,
    Operation,
    Page,
    Source,
    TextPart,
    Traits,
    UnavailableError,
    UnsupportedError,
)
from convostore.adapters import Adapter, AdapterOptions, paginate
from convostore.adapters.memory import MemoryAdapter
from convostore.flow import run
from convostore.models import (
    ANY,
    UNSET,
    ConversationChange,
    ConversationFilter,
    Listing,
    NewConversation,
)
from convostore.search import Search
from convostore.store import AsyncConversationStore, ConversationStore, WriteCall
from convostore.store._arguments import check_ids
from convostore.store._operations import Operations

from ..support.naming import naming


def memory(kind=MemoryAdapter):
    return Operations(kind(DSN.parse("memory://"), AdapterOptions()))


def carry(make):
    return run(make(), lambda call: call())


def filled(kind=MemoryAdapter, count=5):
    plan = memory(kind)
    for number in range(count):
        carry(plan.create_conversation(NewConversation(id=f"c{number}")))
        messages = [
            Message(id=f"m{each}", role="user", parts=(TextPart(text=str(each)),))
            for each in range(count)
        ]
        carry(plan.append_messages(f"c{number}", messages, ANY))
    return plan


def refused(make, error=InvalidError):
    with pytest.raises(error) as caught:
        carry(make)
    return caught.value


# Ids and limits.

BAD_IDS = [None, "", 5, b"c0", ["c0"]]


@pytest.mark.parametrize(
    "operation",
    [
        lambda plan, bad: plan.get_conversation(bad),
        lambda plan, bad: plan.list_messages(bad, Listing(limit=5)),
        lambda plan, bad: plan.read_transcript(bad, None, "raise"),
        lambda plan, bad: plan.append_messages(bad, (), ANY),
        lambda plan, bad: plan.replace_messages(bad, (), None, ANY),
        lambda plan, bad: plan.update_conversation(bad, ConversationChange()),
        lambda plan, bad: plan.delete_conversation(bad),
        lambda plan, bad: plan.delete_message(bad, "m0"),
        lambda plan, bad: plan.delete_message("c0", bad),
        lambda plan, bad: plan.set_feedback(bad, "m0", None),
        lambda plan, bad: plan.set_feedback("c0", bad, None),
        lambda plan, bad: plan.fork_conversation(bad, "m0", None, ConversationChange()),
        lambda plan, bad: plan.fork_conversation("c0", bad, None, ConversationChange()),
        lambda plan, bad: plan.put_conversation(Conversation.model_construct(id=bad)),
    ],
)
def test_an_id_that_is_no_text_or_empty_is_refused_before_any_request(operation):
    plan = filled(count=1)

    def send(_):
        pytest.fail("a request was made")

    for bad in BAD_IDS:
        with naming(bad), pytest.raises(InvalidError, match="an id must be"):
            run(operation(plan, bad)(), send)


@pytest.mark.parametrize("bad", ["", 5])
def test_a_new_conversation_takes_no_such_id_either(bad):
    refused(memory().create_conversation(NewConversation(id=bad)))


@pytest.mark.parametrize("bad", ["", 5])
def test_a_fork_takes_no_such_id_either(bad):
    refused(filled(count=1).fork_conversation("c0", "m0", bad, ConversationChange()))


@pytest.mark.parametrize("bad", ["", 5, b"c0", ["c0"]])
def test_a_search_in_no_such_conversation_is_refused(bad):
    refused(filled(count=1).search(Search("x", conversation_id=bad), Listing(limit=5)))


@pytest.mark.parametrize("title", [5, b"a title", ["a title"]])
def test_a_title_that_is_no_text_is_refused(title):
    plan = filled(count=1)
    assert "title" in str(refused(plan.create_conversation(NewConversation(title=title))))
    change = ConversationChange(title=title)
    assert "title" in str(refused(plan.fork_conversation("c0", "m0", None, change)))


def test_a_number_of_thousands_of_digits_is_refused_like_any_other():
    refused(memory().get_conversation(10**5000))
    refused(memory().create_conversation(NewConversation(owner=10**5000)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"sources": None},
        {"sources": ""},
        {"id": datetime(2026, 1, 1, tzinfo=UTC)},
        {"model": datetime(2026, 1, 1, tzinfo=UTC)},
        {"sources": (Source.model_construct(score=10**400),)},
    ],
    ids=str,
)
def test_a_message_that_was_changed_by_hand_is_refused_where_it_is_wrong(wrong):
    message = Message(id="m", role="user").trusted_copy(**wrong)
    refused(filled().append_messages("c0", [message], ANY))
    refused(filled().update_message("c0", message.trusted_copy(id="m0"), message))


@pytest.mark.parametrize("value", [None, "c0", {"id": "c0"}, Message(role="user")])
def test_what_is_put_is_a_conversation(value):
    assert "convostore.Conversation" in str(refused(memory().put_conversation(value)))


@pytest.mark.parametrize("limit", [0, -1, 2.5, "5", float("nan")])
def test_a_limit_that_is_no_whole_number_from_one_is_refused(limit):
    error = refused(filled().list_conversations(Listing(limit=limit)))
    assert "limit" in str(error)


@pytest.mark.parametrize("order", ["newest", "", None])
def test_an_order_that_is_none_of_the_two_is_refused(order):
    refused(filled().list_messages("c0", Listing(limit=5, order=order)))


@pytest.mark.parametrize(("limit", "expected"), [(1, 1), (3, 3), (4, 3), (None, 3)])
def test_a_limit_is_bounded_by_what_the_backend_takes(limit, expected):
    class Narrow(MemoryAdapter):
        traits = Traits(max_page=3)

    page = carry(filled(Narrow).list_messages("c0", Listing(limit=limit)))
    assert len(page.items) == expected
    assert page.total == 5


def test_a_naive_creation_time_is_refused():
    naive = datetime(2026, 3, 1)  # noqa: DTZ001
    refused(memory().create_conversation(NewConversation(created_at=naive)))


def test_a_creation_time_becomes_utc():
    east = datetime(2026, 3, 1, 20, tzinfo=timezone(timedelta(hours=8)))
    made = carry(memory().create_conversation(NewConversation(created_at=east)))
    assert made.created_at == east
    assert made.created_at.tzinfo is UTC


@pytest.mark.parametrize(("year", "hours"), [(1, 14), (9999, -14)])
def test_a_creation_time_that_utc_cannot_hold_is_refused(year, hours):
    edge = datetime(year, 1 if year == 1 else 12, 1 if year == 1 else 31, 12, tzinfo=UTC)
    local = edge.replace(tzinfo=timezone(timedelta(hours=hours)))
    refused(memory().create_conversation(NewConversation(created_at=local)))


EAST = timezone(timedelta(hours=8))
NAIVE = datetime(2026, 3, 1)  # noqa: DTZ001
NO_TIMES = [NAIVE, "2026-03-01", 5, datetime(1, 1, 1, tzinfo=EAST)]


@pytest.mark.parametrize("time", NO_TIMES, ids=str)
def test_what_is_no_time_is_refused_wherever_one_is_given(time):
    plan = filled(count=1)
    with pytest.raises(InvalidError, match="older_than"):
        carry(plan.list_conversations(Listing(limit=5, older_than=time)))
    which = ConversationFilter(older_than=time)
    assert "older_than" in str(refused(plan.delete_conversations(which)))
    assert "since" in str(refused(plan.search(Search("x", since=time), Listing(limit=5))))
    assert "until" in str(refused(plan.search(Search("x", until=time), Listing(limit=5))))


def test_deleting_by_age_or_owner_takes_one_of_them():
    plan = filled(count=2)
    assert "clear_conversations" in str(refused(plan.delete_conversations(ConversationFilter())))
    assert len(carry(plan.list_conversations(Listing())).items) == 2


@pytest.mark.parametrize("query", [None, 5, b"x", ["x"]])
def test_a_query_that_is_no_text_is_refused(query):
    assert "query" in str(refused(memory().search(Search(query), Listing(limit=5))))


@pytest.mark.parametrize("role", ["nobody", "", 5, "User"])
def test_a_search_for_a_role_that_there_is_not_is_refused(role):
    error = refused(memory().search(Search("x", role=role), Listing(limit=5)))
    assert "assistant" in str(error)


def test_several_ids_are_not_one_text():
    assert list(check_ids(["abc"])) == ["abc"]
    with pytest.raises(InvalidError):
        check_ids("abc")


# Where an error happened; what is not offered; closed.


def test_an_error_says_where_it_happened():
    error = refused(memory().get_conversation("absent"), NotFoundError)
    assert (error.adapter, error.operation) == ("memory", "get_conversation")


def test_an_error_of_the_arguments_says_where_it_happened():
    error = refused(memory().get_conversation(""))
    assert (error.adapter, error.operation) == ("memory", "get_conversation")


class ReadOnly(MemoryAdapter):
    name = "read-only"

    def __init__(self, dsn, options):
        super().__init__(dsn, options)
        self.offers = self.offers - {Operation.DELETE_CONVERSATION, Operation.LIST_MESSAGES}


def test_what_is_not_offered_is_refused_before_any_request():
    plan = memory(ReadOnly)

    def send(_):
        pytest.fail("a request was made")

    with pytest.raises(UnsupportedError, match="delete_conversation") as caught:
        run(plan.delete_conversation("c0")(), send)
    assert (caught.value.adapter, caught.value.operation) == ("read-only", "delete_conversation")


def test_what_is_offered_can_be_asked_by_name_or_by_value():
    plan = memory(ReadOnly)
    assert plan.offers("get_conversation")
    assert plan.offers(Operation.GET_CONVERSATION)
    assert not plan.offers("delete_conversation")


def test_asking_for_an_operation_that_there_is_not_is_refused():
    with pytest.raises(InvalidError, match="get_conversation"):
        memory().offers("get_conversatoin")


def test_after_closing_every_operation_is_refused():
    plan = filled(count=1)
    plan.closed = True
    for make in (
        plan.list_conversations(Listing()),
        plan.get_conversation("c0"),
        plan.delete_conversation("c0"),
        plan.check(),
    ):
        assert "closed" in str(refused(make))


def test_deleting_what_is_absent_is_done_where_the_adapter_says_that_it_is_absent():
    class Telling(MemoryAdapter):
        def delete_conversation(self, conversation_id):
            yield lambda: None
            raise NotFoundError("absent")

        def delete_message(self, conversation_id, message_id):
            yield lambda: None
            raise NotFoundError("absent")

    plan = memory(Telling)
    assert carry(plan.delete_conversation("c")) is None
    assert carry(plan.delete_message("c", "m")) is False


# Cursors.


def test_a_cursor_leads_through_the_whole_list():
    plan, ids, cursor = filled(), [], None
    for _ in range(3):
        page = carry(plan.list_messages("c0", Listing(limit=2, cursor=cursor)))
        ids += [message.id for message in page.items]
        cursor = page.cursor
    assert (ids, cursor) == (["m0", "m1", "m2", "m3", "m4"], None)


def test_a_cursor_survives_a_restart():
    plan = filled()
    cursor = carry(plan.list_messages("c0", Listing(limit=2))).cursor
    again = Operations(plan.adapter)
    page = carry(again.list_messages("c0", Listing(limit=2, cursor=cursor)))
    assert [message.id for message in page.items] == ["m2", "m3"]


def test_a_cursor_is_text_that_fits_into_a_url():
    cursor = carry(filled().list_conversations(Listing(limit=2))).cursor
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert cursor.isascii()


def test_a_cursor_of_another_list_is_refused():
    plan = filled()
    of_conversations = carry(plan.list_conversations(Listing(limit=2))).cursor
    of_messages = carry(plan.list_messages("c0", Listing(limit=2))).cursor
    assert "list_messages" in str(refused(plan.list_conversations(Listing(cursor=of_messages))))
    refused(plan.list_messages("c0", Listing(cursor=of_conversations)))


def test_a_cursor_of_another_conversation_is_refused():
    plan = filled()
    cursor = carry(plan.list_messages("c0", Listing(limit=2))).cursor
    refused(plan.list_messages("c1", Listing(limit=2, cursor=cursor)))


def test_a_cursor_of_another_age_is_refused():
    plan, age = filled(), datetime(2999, 1, 1, tzinfo=UTC)
    cursor = carry(plan.list_conversations(Listing(limit=2, older_than=age))).cursor
    refused(plan.list_conversations(Listing(limit=2, cursor=cursor)))
    later = Listing(limit=2, cursor=cursor, older_than=age + timedelta(days=1))
    refused(plan.list_conversations(later))
    elsewhere = Listing(limit=2, cursor=cursor, older_than=age.astimezone(EAST))
    assert len(carry(plan.list_conversations(elsewhere)).items) == 2


def test_a_cursor_of_another_search_is_refused():
    plan = filled()
    cursor = carry(plan.search(Search("1"), Listing(limit=2))).cursor
    others = [{"role": "user"}, {"conversation_id": "c0"}, {"owner": None}, {"owner": "ann"}]
    for other in (Search("2"), *[Search("1", **fields) for fields in others]):
        refused(plan.search(other, Listing(limit=2, cursor=cursor)))
    assert len(carry(plan.search(Search("1"), Listing(limit=2, cursor=cursor))).items) == 2


def test_a_cursor_of_the_other_order_is_refused():
    plan = filled()
    cursor = carry(plan.list_messages("c0", Listing(limit=2))).cursor
    refused(plan.list_messages("c0", Listing(limit=2, cursor=cursor, order="newest_first")))


class Whole(Adapter):
    """A service that answers everything at once; its requests are calls, as the memory's."""

    name = "whole"
    traits = Traits(paging="whole")

    def transport(self):
        raise NotImplementedError

    def async_transport(self):
        raise NotImplementedError

    def list_conversations(self, listing):
        ids = yield lambda: ["c0", "c1", "c2", "c3"]
        return paginate([Conversation(id=each) for each in ids], listing, key=lambda each: each.id)

    def get_conversation(self, conversation_id):
        raise NotImplementedError

    def list_messages(self, conversation_id, listing):
        raise NotImplementedError


@pytest.mark.parametrize(("one", "other"), [(MemoryAdapter, Whole), (Whole, MemoryAdapter)])
def test_a_cursor_of_another_backend_is_refused(one, other):
    def plan(kind):
        return filled() if kind is MemoryAdapter else memory(Whole)

    cursor = carry(plan(one).list_conversations(Listing(limit=2))).cursor
    refused(plan(other).list_conversations(Listing(limit=2, cursor=cursor)))


def _sealed(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "next",
        "é",
        "\ud800",
        5,
        b"abcd",
        "=" * 8,
        _sealed("abcd"),
        _sealed([]),
        _sealed({"a": 1, "b": 2, "c": 3, "d": 4}),
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
    ],
)
def test_what_is_no_cursor_is_refused(cursor):
    refused(filled(count=1).list_conversations(Listing(limit=2, cursor=cursor)))


def _with_position(cursor, position):
    """The cursor, as whole as it was, but with another note of the adapter's inside."""
    padded = cursor + "=" * (-len(cursor) % 4)
    *seal, _ = json.loads(base64.urlsafe_b64decode(padded))
    return _sealed([*seal, position])


@pytest.mark.parametrize(
    "position",
    [None, 5, "", "garbage", "null", "5.5", '"x"', "[]", '["x", 1, 2]', "{}", "[" * 100_000],
    ids=lambda position: str(position)[:12],
)
def test_a_forged_position_is_refused(position):
    plan = filled(count=3)
    cursor = carry(plan.list_conversations(Listing(limit=1))).cursor
    forged = _with_position(cursor, position)
    refused(plan.list_conversations(Listing(limit=1, cursor=forged)))
    of_messages = carry(plan.list_messages("c0", Listing(limit=1))).cursor
    forged = _with_position(of_messages, position)
    refused(plan.list_messages("c0", Listing(limit=1, cursor=forged)))


@given(st.text(st.characters(exclude_categories=())), st.integers(0, 60))
def test_a_damaged_cursor_is_refused_or_read_but_nothing_else(noise, place):
    plan = filled(count=3)
    cursor = carry(plan.list_messages("c0", Listing(limit=1))).cursor
    try:
        page = carry(plan.list_messages("c0", Listing(limit=1, cursor=cursor[:place] + noise)))
    except InvalidError:
        return
    assert isinstance(page, Page)


# Walks.


class Shelf:
    """Pages of ids, as a backend shows them one after the other, whatever was asked."""

    def __init__(self, *pages):
        self.pages = list(pages)
        self.asked = []

    def walk(self, walk):
        found = []
        while walk.listing is not None:
            self.asked.append(walk.listing.cursor)
            ids, cursor = self.pages.pop(0)
            page = Page(items=tuple(Conversation(id=each) for each in ids), cursor=cursor)
            found += [item.id for item in walk.accept(page)]
        return found


class Paging(MemoryAdapter):
    traits = Traits(max_page=2)


def test_a_list_of_one_page_is_asked_once():
    shelf = Shelf(("ab", None))
    assert shelf.walk(memory().walk_conversations(Listing())) == ["a", "b"]
    assert shelf.asked == [None]


def test_an_empty_list_is_asked_once():
    shelf = Shelf(("", None))
    assert shelf.walk(memory().walk_conversations(Listing())) == []


def test_the_head_is_read_again_until_it_shows_nothing_new():
    shelf = Shelf(
        *[("ab", "1"), ("cd", None)],
        *[("xa", "1"), ("bc", "2")],
        *[("yx", "1"), ("ab", "2")],
        ("yx", "1"),
    )
    assert shelf.walk(memory().walk_conversations(Listing())) == ["a", "b", "c", "d", "x", "y"]


def test_reading_the_head_again_ends_with_the_first_page_that_shows_nothing_new():
    shelf = Shelf(("ab", "1"), ("cd", None), ("ab", "1"))
    assert shelf.walk(memory().walk_conversations(Listing())) == ["a", "b", "c", "d"]
    assert shelf.asked == [None, "1", None]


def test_an_empty_page_in_the_middle_does_not_end_a_list():
    shelf = Shelf(("ab", "1"), ("", "2"), ("cd", None), ("ab", "1"))
    assert shelf.walk(memory().walk_conversations(Listing())) == ["a", "b", "c", "d"]


def test_pages_that_overlap_are_joined_by_id():
    shelf = Shelf(("abc", "1"), ("cde", "2"), ("ef", None))
    assert shelf.walk(memory().walk_messages("c", Listing())) == list("abcdef")


def test_messages_are_not_read_again_from_the_head():
    shelf = Shelf(("ab", "1"), ("cd", None))
    shelf.walk(memory().walk_messages("c", Listing()))
    assert shelf.asked == [None, "1"]


def test_a_service_that_does_not_page_is_asked_once_and_for_everything():
    walk = memory(Whole).walk_conversations(Listing())
    assert walk.listing.limit is None
    shelf = Shelf(("abc", None))
    assert shelf.walk(walk) == ["a", "b", "c"]
    assert shelf.asked == [None]


def test_a_walk_asks_for_no_larger_pages_than_the_backend_takes():
    assert memory(Paging).walk_conversations(Listing()).listing.limit == 2
    assert memory().walk_messages("c", Listing(order="newest_first")).listing == Listing(
        limit=100, order="newest_first"
    )


def walk_while(plan, *between):
    """Walks the conversations; after each page, the next of the given changes is made."""
    changes, found = list(between), []
    walk = plan.walk_conversations(Listing())
    while walk.listing is not None:
        found += [each.id for each in walk.accept(carry(plan.list_conversations(walk.listing)))]
        if changes:
            changes.pop(0)()
    return found


def touch(plan, *ids):
    for each in ids:
        carry(plan.append_messages(each, [Message(role="user")], ANY))


def test_a_conversation_that_goes_to_the_top_meanwhile_is_not_missed():
    plan = filled(Paging, count=4)
    found = walk_while(plan, lambda: touch(plan, "c0"))
    assert sorted(found) == ["c0", "c1", "c2", "c3"]


def test_conversations_that_go_to_the_top_one_after_the_other_are_not_missed():
    plan = filled(Paging, count=4)
    # Seen are c3 and c2; then c0 goes to the top, and behind it those that were seen.
    found = walk_while(plan, lambda: touch(plan, "c0", "c2", "c3"))
    assert sorted(found) == ["c0", "c1", "c2", "c3"]


def test_a_conversation_that_is_made_meanwhile_comes_once_or_not_at_all():
    plan = filled(Paging, count=4)
    found = walk_while(
        plan,
        lambda: carry(plan.create_conversation(NewConversation(id="new"))),
        lambda: touch(plan, "c3"),
    )
    assert len(found) == len(set(found))
    assert {"c0", "c1", "c2", "c3"} <= set(found)


def test_a_conversation_that_is_deleted_meanwhile_takes_no_other_with_it():
    plan = filled(Paging, count=5)
    found = walk_while(plan, lambda: carry(plan.delete_conversation("c3")))
    assert {"c0", "c1", "c2", "c4"} <= set(found)


# Lists by age.

DAY = timedelta(days=1)
AGES = [datetime(2026, 3, 1, tzinfo=UTC) + number * DAY for number in (4, 0, 3, 1, 2)]


class Unfiltered(MemoryAdapter):
    """A backend that knows nothing of ages: it fetches everything, and asks on each page."""

    def list_conversations(self, listing):
        return super().list_conversations(replace(listing, older_than=None))


def aged(kind):
    plan = memory(kind)
    for number, time in enumerate(AGES):
        carry(plan.put_conversation(Conversation(id=f"c{number}", updated_at=time)))
    carry(plan.put_conversation(Conversation(id="of an unknown age")))
    carry(plan.put_conversation(Conversation(id="made early", created_at=AGES[1])))
    return plan


@pytest.mark.parametrize("kind", [MemoryAdapter, Unfiltered])
def test_a_list_by_age_is_of_what_was_last_active_before(kind):
    page = carry(aged(kind).list_conversations(Listing(older_than=AGES[4])))
    assert [each.id for each in page.items] == ["c3", "c1", "made early"]
    assert page.total in {3, None}


@pytest.mark.parametrize("kind", [MemoryAdapter, Unfiltered])
def test_a_walk_by_age_goes_on_behind_pages_that_show_nothing(kind):
    class Narrow(kind):
        traits = Traits(max_page=1)

    plan = aged(Narrow)
    walk, found, pages = plan.walk_conversations(Listing(older_than=AGES[4])), [], 0
    while walk.listing is not None:
        found += walk.accept(carry(plan.list_conversations(walk.listing)))
        pages += 1
    assert [each.id for each in found] == ["c3", "c1", "made early"]
    assert pages >= 3


def test_a_total_that_counts_more_than_is_shown_is_left_out():
    plan = aged(Unfiltered)
    assert carry(plan.list_conversations(Listing(older_than=AGES[4]))).total is None
    everything = Listing(limit=3, older_than=AGES[0] + DAY)
    assert carry(plan.list_conversations(everything)).total == 7
    assert carry(plan.list_conversations(Listing())).total == 7


# What an adapter does not have, or does not keep to


def unsent(call):
    raise AssertionError("it was sent")


@pytest.mark.parametrize(
    "operation",
    [
        lambda plan: plan.list_conversations(Listing(owner="ann")),
        lambda plan: plan.search(Search("words", owner=None), Listing()),
        lambda plan: plan.delete_conversations(ConversationFilter(owner="ann")),
        lambda plan: plan.create_conversation(NewConversation(owner="ann")),
        lambda plan: plan.update_conversation("c0", ConversationChange(owner=None)),
        lambda plan: plan.fork_conversation("c0", "m0", None, ConversationChange(owner="ann")),
    ],
)
def test_an_owner_that_the_backend_does_not_have_is_refused_before_any_request(operation):
    class Ownerless(MemoryAdapter):
        traits = Traits()

    with pytest.raises(UnsupportedError, match="owner") as caught:
        run(operation(memory(Ownerless))(), unsent)
    assert caught.value.argument == "owner"


@pytest.mark.parametrize(
    ("operation", "argument"),
    [
        (lambda plan: plan.list_conversations(Listing(start="c0")), "start"),
        (lambda plan: plan.list_conversations(Listing(reverse=True)), "order"),
        (lambda plan: plan.list_messages("c0", Listing(start="m0")), "start"),
        (lambda plan: plan.update_conversation("c0", ConversationChange(pinned=True)), "pinned"),
    ],
)
def test_an_argument_that_is_not_supported_is_named_beside_its_operation(operation, argument):
    class Plain(MemoryAdapter):
        traits = Traits(changes=frozenset({"title"}))

    with pytest.raises(UnsupportedError) as caught:
        run(operation(memory(Plain))(), unsent)
    assert caught.value.argument == argument
    assert caught.value.operation in memory(Plain).adapter.offers


def test_an_operation_that_is_not_offered_names_no_argument():
    plan = memory(ReadOnly)
    error = refused(plan.list_messages("c0", Listing(start="m0")), UnsupportedError)
    assert (error.operation, error.argument) == ("list_messages", None)


def test_a_list_by_owner_shows_no_other_owners_whatever_the_adapter_returns():
    class Careless(MemoryAdapter):
        def list_conversations(self, listing):
            return super().list_conversations(replace(listing, owner=UNSET))

    plan = memory(Careless)
    for name in ("ann", "ben", None):
        carry(plan.create_conversation(NewConversation(id=f"of {name}", owner=name)))
    for name in ("ann", "ben", None):
        page = carry(plan.list_conversations(Listing(owner=name)))
        assert [each.id for each in page.items] == [f"of {name}"]
        assert page.total is None


@pytest.mark.parametrize(
    "operation",
    [
        lambda plan, start: plan.list_conversations(Listing(start=start)),
        lambda plan, start: plan.list_messages("c0", Listing(start=start)),
    ],
)
def test_a_page_that_does_not_begin_with_its_start_is_not_shown(operation):
    class Headstrong(MemoryAdapter):
        def list_conversations(self, listing):
            return super().list_conversations(replace(listing, start=None))

        def list_messages(self, conversation_id, listing):
            return super().list_messages(conversation_id, replace(listing, start=None))

    assert "nobody" in str(refused(operation(filled(Headstrong), "nobody"), NotFoundError))


def test_only_a_pop_that_names_its_message_may_be_repeated():
    class Failing(MemoryAdapter):
        def pop_message(self, conversation_id, tip):
            raise UnavailableError("it may have arrived")

    plan = filled(Failing)
    assert refused(plan.pop_message("c0", "m4"), UnavailableError).retryable
    assert not refused(plan.pop_message("c0", ANY), UnavailableError).retryable


class BreaksAfterwards:
    """A transport that breaks once a flow has ended, as a connection may at the commit."""

    concurrency = 1

    def __init__(self, inner):
        self.inner = inner

    def run(self, make):
        self.inner.run(make)
        raise UnavailableError("it may have taken effect")

    def close(self):
        self.inner.close()


class AwaitsBeforeItBreaks(BreaksAfterwards):
    async def run(self, make):
        await self.inner.run(make)
        raise UnavailableError("it may have taken effect")

    async def aclose(self):
        await self.inner.aclose()


@pytest.mark.parametrize(
    ("method", "call", "retryable"),
    [
        ("pop_message", lambda store: store.pop_message("c0", tip="m4"), True),
        ("pop_message", lambda store: store.pop_message("c0", tip=ANY), False),
        ("write_batch", lambda store: store.write_batch([pop("m4")]), True),
        ("write_batch", lambda store: store.write_batch([pop(ANY)]), False),
    ],
)
def test_an_error_after_the_end_of_a_flow_is_labelled_as_one_before(method, call, retryable):
    adapter = filled().adapter
    with pytest.raises(UnavailableError) as sync:
        call(ConversationStore(adapter, BreaksAfterwards(adapter.transport())))
    adapter = filled().adapter
    store = AsyncConversationStore(adapter, AwaitsBeforeItBreaks(adapter.async_transport()))

    async def acall():
        await call(store)

    with pytest.raises(UnavailableError) as not_sync:
        asyncio.run(acall())
    for error in (sync.value, not_sync.value):
        label = (error.adapter, error.operation, error.retryable)
        assert label == ("memory", method, retryable)


def pop(tip):
    return WriteCall("pop_message", "c0", tip=tip)


def test_a_wrong_argument_is_refused_however_deep_it_is():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    plan = filled()
    for make in (
        plan.list_conversations(Listing(owner=deep)),
        plan.pop_message("c0", deep),
        plan.delete_conversations(ConversationFilter(owner=deep)),
    ):
        assert str(refused(make)).endswith("got a list")
    with pytest.raises(InvalidError, match="there is no operation a list"):
        plan.offers(deep)


def test_a_pop_says_which_tips_there_are():
    message = str(refused(filled().pop_message("c0", None)))
    assert message == "tip must be a message's id or ANY, got None"
