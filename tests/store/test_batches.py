"""Batches: several writes as values, stored as a whole or refused; on both classes."""

import asyncio
import re
from collections import deque
from dataclasses import replace

import pytest

import convostore
from convostore import (
    DSN,
    AsyncConversationStore,
    ConflictError,
    ConversationStore,
    InvalidError,
    Message,
    NotFoundError,
    Operation,
    TextPart,
    UnsupportedError,
)
from convostore.adapters import AdapterOptions
from convostore.adapters.memory import MemoryAdapter
from convostore.store import BATCH_LIMIT, WriteCall


class Stepwise(MemoryAdapter):
    """Stores each write for itself."""

    traits = replace(MemoryAdapter.traits, batches="none")


@pytest.fixture(params=["sync", "async"])
def write(request):
    """Writes a batch into a store of one of the classes, over an adapter."""

    def write_batch(adapter, calls, **options):
        if request.param == "sync":
            return ConversationStore(adapter, adapter.transport()).write_batch(calls, **options)
        store = AsyncConversationStore(adapter, adapter.async_transport())
        return asyncio.run(store.write_batch(calls, **options))

    return write_batch


@pytest.fixture
def adapter():
    return MemoryAdapter(DSN.parse("memory://"), AdapterOptions())


@pytest.fixture
def stepwise():
    return Stepwise(DSN.parse("memory://"), AdapterOptions())


def said(text):
    return Message(role="user", id=text, parts=(TextPart(text=text),))


def state(adapter):
    with ConversationStore(adapter, adapter.transport()) as store:
        return {
            each.id: (each, [message.text for message in store.messages(each.id)])
            for each in store.conversations()
        }


def filled(adapter):
    with ConversationStore(adapter, adapter.transport()) as store:
        for identity in ("one", "two", "three"):
            store.create_conversation(id=identity)
            store.append_messages(identity, [said(f"in {identity}")])
    return adapter


EVERYTHING = [
    WriteCall("append_messages", "one", [said("more")]),
    WriteCall("replace_messages", "two", [said("instead")], after=None),
    WriteCall("update_conversation", "two", title="renamed", pinned=True),
    WriteCall("set_feedback", "one", "more", None),
    WriteCall("delete_message", "one", "in one"),
    WriteCall("fork_conversation", "one", "more", id="fork"),
    WriteCall("put_conversation", convostore.Conversation(id="put")),
    WriteCall("put_conversation", convostore.Conversation(id="three", title="put")),
    WriteCall("create_conversation", id="made"),
    WriteCall("delete_conversation", "three"),
]


def test_the_results_are_those_of_the_methods_in_their_order(write, adapter):
    made, appended, nothing = write(
        adapter,
        [
            WriteCall("create_conversation", id="c", title="t"),
            WriteCall(Operation.APPEND_MESSAGES, "c", [said("a")], after=None),
            WriteCall("update_conversation", "c", title="u"),
        ],
    )
    assert (made.id, made.title) == ("c", "t")
    assert [message.text for message in appended] == ["a"]
    assert nothing is None
    assert state(adapter)["c"][0].title == "u"


def test_each_write_sees_those_before_it(write, adapter):
    write(filled(adapter), EVERYTHING)
    after = state(adapter)
    assert {identity: texts for identity, (_, texts) in after.items()} == {
        "one": ["more"],
        "two": ["instead"],
        "fork": ["more"],
        "put": [],
        "made": [],
    }


@pytest.mark.parametrize("clearing", [[], [WriteCall("clear_conversations")]], ids=["", "cleared"])
def test_an_error_takes_all_of_an_atomic_batch_back(write, adapter, clearing):
    before = state(filled(adapter))
    wrong = WriteCall("append_messages", "absent", [said("x")])
    with pytest.raises(NotFoundError) as caught:
        write(adapter, [*EVERYTHING, *clearing, wrong])
    assert caught.value.operation == "append_messages"
    assert state(adapter) == before


def test_a_store_goes_on_after_a_batch_that_failed(write, adapter):
    filled(adapter)
    with pytest.raises(ConflictError):
        write(adapter, [WriteCall("append_messages", "one", [said("x")], after=None)])
    write(adapter, [WriteCall("append_messages", "one", [said("x")])])
    assert state(adapter)["one"][1] == ["in one", "x"]


def test_without_atomic_batches_it_is_refused_before_anything_is_written(write, stepwise):
    before = state(filled(stepwise))
    with pytest.raises(UnsupportedError, match="atomic=False") as caught:
        write(stepwise, EVERYTHING)
    assert (caught.value.adapter, caught.value.argument) == ("memory", "atomic")
    assert state(stepwise) == before


def test_without_atomic_batches_they_are_written_one_after_the_other_if_that_will_do(
    write, stepwise
):
    filled(stepwise)
    wrong = WriteCall("append_messages", "absent", [said("x")])
    with pytest.raises(NotFoundError):
        write(stepwise, [EVERYTHING[0], wrong, EVERYTHING[1]], atomic=False)
    assert state(stepwise)["one"][1] == ["in one", "more"]
    assert state(stepwise)["two"][1] == ["in two"]


def test_what_is_not_offered_is_refused_before_anything_is_written(write, stepwise):
    filled(stepwise)
    stepwise.offers -= {Operation.SET_FEEDBACK}
    before = state(stepwise)
    with pytest.raises(UnsupportedError, match="set_feedback") as caught:
        write(stepwise, EVERYTHING, atomic=False)
    assert caught.value.operation == "set_feedback"
    assert state(stepwise) == before


def test_arguments_are_checked_as_by_the_methods(write, adapter):
    before = state(filled(adapter))
    with pytest.raises(InvalidError):
        write(adapter, [EVERYTHING[0], WriteCall("delete_message", "one", "")])
    with pytest.raises(TypeError):
        write(adapter, [EVERYTHING[0], WriteCall("delete_message", "one")])
    assert state(adapter) == before


def test_an_empty_batch_does_nothing(write, adapter):
    assert write(adapter, []) == ()


def test_a_batch_has_a_bound(write, adapter):
    call = WriteCall("create_conversation")
    with pytest.raises(InvalidError, match=r"at most 1,000 calls, got 1,001"):
        write(adapter, [call] * (BATCH_LIMIT + 1))
    assert state(adapter) == {}
    assert len(write(adapter, (call for _ in range(BATCH_LIMIT)))) == BATCH_LIMIT


def test_a_batch_is_of_write_calls(write, adapter):
    with pytest.raises(InvalidError, match="WriteCalls, got str"):
        write(adapter, ["create_conversation"])


@pytest.mark.parametrize("operation", ["list_messages", "reply", "stream_answer", "nonsense"])
def test_what_is_no_write_is_refused(operation):
    with pytest.raises(InvalidError, match=re.escape(repr(operation))):
        WriteCall(operation, "c")


@pytest.mark.parametrize("operation", [[], None, 10**5000], ids=["list", "none", "huge"])
def test_what_is_no_name_of_a_write_is_refused(operation):
    with pytest.raises(InvalidError, match="a batch must hold writes"):
        WriteCall(operation, "c")


@pytest.mark.parametrize("calls", [5, None, WriteCall("clear_conversations")])
def test_a_batch_is_a_list(write, adapter, calls):
    with pytest.raises(InvalidError, match="a list of WriteCalls, got"):
        write(adapter, calls)


def test_whether_a_batch_is_atomic_is_true_or_false():
    with convostore.open("memory://") as store, pytest.raises(InvalidError, match="True or False"):
        store.write_batch([], atomic="no")


def test_a_call_has_the_metadata_that_it_was_made_with(write, adapter):
    metadata = {"k": 1}
    call = WriteCall("create_conversation", id="one", metadata=metadata)
    metadata["k"] = 2
    (made,) = write(adapter, [call])
    assert made.metadata == {"k": 1}


@pytest.mark.parametrize("sequence", [list, deque])
def test_a_call_is_fixed_when_it_is_made(write, adapter, sequence):
    messages = sequence([said("a")])
    call = WriteCall("append_messages", "one", messages)
    messages.append(said("b"))
    write(filled(adapter), [call])
    assert state(adapter)["one"][1] == ["in one", "a"]
    with pytest.raises(AttributeError):
        call.arguments = ()
    with pytest.raises(TypeError):
        call.options["after"] = "another"


@pytest.mark.parametrize("calls", [[], [WriteCall("create_conversation")]], ids=["none", "one"])
def test_a_batch_of_a_closed_store_is_refused(stepwise, calls):
    store = ConversationStore(stepwise, stepwise.transport())
    store.close()
    with pytest.raises(InvalidError, match="closed"):
        store.write_batch(calls, atomic=False)
