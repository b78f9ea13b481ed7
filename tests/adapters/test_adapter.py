"""Adapters: what they offer is what they override, and how a list that came whole is cut."""

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
    TextPart,
    Traits,
    UnsupportedError,
)
from convostore.adapters import Adapter, AdapterOptions, paginate
from convostore.adapters.memory import MemoryAdapter
from convostore.flow import run
from convostore.models import ANY, ConversationChange, Listing, NewConversation

READING = {
    Operation.LIST_CONVERSATIONS,
    Operation.GET_CONVERSATION,
    Operation.LIST_MESSAGES,
    Operation.CHECK,
}


class Library(Adapter):
    """Yields the names of what it wants, and is sent lists of ids."""

    name = "library"

    def transport(self):
        raise NotImplementedError

    def async_transport(self):
        raise NotImplementedError

    def list_conversations(self, listing):
        ids = yield "conversations"
        return paginate([Conversation(id=item) for item in ids], listing, key=lambda item: item.id)

    def get_conversation(self, conversation_id):
        ids = yield "conversations"
        if conversation_id not in ids:
            raise NotFoundError(conversation_id)
        return Conversation(id=conversation_id, title="looked up")

    def list_messages(self, conversation_id, listing):
        texts = yield conversation_id, listing.limit, listing.cursor
        messages = [Message(id=text, role="user", parts=(TextPart(text=text),)) for text in texts]
        return paginate(messages, listing, key=lambda message: message.id)


class Deleting(Library):
    def delete_conversation(self, conversation_id):
        yield conversation_id


class DeletingMessages(Deleting):
    def delete_message(self, conversation_id, message_id):
        yield conversation_id, message_id


def library(kind=Library, dsn="library://shelf"):
    return kind(DSN.parse(dsn), AdapterOptions())


def test_an_adapter_must_write_the_three_reading_operations():
    class Lacking(Adapter):
        name = "lacking"

    with pytest.raises(TypeError, match="list_messages"):
        library(Lacking)


def test_what_is_overridden_is_offered_and_nothing_else():
    assert Library.offers == READING
    assert Deleting.offers == READING | {Operation.DELETE_CONVERSATION}


def test_what_is_inherited_is_offered_too():
    assert DeletingMessages.offers == Deleting.offers | {Operation.DELETE_MESSAGE}


class Branches(Library):
    def enter_namespace(self, name):
        super().enter_namespace(name)
        self.shelves = f"shelves of {name}"


def test_a_backend_that_enters_namespaces_has_views_that_lead_no_further():
    adapter = library(Branches)
    view = adapter.in_namespace("a&b")
    assert (adapter.has_namespaces, view.has_namespaces) == (True, False)
    assert (view.namespace, view.shelves) == ("a&b", "shelves of a&b")
    assert view.label == "library://shelf?namespace=a%26b"
    assert (adapter.namespace, adapter.label) == ("", "library://shelf")
    assert not hasattr(adapter, "shelves")
    with pytest.raises(UnsupportedError, match="a namespace has no further namespaces"):
        view.in_namespace("c")


def test_a_backend_that_enters_no_namespaces_has_none():
    assert not library().has_namespaces
    with pytest.raises(UnsupportedError, match="library has no namespaces"):
        library().in_namespace("a")


def test_a_backend_may_make_its_namespaces_without_entering_them():
    class Annexes(Library):
        def in_namespace(self, name):
            if name == "cellar":
                return super().in_namespace(name)
            return library(dsn=f"library://{name}")

    adapter = library(Annexes)
    assert adapter.has_namespaces
    assert adapter.in_namespace("attic").label == "library://attic"
    with pytest.raises(UnsupportedError, match="library has no namespaces"):
        adapter.in_namespace("cellar")


def test_a_subclass_does_not_change_what_its_base_offers():
    assert Operation.DELETE_MESSAGE not in Deleting.offers


def test_an_instance_may_offer_less_after_a_look():
    narrowed = library(Deleting)
    narrowed.offers = frozenset(READING)
    assert narrowed.offers == READING
    assert Operation.DELETE_CONVERSATION in library(Deleting).offers


def test_every_operation_is_a_method_of_an_adapter():
    assert all(callable(getattr(Adapter, operation)) for operation in Operation)


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("create_conversation", (NewConversation(),)),
        ("append_messages", ("c", (), None)),
        ("get_message", ("c", "m")),
        ("replace_messages", ("c", (), None, None)),
        ("update_message", ("c", Message(role="user"), ANY)),
        ("update_conversation", ("c", ConversationChange())),
        ("delete_conversation", ("c",)),
        ("clear_conversations", ()),
        ("delete_message", ("c", "m")),
        ("pop_message", ("c", ANY)),
        ("set_feedback", ("c", "m", None)),
        ("get_run_details", ("c", "m")),
        ("suggest_questions", ("c",)),
    ],
)
def test_what_is_not_overridden_raises_at_once(operation, arguments):
    with pytest.raises(UnsupportedError, match=operation) as caught:
        getattr(library(), operation)(*arguments)
    assert (caught.value.adapter, caught.value.operation) == ("library", operation)


def test_the_label_names_the_store_without_options_and_secrets():
    adapter = library(dsn="library+http://user:s3cret@host:1/shelf?colour=blue&key=s3cret")
    assert adapter.label == "library+http://user:***@host:1/shelf"


def test_a_check_lists_by_default():
    sent = []
    health = run(library().check(), lambda request: sent.append(request) or ["a", "b"])
    assert sent == ["conversations"]
    assert health.generation is None


def test_a_transcript_has_all_messages_page_by_page():
    class Paging(Library):
        traits = Traits(max_page=2)

    requests = []

    def send(request):
        requests.append(request)
        return ["c"] if request == "conversations" else ["m1", "m2", "m3", "m4", "m5"]

    transcript = run(library(Paging).read_transcript("c"), send)
    assert [message.id for message in transcript.messages] == ["m1", "m2", "m3", "m4", "m5"]
    assert transcript.conversation.title == "looked up"
    assert transcript.conversation_id == "c"
    assert [request[1] for request in requests[1:]] == [2, 2, 2]


def test_a_transcript_of_a_known_conversation_does_not_ask_for_it_again():
    known = Conversation(id="c", title="from the list")
    requests = []
    transcript = run(
        library().read_transcript("c", known), lambda request: requests.append(request) or ["m"]
    )
    assert transcript.conversation is known
    assert len(requests) == 1


def test_a_transcript_of_a_service_that_does_not_page_is_one_request():
    class Whole(Library):
        traits = Traits(paging="whole", max_page=1)

    requests = []
    run(
        library(Whole).read_transcript("c", Conversation(id="c")),
        lambda request: requests.append(request) or ["m1", "m2"],
    )
    assert requests == [("c", None, None)]


def pages(items, *, limit, order="oldest_first", change=lambda items: items):
    """All pages of a list, which is changed before each next one."""
    result, cursor = [], None
    for _ in range(200):
        page = paginate(
            items, Listing(limit=limit, cursor=cursor, order=order), key=lambda item: item
        )
        result.append(page.items)
        if page.cursor is None:
            return result
        cursor, items = page.cursor, change(items)
    raise AssertionError("the pages do not end")


def test_a_list_without_a_limit_is_one_page():
    assert paginate("abc", Listing(), key=str) == Page(items=("a", "b", "c"), total=3)


def test_an_empty_list_is_an_empty_page():
    assert paginate([], Listing(limit=5), key=str) == Page(items=(), total=0)


@given(
    st.lists(st.text(st.characters(exclude_categories=())), unique=True),
    st.integers(1, 7),
    st.sampled_from(["oldest_first", "newest_first"]),
)
def test_the_pages_of_a_list_are_the_list(items, limit, order):
    result = pages(items, limit=limit, order=order)
    expected = items if order == "oldest_first" else items[::-1]
    assert [item for page in result for item in page] == expected
    assert all(len(page) == limit for page in result[:-1])
    assert len(result[-1]) <= limit
    assert result[-1] or not items


def test_the_last_page_has_no_cursor_even_when_it_is_full():
    assert paginate("ab", Listing(limit=2), key=str).cursor is None


def test_every_page_tells_the_total():
    first = paginate("abc", Listing(limit=2), key=str)
    second = paginate("abc", Listing(limit=2, cursor=first.cursor), key=str)
    assert (first.total, second.total) == (3, 3)


def test_newest_first_reverses_the_list_and_not_the_page():
    assert pages("abcde", limit=2, order="newest_first") == [("e", "d"), ("c", "b"), ("a",)]


def test_a_cursor_survives_new_items_at_the_head():
    assert pages(list("abcd"), limit=2, change=lambda items: ["new", *items]) == [
        ("a", "b"),
        ("c", "d"),
    ]


def test_a_cursor_survives_the_deletion_of_the_last_item_that_was_seen():
    assert pages(list("abcd"), limit=2, change=lambda _: ["a", "c", "d"]) == [
        ("a", "b"),
        ("c", "d"),
    ]


def test_a_cursor_is_refused_when_all_that_it_remembers_is_gone():
    first = paginate("abcd", Listing(limit=2), key=str)
    with pytest.raises(InvalidError, match="list of notes"):
        paginate("cd", Listing(limit=2, cursor=first.cursor), key=str, what="list of notes")


@pytest.mark.parametrize("cursor", ["", "a", "5", "null", "{}", "[]", "[[]]", "\ud800"])
def test_what_is_no_cursor_of_a_list_is_refused(cursor):
    with pytest.raises(InvalidError):
        paginate("abcd", Listing(limit=2, cursor=cursor), key=str)


def test_traits_may_be_a_property_of_the_adapter():
    class Asked(MemoryAdapter):
        @property
        def traits(self):
            return Traits(paging="whole")

    assert Operation.GET_MESSAGE in Asked.offers
    assert Asked(DSN.parse("memory://"), None).traits.paging == "whole"


def test_lists_that_are_whole_begin_anywhere_and_come_in_both_orders():
    whole = Traits(paging="whole")
    assert whole.starts == {"conversations", "messages"}
    assert whole.orders == {"newest_first", "oldest_first"}
    assert Traits().starts == set()
    assert Traits().orders == {"newest_first"}


def test_what_an_update_can_change_is_kept():
    class Renames(MemoryAdapter):
        traits = Traits(changes=frozenset({"title"}))

    class Pins(MemoryAdapter):
        traits = Traits()

    class Reads(MemoryAdapter):
        traits = Traits()
        update_conversation = Adapter.update_conversation

    assert [kind.traits.keeps for kind in (Renames, Pins, Reads)] == [set(), {"pinned"}, set()]
