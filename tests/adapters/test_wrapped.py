"""Wrapped adapters: all is the inner one's but what is overridden; read-only refuses the rest."""

import inspect
from dataclasses import fields, replace

import pytest

import convostore
from convostore import DSN, AuthError, Message, Operation, TextPart, UnsupportedError
from convostore.adapters import (
    READING,
    Adapter,
    AdapterOptions,
    Turn,
    WrappedAdapter,
    read_only,
)
from convostore.adapters.echo import EchoAdapter
from convostore.adapters.memory import MemoryAdapter
from convostore.errors import ForbiddenError
from convostore.models import ANY, ConversationChange, ConversationFilter, NewConversation
from convostore.store import ConversationStore, WriteCall

OWN = {"__init__", "implements", "enter_namespace"}
"""What is not delegated: namespaces are entered by the inner adapter, in its `in_namespace`."""
ONLY_OF_WRAPPERS = {"rewrapped"}


class Secretive(MemoryAdapter):
    """Has something of its own wherever an adapter can."""

    name = "secretive"

    class Options(AdapterOptions):
        size: int = 3

    class ReplyOptions(AdapterOptions):
        mood: str = "calm"

    @property
    def label(self):
        return "secretive://here"

    def failure(self, request, reply):
        return AuthError(f"{request} {reply}")

    def redact(self, error):
        error.args = ("redacted",)

    def new_conversation_id(self):
        return "a conversation"

    def new_turn_id(self):
        return "a turn"

    def messages_as_json(self, conversation_id, listing):
        raise NotImplementedError


@pytest.fixture
def inner():
    return Secretive(DSN.parse("memory://"), Secretive.Options(size=4))


@pytest.fixture
def wrapped(inner):
    return WrappedAdapter(inner)


def test_every_method_of_an_adapter_is_delegated():
    own = {name for name, _ in inspect.getmembers(Adapter, inspect.isfunction)} - OWN
    assert {name for name in own if not name.startswith("_")} <= vars(WrappedAdapter).keys()


def test_a_delegating_method_takes_what_the_adapters_takes():
    for name, method in inspect.getmembers(WrappedAdapter, inspect.isfunction):
        if not name.startswith("_") and name not in ONLY_OF_WRAPPERS:
            assert inspect.signature(method) == inspect.signature(getattr(Adapter, name)), name


def test_whatever_an_adapter_says_of_itself_is_the_inner_ones(inner, wrapped):
    for name in ("name", "label", "dsn", "options", "Options", "ReplyOptions", "traits", "offers"):
        assert getattr(wrapped, name) == getattr(inner, name), name
    assert wrapped.store_key == inner.store_key
    assert (wrapped.namespace, wrapped.in_namespace("a").namespace) == ("", "a")
    assert wrapped.new_conversation_id() == "a conversation"
    assert wrapped.new_turn_id() == "a turn"
    assert str(wrapped.failure("q", "r")) == "q r"
    error = AuthError("secret")
    wrapped.redact(error)
    assert str(error) == "redacted"


def test_what_the_inner_one_learns_later_counts(inner, wrapped):
    inner.offers = frozenset({Operation.CHECK})
    inner.traits = replace(inner.traits, max_page=7)
    assert wrapped.offers == {Operation.CHECK}
    assert wrapped.traits.max_page == 7


def test_a_subclass_offers_what_the_inner_one_does_and_not_what_it_overrides(inner):
    class Shouting(WrappedAdapter):
        def suggest_questions(self, conversation_id):
            raise NotImplementedError

    assert Shouting(inner).offers == inner.offers


def test_a_method_is_implemented_where_the_inner_one_or_the_wrapper_overrides_it(inner, wrapped):
    class Replying(WrappedAdapter):
        def reply(self, turn):
            raise NotImplementedError

    assert wrapped.implements("messages_as_json")
    assert not wrapped.implements("reply")
    assert Replying(inner).implements("reply")


def test_a_store_streams_where_neither_has_a_reply_of_its_own():
    adapter = WrappedAdapter(EchoAdapter(DSN.parse("echo://"), AdapterOptions()))
    with ConversationStore(adapter, adapter.transport()) as store:
        assert store.reply(None, "hello").text == "You said: hello"


def test_a_wrapper_is_the_same_store_as_what_it_wraps(inner, wrapped):
    assert WrappedAdapter(wrapped).store_key == inner.store_key
    shared = [MemoryAdapter(DSN.parse("memory://shared"), AdapterOptions()) for _ in range(2)]
    assert WrappedAdapter(shared[0]).store_key == shared[1].store_key
    private = MemoryAdapter(DSN.parse("memory://"), AdapterOptions())
    assert WrappedAdapter(private).store_key == private.store_key
    another = MemoryAdapter(DSN.parse("memory://"), AdapterOptions())
    assert another.store_key != private.store_key


# Read-only


@pytest.fixture
def echo():
    return EchoAdapter(DSN.parse("echo://"), AdapterOptions())


def test_a_read_only_adapter_offers_what_changes_nothing(echo):
    assert read_only(echo).offers == echo.offers & READING
    assert Operation.LIST_MESSAGES in read_only(echo).offers


WRITES = {
    "create_conversation": (NewConversation(),),
    "put_conversation": (convostore.Conversation(id="c"),),
    "fork_conversation": ("c", "m", None, ConversationChange()),
    "append_messages": ("c", (), None),
    "replace_messages": ("c", (), None, None),
    "update_message": ("c", Message(role="user"), ANY),
    "update_conversation": ("c", ConversationChange()),
    "delete_conversation": ("c",),
    "delete_conversations": (ConversationFilter(),),
    "clear_conversations": (),
    "delete_message": ("c", "m"),
    "pop_message": ("c", ANY),
    "set_feedback": ("c", "m", None),
    "reply": (Turn(conversation_id="c", turn_id="t", content=(), options=None),),
    "stream_reply": (Turn(conversation_id="c", turn_id="t", content=(), options=None),),
    "answer": (None,),
    "stream_answer": (None,),
}


def test_every_writing_operation_is_among_those_that_are_refused():
    assert WRITES.keys() == set(Operation) - READING


@pytest.mark.parametrize(("operation", "arguments"), WRITES.items(), ids=WRITES.keys())
def test_a_read_only_adapter_refuses_a_write_by_its_method(echo, operation, arguments):
    with pytest.raises(ForbiddenError, match=f"nobody may: {operation}") as caught:
        getattr(read_only(echo, reason="nobody may"), operation)(*arguments)
    assert (caught.value.adapter, caught.value.operation) == ("echo", operation)


def test_what_nobody_offers_stays_unsupported(echo):
    with (
        ConversationStore(read_only(echo), echo.transport()) as store,
        pytest.raises(UnsupportedError),
    ):
        store.get_run_details("c", "m")


def test_a_store_of_a_read_only_adapter_reads_and_writes_nothing(echo):
    with ConversationStore(echo, echo.transport()) as store:
        store.create_conversation(id="c")
        reader = ConversationStore(read_only(echo), echo.transport())
        assert reader.get_conversation("c").id == "c"
        message = Message(role="user", parts=(TextPart(text="no"),))
        for refused in (
            lambda: reader.append_messages("c", [message]),
            lambda: reader.write_batch([WriteCall("append_messages", "c", [message])]),
            lambda: reader.reply("c", "hello"),
            lambda: reader.require("append_messages"),
        ):
            with pytest.raises(ForbiddenError):
                refused()
        assert list(store.messages("c")) == []


def test_the_traits_stay_those_of_the_store(echo):
    for each in fields(echo.traits):
        assert getattr(read_only(echo).traits, each.name) == getattr(echo.traits, each.name)
