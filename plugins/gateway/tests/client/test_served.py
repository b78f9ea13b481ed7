"""The adapter and a real gateway: what only both of them together show."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from pydantic import SecretStr

import convostore
from convostore import ConversationStore, Message, Origin, TextPart
from convostore.adapters import Operation, Traits, WrappedAdapter
from convostore.config import open_adapter
from convostore.errors import (
    AuthError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    ProtocolError,
    UnavailableError,
    UnsupportedError,
)
from convostore.store import AsyncConversationStore
from convostore.testing import Backend
from convostore.testing.samples import HOSTILE_TEXTS, numbered_conversations
from convostore.testing.transports import Service
from convostore_gateway import Limits, Token
from convostore_gateway.api import app

from ..support.asgi import ADDRESS, serving
from ..support.gateway import served

READER, WRITER = "a-reader-of-all-there-is", "a-writer-of-all-there-is"
TOKENS = (
    Token(value=SecretStr(READER), name="reader", rights="read"),
    Token(value=SecretStr(WRITER), name="writer"),
)


@pytest.fixture
def memory() -> Iterator[Service]:
    with serving("memory://") as service:
        yield service


def opened(service: Service) -> closing[ConversationStore]:
    return closing(Backend(ADDRESS, service=service).open())


def said(text: str, message_id: str) -> Message:
    return Message(id=message_id, role="user", parts=(TextPart(text=text),))


def filled(store: ConversationStore) -> None:
    for each in numbered_conversations(7):
        store.create_conversation(id=each.conversation_id)
        store.append_messages(each.conversation_id, each.messages)


# What is offered


def test_a_store_is_used_without_a_look(memory):
    with opened(memory) as store:
        filled(store)
        assert len(list(store.conversations())) == 7
        assert [len(each.messages) for each in store.transcripts()] == [2] * 7


def test_what_the_store_behind_does_not_offer_is_offered_until_it_was_refused_once(memory):
    with opened(memory) as store:
        assert store.offers("reply")
        with pytest.raises(UnsupportedError) as caught:
            store.reply(None, "Hi")
        assert (caught.value.adapter, caught.value.operation) == ("gateway", "reply")
        assert not store.offers("reply")
        assert not store.offers("stream_reply")
        assert store.offers("answer")
        assert store.offers("search")


def test_a_look_tells_what_the_store_behind_offers_and_how_it_behaves(memory):
    with opened(memory) as store, convostore.open("memory://") as behind:
        assert store.check() == behind.check()
        assert [each for each in Operation if store.offers(each)] == [
            each for each in Operation if behind.offers(each)
        ]
        traits = [
            (each, getattr(store.traits, each), getattr(behind.traits, each))
            for each in type(store.traits).__slots__
            if each not in {"batches", "paging", "max_page"}
        ]
        assert [mine for _, mine, _ in traits] == [theirs for _, _, theirs in traits]


def test_a_page_is_as_large_as_the_gateway_lets_it_be():
    with serving("memory://", limits=Limits(page=3)) as service, opened(service) as store:
        filled(store)
        assert len(store.list_conversations(limit=100).items) == 3
        assert len(list(store.conversations())) == 7
        store.check()
        assert store.traits.max_page == 3
        assert len(list(store.conversations())) == 7


def test_what_is_refused_where_it_lies_is_refused_here_with_its_words(memory):
    with opened(memory) as store:
        with pytest.raises(NotFoundError, match="absent") as caught:
            store.get_conversation("absent")
        assert caught.value.detail
        assert (caught.value.adapter, caught.value.operation) == ("gateway", "get_conversation")


# Versions, and stores that lack something

ADDED = {Operation.GET_MESSAGE, Operation.UPDATE_MESSAGE, Operation.POP_MESSAGE}
"""Operations that the gateway did not have in its first version."""


def test_an_older_gateway_is_named_as_what_lacks_a_new_operation(monkeypatch):
    older = tuple([each for each in app.ENDPOINTS if each.operation not in ADDED])
    monkeypatch.setattr(app, "ENDPOINTS", older)
    with serving("memory://") as service, opened(service) as store:
        store.create_conversation(id="c")
        (message,) = store.append_messages("c", [said("first", "m")])
        for operation in (
            lambda: store.get_message("c", "m"),  # a path that has other methods
            lambda: store.update_message("c", message),
            lambda: store.pop_message("c", tip="m"),  # no path at all
        ):
            with pytest.raises(UnsupportedError, match="it is older") as caught:
                operation()
            assert not caught.value.retryable
        assert tuple(store.messages("c")) == (message,)


class Plain(WrappedAdapter[Any, Any]):
    """An adapter that knows none of the newer arguments."""

    traits = Traits(changes=frozenset({"title"}))


def plain_store() -> AsyncConversationStore:
    return convostore.aopen("memory://").view(Plain)


def test_what_the_store_behind_lacks_of_an_operations_arguments_leaves_it_offered():
    with serving(plain_store) as service, opened(service) as store:
        store.create_conversation(id="c")
        for argument, operation in (
            ("owner", lambda: store.list_conversations(owner="ann")),
            ("order", lambda: store.list_conversations(order="oldest_first")),
            ("start", lambda: store.list_conversations(start="c")),
            ("owner", lambda: store.delete_conversations(owner="ann")),
            ("owner", lambda: store.update_conversation("c", owner="ann")),
        ):
            with pytest.raises(UnsupportedError) as caught:
                operation()
            assert store.offers(caught.value.operation)
            assert caught.value.argument == argument
        assert [each.id for each in store.conversations()] == ["c"]
        store.update_conversation("c", title="Tides")
        assert store.get_conversation("c").title == "Tides"


# Access


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    with served("memory://", tokens=TOKENS) as url:
        yield url


@pytest.mark.rim
@pytest.mark.parametrize("options", [{}, {"token": "another-token-that-is-none"}])
def test_without_the_right_token_nothing_is_told(guarded, options):
    with convostore.open(f"gateway+{guarded}", **options) as store:
        for operation in (store.check, store.list_conversations):
            with pytest.raises(AuthError, match="CONVOSTORE_GATEWAY_TOKEN") as caught:
                operation()
            assert not isinstance(caught.value, ForbiddenError)
            assert "another-token" not in f"{caught.value!r} {vars(caught.value)}"


@pytest.mark.rim
def test_a_readers_token_reads_and_writes_nothing(guarded):
    with (
        convostore.open(f"gateway+{guarded}", token=WRITER) as writer,
        convostore.open(f"gateway+{guarded}", token=READER) as reader,
    ):
        made = writer.create_conversation(title="Tides")
        assert reader.get_conversation(made.id) == made
        with pytest.raises(ForbiddenError):
            reader.delete_conversation(made.id)
        assert reader.offers("delete_conversation")
        reader.check()
        assert not reader.offers("delete_conversation")
        with pytest.raises(UnsupportedError):
            reader.delete_conversation(made.id)
        assert writer.get_conversation(made.id) == made


@pytest.mark.rim
def test_what_is_no_gateway_is_told_as_a_wrong_address(guarded):
    with convostore.open(f"gateway+{guarded}/elsewhere", token=WRITER) as store:
        for operation in (
            store.check,
            lambda: store.get_conversation("c"),
            lambda: store.delete_conversation("c"),
        ):
            with pytest.raises(ProtocolError, match="check the base URL"):
                operation()


# What the contract's waivers leave open

ADDRESSABLE = dict.fromkeys(
    [
        *[text for text in HOSTILE_TEXTS if 0 < len(text) < 1000],
        "NUL \x00 inside",
        "a/b",
        "a//b/",
        "%2F",
        "100%",
        "a?b#c&d=e+f",
        "fork",
        "...",
        " ",
        "a\\",
        "\r\n",
    ]
)


def test_every_id_that_an_address_can_carry_is_kept_and_written_to(memory):
    with opened(memory) as store:
        for name in ADDRESSABLE:
            assert store.create_conversation(id=name, title=name).id == name
            store.append_messages(name, [said("first", name), said("second", "2")])
        for name in ADDRESSABLE:
            assert store.get_conversation(name).title == name
            assert [each.id for each in store.messages(name)] == [name, "2"]
            store.set_feedback(name, name, convostore.Feedback(rating="bad", comment=name))
            assert store.list_messages(name).items[0].feedback.comment == name
            store.set_feedback(name, name, None)
            store.update_conversation(name, title=None, pinned=True)
            store.delete_message(name, "2")
            (left,) = store.messages(name)
            assert (left.id, left.feedback) == (name, None)
            (hit,) = store.search("first", conversation_id=name).items
            assert hit.conversation.id == name
        for name in ADDRESSABLE:
            store.delete_conversation(name)
        assert list(store.conversations()) == []


@pytest.mark.parametrize("name", [".", "..", "a lone surrogate \ud800 inside"])
def test_an_id_that_no_address_can_carry_is_refused_and_nothing_is_sent(name, memory):
    backend = Backend(ADDRESS, service=memory)
    with closing(backend.open()) as store:
        for operation in (store.get_conversation, store.delete_conversation, store.list_messages):
            with pytest.raises(InvalidError):
                operation(name)
        with pytest.raises(InvalidError):
            store.delete_message("c", name)
    assert backend.requests == []


def test_texts_that_are_no_unicode_are_kept(memory):
    with opened(memory) as store:
        store.create_conversation(id="c", title="half \ud83c")
        sent = said("half \ud83c and NUL \x00", "m")
        assert store.append_messages("c", [sent]) == (sent,)
        assert store.get_conversation("c").title == "half \ud83c"
        (hit,) = store.search("half NUL").items
        assert hit.message == sent


PAIR = "\ud83d\ude00"
"""Two lone surrogates, which most JSON parsers join to one character."""


@pytest.mark.rim
def test_two_surrogates_that_make_a_pair_stay_two_over_a_socket():
    sent = Message(
        id="m",
        role="user",
        parts=(TextPart(text=f"moon {PAIR}"), TextPart(text="\U0001f600 \u200c")),
        raw={PAIR: [PAIR]},
    )
    with served("memory://") as url, convostore.open(f"gateway+{url}") as store:
        metadata = {PAIR: [PAIR, {"\U0001f600": 1}]}
        made = store.create_conversation(id="c", title=PAIR, owner=f"ann {PAIR}", metadata=metadata)
        assert store.append_messages("c", [sent]) == (sent,)
        assert store.get_message("c", "m") == sent
        assert store.update_message("c", sent, was=sent) == sent
        assert tuple(store.messages("c")) == (sent,)
        for read in (made, store.get_conversation("c"), *store.conversations()):
            assert (read.title, read.owner, read.metadata) == (PAIR, f"ann {PAIR}", metadata)
        (hit,) = store.search("moon").items
        assert hit.message == sent
        store.create_conversation(id="d", metadata={PAIR: 1})  # in a key alone
        assert store.get_conversation("d").metadata == {PAIR: 1}
        assert store.pop_message("c", tip="m") == sent
        store.update_conversation("c", metadata={PAIR: None, "\U0001f600": PAIR})
        assert store.get_conversation("c").metadata == {"\U0001f600": PAIR}


def test_a_forks_origin_is_the_store_behind(memory):
    with opened(memory) as store:
        store.create_conversation(id="c", title="Tides")
        messages = store.append_messages("c", [said(f"{n}", f"m{n}") for n in range(5)])
        for place in (0, 2, 4):
            fork = store.fork_conversation("c", f"m{place}")
            assert tuple(store.messages(fork.id)) == messages[: place + 1]
            assert fork.title == "Tides"
            assert fork.origin == Origin(store="memory://", conversation_id="c")
            assert store.get_conversation(fork.id) == fork


# Replies, over a socket


@pytest.fixture(scope="module")
def answering() -> Iterator[str]:
    with served("echo://") as url:
        yield f"gateway+{url}"


@pytest.mark.rim
def test_a_reply_streams_is_found_again_and_resumed(answering):
    with convostore.open(answering) as store:
        with store.stream_reply(None, "think of tides") as stream:
            events = list(stream)
        assert [each.kind for each in events if each.kind != "text_delta"] == [
            "reasoning_delta",
            "reasoning_delta",
            "reply_finished",
        ]
        assert stream.reply.text == "You said: of tides"
        ids = (stream.conversation_id, stream.turn_id)
        assert store.get_reply(*ids).message == stream.reply.message
        with store.resume_reply(*ids) as resumed:
            assert list(resumed)[-1].reply.message == stream.reply.message
        assert store.reply(ids[0], "and the moon").text == "You said: and the moon"
        assert store.suggest_questions(ids[0]) == ("Why and the moon?",)


@pytest.mark.rim
def test_an_interaction_is_answered(answering):
    with convostore.open(answering) as store:
        asking = store.reply(None, "fill in name age")
        assert asking.interaction is not None
        with pytest.raises(InvalidError, match=r"fields of the form \(age, name\), got name"):
            store.answer(asking.conversation_id, {"name": "Ada"})
        reply = store.answer(asking.conversation_id, {"name": "Ada", "age": 36})
        assert reply.turn_id == asking.turn_id
        assert reply.message.text == "You said name is Ada, age is 36."


@pytest.mark.rim
def test_a_reply_that_breaks_off_tells_what_had_arrived_and_where_to_look(answering):
    async def failing() -> UnavailableError:
        async with convostore.aopen(answering) as store:
            with pytest.raises(UnavailableError) as caught:
                await store.reply(None, "fail")
        return caught.value

    error = asyncio.run(failing())
    assert (error.adapter, error.operation) == ("gateway", "reply")
    assert error.partial.text == "You said: fail"
    with (
        convostore.open(answering) as store,
        pytest.raises(UnavailableError, match="behind") as later,
    ):
        store.get_reply(error.partial.conversation_id, error.partial.turn_id)
    assert not later.value.retryable


@pytest.mark.rim
def test_a_reply_whose_reader_leaves_is_stored_whole(answering):
    async def leaving() -> None:
        async with convostore.aopen(answering) as store:
            async with store.stream_reply(None, "a long story") as stream:
                async for event in stream:
                    if event.kind == "text_delta":
                        break
            found = await store.get_reply(stream.conversation_id, stream.turn_id)
            assert found.text == "You said: a long story"

    asyncio.run(leaving())


@pytest.mark.rim
def test_an_option_that_the_store_behind_does_not_take_is_refused(answering):
    with convostore.open(answering) as store:
        with pytest.raises(InvalidError, match="'model'"):
            store.reply(None, "Hi", model="small")
        store.check()
        assert store.reply_options == frozenset()
        with pytest.raises(InvalidError, match="'model'"):
            store.stream_reply(None, "Hi", model="small")


@pytest.mark.rim
def test_an_address_without_a_gateway_is_unavailable():
    adapter = open_adapter("gateway+http://127.0.0.1:9", retries=0)
    with (
        ConversationStore(adapter, adapter.transport()) as store,
        pytest.raises(UnavailableError) as caught,
    ):
        store.check()
    assert caught.value.retryable
