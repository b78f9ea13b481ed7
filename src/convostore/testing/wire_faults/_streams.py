"""Checks of a streamed reply that fails on the wire, at each of its pieces.

The stand-in's own response is sent up to a place and then ends, resets, stalls or turns to garbage.
`FaultContract` has the tests; here is what they run.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import quote

import pytest

from ...adapters import Operation, ReplyAccumulator
from ...errors import StoreError, UnavailableError
from ...http import Request, Response
from ...models import Message
from ...store import AsyncConversationStore
from .._assertions import NotOffered, collect, read_stream
from .._backend import Backend, Kit
from ..clauses._reply_helpers import accumulate, finished_reply, is_beginning
from ._cuts import (
    CUT_KINDS,
    CutKind,
    CutPoint,
    cut_points,
    cut_response,
    garbled_response,
    split_pieces,
)
from ._fixture import FaultFixture
from ._guards import LONG, SHORT, assert_no_secret_shows, fail_on_hang, interrupt_when
from .server import Fault, FaultServer

if TYPE_CHECKING:
    from ...models import Reply, ReplyEvent
    from ...store import AsyncReplyStream

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

StreamCheck: TypeAlias = Callable[["StreamedReply", FaultServer, Kit], Coroutine[Any, Any, None]]

_ERRORS: Final[Mapping[tuple[CutKind, bool], type[StoreError]]] = {
    (breaking, in_the_middle): UnavailableError
    for breaking in CUT_KINDS
    for in_the_middle in (False, True)
} | {("end", True): StoreError}
"""The error of each cut, after a piece and in its middle; half a piece may be unreadable."""


@dataclass(frozen=True)
class StreamedReply:
    """A streamed reply as a stand-in gives it.

    Attributes:
        fixture: The service that it comes from.
        request: The request for it.
        content: Its body.
        conversation_id: The conversation of its turn.
        turn_id: Its turn.
        begun: Set when a broken stream has returned an event.
    """

    fixture: FaultFixture
    request: Request
    content: bytes
    conversation_id: str
    turn_id: str | None
    begun: threading.Event = field(default_factory=threading.Event)

    def has_begun(self) -> bool:
        """Wait until a stream has brought an event, and return whether one has."""
        return self.begun.wait(LONG)

    def stream(self, store: AsyncConversationStore) -> AsyncReplyStream:
        """Return the stream of the same question, asked in a new turn."""
        return self.fixture.stream(store)

    def is_asked_by(self, stream: AsyncReplyStream, request: Request) -> bool:
        """Return whether a request is the one for a stream."""
        ids = (stream.conversation_id, stream.turn_id)
        return _shape(request, *ids) == _shape(self.request, self.conversation_id, self.turn_id)


def _shape(request: Request, *ids: str | None) -> tuple[str, str]:
    shape = request.path
    for id_ in filter(None, ids):
        shape = shape.replace(quote(id_, safe=""), "{}")
    return request.method, shape


async def record_streamed_reply(backend: Backend, fixture: FaultFixture) -> StreamedReply:
    """Read a streamed reply, and return its request and its response.

    Raises:
        NotOffered: No reply streams, or nothing makes one.
    """
    if Operation.STREAM_REPLY not in fixture.operations:
        raise NotOffered("stream_reply is not offered, or nothing makes it answer")
    kit = Kit(backend, "sync")
    try:
        backend.streamed.clear()
        stream = fixture.stream(kit.open())
        await read_stream(stream)
    finally:
        await kit.close()
    ((request, response),) = backend.streamed
    return StreamedReply(fixture, request, response.content, stream.conversation_id, stream.turn_id)


@dataclass
class _Outcome:
    """A stream that was read: its events, and how it ended."""

    stream: AsyncReplyStream
    seen: ReplyAccumulator
    error: StoreError | None = None
    reply: Reply | None = None


async def _read_with_fault(
    streamed: StreamedReply,
    server: FaultServer,
    store: AsyncConversationStore,
    fault: Callable[[Response], Fault],
) -> _Outcome:
    """Read a stream whose request meets a fault, and check that it was sent once."""
    stream = streamed.stream(store)
    outcome = _Outcome(stream, ReplyAccumulator())
    before = len(server.faulted)
    server.applies_to, server.fault = partial(streamed.is_asked_by, stream), fault
    try:
        async with stream:
            async for event in stream:
                outcome.seen.add(event)
        outcome.reply = stream.reply
    except StoreError as error:
        outcome.error = error
    assert server.wait_until(lambda: len(server.faulted) > before, seconds=LONG), (
        "no request was sent"
    )
    server.fault = None
    assert len(server.faulted) == before + 1, "it was sent twice"
    return outcome


async def _stored_message(store: AsyncConversationStore, outcome: _Outcome) -> Message:
    """Return the message that the service has stored for a stream."""
    conversation_id, turn_id = outcome.stream.conversation_id, outcome.stream.turn_id
    if turn_id is not None and store.offers(Operation.GET_REPLY):
        return (await store.get_reply(conversation_id, turn_id)).message
    return (await collect(store.messages(conversation_id)))[-1]


async def check_cut(
    streamed: StreamedReply, server: FaultServer, kit: Kit, *, breaking: CutKind
) -> None:
    """Check at every place: an error with what had arrived, or nothing was missing."""
    patience = SHORT if breaking == "stall" else LONG
    store = kit.open(timeout=LONG, reply_timeout=patience, retries=2)
    for place in cut_points(streamed.content):
        with fail_on_hang():
            fault = partial(cut_response, place=place, breaking=breaking)
            outcome = await _read_with_fault(streamed, server, store, fault)
            stored = await _stored_message(store, outcome)
            if outcome.error is None:
                assert outcome.seen.parts == stored.parts, f"{place}: taken for whole"
            else:
                expected = _ERRORS[breaking, place.in_the_middle]
                assert isinstance(outcome.error, expected), f"{place}: {outcome.error!r}"
                _assert_it_tells_what_had_arrived(kit, outcome, stored)


async def check_garbled(streamed: StreamedReply, server: FaultServer, kit: Kit) -> None:
    """Check at every place: an error with what had arrived, or the whole stored reply."""
    store = kit.open(timeout=LONG, reply_timeout=LONG, retries=2)
    for place in cut_points(streamed.content):
        with fail_on_hang():
            fault = partial(garbled_response, place=place)
            outcome = await _read_with_fault(streamed, server, store, fault)
            stored = await _stored_message(store, outcome)
            if outcome.reply is not None:
                assert outcome.reply.message.portable() == stored.portable(), place
                assert outcome.seen.parts == stored.parts, f"{place}: lost without a word"
            else:
                _assert_it_tells_what_had_arrived(kit, outcome, stored)


def _assert_it_tells_what_had_arrived(kit: Kit, outcome: _Outcome, stored: Message) -> None:
    assert outcome.error is not None
    partial_reply = outcome.error.partial
    assert partial_reply is not None
    ids = (partial_reply.conversation_id, partial_reply.turn_id)
    assert ids == (outcome.stream.conversation_id, outcome.stream.turn_id)
    assert partial_reply.parts == outcome.seen.parts
    assert partial_reply.sources == outcome.seen.sources
    assert is_beginning(stored.parts, partial_reply.parts)
    assert outcome.error.operation == Operation.STREAM_REPLY
    assert_no_secret_shows(kit, outcome.error)


def _stall_at_end(streamed: StreamedReply, server: FaultServer, stream: AsyncReplyStream) -> None:
    """Let a stream stall after all its pieces, so that no end comes."""
    place = CutPoint(len(split_pieces(streamed.content)))
    server.applies_to = partial(streamed.is_asked_by, stream)
    server.fault = partial(cut_response, place=place, breaking="stall")


async def check_left(streamed: StreamedReply, server: FaultServer, kit: Kit) -> None:
    """Check that leaving a stream closes its connection, and the store works on."""
    store = kit.open(timeout=LONG, reply_timeout=LONG, retries=2)
    stream = streamed.stream(store)
    _stall_at_end(streamed, server, stream)
    async with stream:
        seen = await anext(stream)
    await _assert_it_goes_on(store, server, _Outcome(stream, accumulate([seen])))


async def check_cancelled(streamed: StreamedReply, server: FaultServer, kit: Kit) -> None:
    """Check that a cancelled task leaves a store that works; on the async face only."""
    store = kit.open(timeout=LONG, reply_timeout=LONG, retries=2)
    stream = streamed.stream(store)
    _stall_at_end(streamed, server, stream)
    task = asyncio.create_task(_read_and_signal(streamed, stream))
    await asyncio.to_thread(streamed.begun.wait, LONG)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        await _assert_it_goes_on(store, server, _Outcome(stream, accumulate([])))
    else:
        raise AssertionError("a cancelled task must end, got a result")


async def check_interrupted(streamed: StreamedReply, server: FaultServer, kit: Kit) -> None:
    """Check that Ctrl-C leaves a store that works; on the async face it ends the loop."""
    store = kit.open(timeout=LONG, reply_timeout=LONG, retries=2)
    stream = streamed.stream(store)
    _stall_at_end(streamed, server, stream)
    if kit.face == "async":
        await _read_and_signal(streamed, stream)
    with interrupt_when(streamed.has_begun), pytest.raises(KeyboardInterrupt):
        await _read_and_signal(streamed, stream)
    await _assert_it_goes_on(store, server, _Outcome(stream, accumulate([])))


async def _read_and_signal(streamed: StreamedReply, stream: AsyncReplyStream) -> None:
    """Read a stream, and set `begun` after its first event."""
    async with stream:
        await anext(stream)
        streamed.begun.set()
        await collect(stream)


async def _assert_it_goes_on(
    store: AsyncConversationStore, server: FaultServer, outcome: _Outcome
) -> None:
    assert server.wait_until(lambda: server.ended == len(server.faulted), seconds=LONG), (
        "the connection is left open"
    )
    assert len(server.faulted) == 1
    server.fault = None
    stored = await _stored_message(store, outcome)
    assert is_beginning(stored.parts, outcome.seen.parts)


async def check_no_mixing(streamed: StreamedReply, server: FaultServer, kit: Kit) -> None:
    """Check several streams at a time, each over its own connection."""
    store = kit.open(timeout=LONG, reply_timeout=LONG, retries=0, concurrency=2)
    texts = [f"question {number}" for number in range(8)]

    def sending(text: str) -> Callable[[], Awaitable[list[ReplyEvent]]]:
        options = streamed.fixture.options
        return lambda: read_stream(store.stream_reply(None, text, **options))

    read = await kit.gather([sending(text) for text in texts])
    for text, events in zip(texts, read, strict=True):
        reply = finished_reply(events)
        assert accumulate(events).parts == reply.message.parts
        question, answer = await collect(store.messages(reply.conversation_id))
        assert (question.text, answer.text) == (text, reply.text)
    assert not server.faulted
