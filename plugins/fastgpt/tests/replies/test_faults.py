"""Streams that are cut, stalled, garbled and left at every chunk, over a real connection."""

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import pytest
from tests.support.cases import for_each
from tests.support.naming import naming

import convostore
from convostore.errors import (
    ConflictError,
    NotFoundError,
    ProtocolError,
    StoreError,
    UnavailableError,
)
from convostore.models import Reply
from convostore.testing import FACES, Backend, StoreFace
from convostore.testing.clock import AutojumpClock
from convostore.testing.wire_faults.server import Fault, FaultServer

from ..support.service import COMPLETIONS, OPTIONS, FastGPTService
from ..support.streams import folded, outcome_of

pytestmark = pytest.mark.rim

PROMPTS = {"4.9": "think twice about it", "4.16": "look up tide"}
"""Of each of two generations, whose streams end in different orders, what is asked."""
HEAD = b"\r\n".join(
    [
        b"HTTP/1.1 200 OK",
        b"Content-Type: text/event-stream;charset=utf-8",
        b"Transfer-Encoding: chunked",
        b"",
        b"",
    ]
)
LAST = b"0\r\n\r\n"
TIMEOUT = 30.0
"""Seconds that are jumped over where a server stalls, and are more than enough elsewhere."""


@cache
def frames_of(generation):
    """Return the frames of the stream that a service of this generation answers."""
    service = FastGPTService(generation)
    backend = Backend("fastgpt+http://chat.test", service=service.handle, options=dict(OPTIONS))
    with backend.open() as store, store.stream_reply("c", PROMPTS[generation], turn_id="t") as each:
        list(each)
    (answer,) = [reply for request, reply in service.exchanges if request.path in COMPLETIONS]
    return [frame + b"\n\n" for frame in answer.content.split(b"\n\n") if frame]


def end_of(generation):
    """Return the place of the frame that is the end mark."""
    return [b"[DONE]" in frame for frame in frames_of(generation)].index(True)


def chunked(frames):
    return b"".join([b"%x\r\n%s\r\n" % (len(frame), frame) for frame in frames])


def parts_of(frames):
    events, _ = outcome_of(frames)
    return folded(events).parts


class Faulty:
    """A server that takes turns in and answers them wrongly.

    Attributes:
        asked: How often it was asked for a completion, since it was last made to fail.
    """

    def __init__(self, generation):
        self.generation = generation
        self.prompt = PROMPTS[generation]
        self.server = FaultServer(None, service=self._handle, applies_to=self._strikes)

    def fails(self, sent, then, *, arrives=True):
        """From now on answers this to every turn; nobody has taken one yet."""
        assert self.is_left()
        self.service = FastGPTService(self.generation)
        self.asked = 0
        self._arrives = arrives
        self.server.fault = Fault("a fault", sent, then)

    def _handle(self, request):
        return self.service.handle(request)

    def _strikes(self, request):
        """Let the service accept the turn and continue it, whoever reads the stream."""
        if request.path not in COMPLETIONS:
            return False
        self.asked += 1
        if self._arrives:
            self.service.handle(request)
        return True

    def is_left(self):
        """Return whether no client is connected any more."""
        return self.server.wait_until_left()

    def is_left_but_for_what_is_kept(self):
        """As `is_left`; a connection that is kept may be used again."""
        return self.server.fault.then == "keep" or self.is_left()


@contextmanager
def faulty(generation):
    made = Faulty(generation)
    with made.server as url:
        made.target = f"fastgpt+{url}"
        yield made
        assert made.is_left()
    assert not made.server.errors


@contextmanager
def failing(generation, sent, then, *, arrives=True):
    with faulty(generation) as made:
        made.fails(sent, then, arrives=arrives)
        yield made


def at_each_place(made, sent_at, then):
    """Make a server fail at each frame of its stream, one after the other: those before it.

    Args:
        made: The server.
        sent_at: What is sent of the frames, by a place among them.
        then: What the server does thereupon; see `Fault`.
    """
    for place in range(len(frames_of(made.generation))):
        made.fails(sent_at(place), then)
        yield place, frames_of(made.generation)[:place]


@dataclass
class Outcome:
    """What came of a turn: the events, the error or the reply, and what is found of it then."""

    events: list
    error: StoreError | None = None
    reply: Reply | None = None
    found: Reply | StoreError | None = None

    @property
    def partial(self):
        return self.error.partial


def options_of(more):
    return {"retries": 3, "verify": False, **OPTIONS, **more}


async def read_reply(made, store):
    """Reads a turn's reply to its end, and looks for it where that is an error."""
    outcome = Outcome([])
    stream = store.stream_reply(None, made.prompt)
    try:
        async with stream:
            async for event in stream:
                outcome.events.append(event)
        outcome.reply = stream.reply
    except StoreError as error:
        outcome.error = error
    return outcome


async def look_for(store, outcome):
    partial_reply = outcome.error.partial
    try:
        ids = (partial_reply.conversation_id, partial_reply.turn_id)
        outcome.found = await store.get_reply(*ids)
    except StoreError as missing:
        outcome.found = missing


@pytest.fixture(params=FACES)
def read(request):
    def read(made, **options):
        with StoreFace(request.param) as face:
            store = face.open(made.target, **options_of(options))
            outcome = face.run(read_reply(made, store))
            if outcome.error is not None:
                face.run(assert_nothing_is_left(made, request.param))
                face.run(look_for(store, outcome))
        return outcome

    return read


async def assert_nothing_is_left(made, face):
    if face == "sync":
        assert made.is_left_but_for_what_is_kept()
        return
    assert await asyncio.to_thread(made.is_left_but_for_what_is_kept)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@for_each("generation", PROMPTS)
@for_each("then", ["close", "reset"])
def test_a_connection_cut_at_any_chunk_says_so_and_the_turn_is_found(read, generation, then):
    def cut(place):
        return HEAD + chunked(frames_of(generation)[:place])

    with faulty(generation) as made:
        for place, frames in at_each_place(made, cut, then):
            with naming("place", place):
                outcome = read(made)
                assert isinstance(outcome.error, UnavailableError)
                assert outcome.error.operation == "stream_reply"
                assert outcome.partial.parts == folded(outcome.events).parts
                if then == "close":  # a reset may overtake what was sent before it
                    assert outcome.partial.parts == parts_of(frames)
                assert outcome.found.turn_id == outcome.partial.turn_id
                assert outcome.found.message.parts == parts_of(frames_of(generation))
                assert made.asked == 1


@for_each("generation", PROMPTS)
def test_a_stream_that_ends_at_any_chunk_before_its_end_mark_says_so(read, generation):
    def ended(place):
        return HEAD + chunked(frames_of(generation)[:place]) + LAST

    with faulty(generation) as made:
        for place, frames in at_each_place(made, ended, "keep"):
            with naming("place", place):
                outcome = read(made)
                assert made.asked == 1
                if place > end_of(generation):
                    assert outcome.reply.message.parts == parts_of(frames_of(generation))
                    continue
                assert isinstance(outcome.error, UnavailableError)
                assert "[DONE]" in str(outcome.error)
                assert outcome.partial.parts == parts_of(frames)
                assert outcome.found.message.parts == parts_of(frames_of(generation))


@for_each("generation", PROMPTS)
def test_a_stream_cut_within_a_chunk_tells_what_was_whole(read, generation):
    def cut(place):
        *frames, last = frames_of(generation)[: place + 1]
        return HEAD + chunked([*frames, last[:-9]]) + LAST

    with faulty(generation) as made:
        for place, frames in at_each_place(made, cut, "keep"):
            with naming("place", place):
                outcome = read(made)
                if place > end_of(generation):
                    assert outcome.reply.message.parts == parts_of(frames_of(generation))
                    continue
                assert isinstance(outcome.error, UnavailableError)
                assert outcome.partial.parts == parts_of(frames)


def test_a_stream_that_stalls_at_any_chunk_is_given_up(read):
    def stalled(place):
        return HEAD + chunked(frames_of("4.16")[:place])

    with AutojumpClock().installed(), faulty("4.16") as made:
        for place, frames in at_each_place(made, stalled, "stall"):
            with naming("place", place):
                outcome = read(made, reply_timeout=TIMEOUT)
                assert isinstance(outcome.error, UnavailableError)
                assert "reply_timeout" in str(outcome.error)
                assert outcome.partial.parts == parts_of(frames)
                assert outcome.found.message.parts == parts_of(frames_of("4.16"))
                assert made.asked == 1


@for_each("generation", PROMPTS)
def test_a_stream_that_is_garbled_at_any_chunk_is_a_protocol_error(read, generation):
    def garbled(place):
        frames = [*frames_of(generation)]
        frames[place] = b"event: answer\ndata: {\xff garbled\n\n"
        return HEAD + chunked(frames) + LAST

    with faulty(generation) as made:
        for place, frames in at_each_place(made, garbled, "keep"):
            with naming("place", place):
                outcome = read(made)
                assert isinstance(outcome.error, ProtocolError)
                assert "garbled" in outcome.error.excerpt
                assert outcome.partial.parts == parts_of(frames)
                assert outcome.found.message.parts == parts_of(frames_of(generation))
                assert made.asked == 1


@for_each("then", ["close", "reset", "stall"])
def test_a_turn_that_never_arrived_is_not_found(read, then):
    with AutojumpClock().installed(), failing("4.16", b"", then, arrives=False) as made:
        outcome = read(made, reply_timeout=TIMEOUT)
    assert isinstance(outcome.error, UnavailableError)
    assert outcome.partial.parts == ()
    assert isinstance(outcome.found, NotFoundError)
    assert made.asked == 1


def test_a_refusal_without_a_content_type_is_the_error_it_tells(read):
    body = b'event: error\ndata: {"code":504001,"statusText":"chatIsGenerating","message":"x"}\n\n'
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with failing("4.16", head + chunked([body]) + LAST, "keep", arrives=False) as made:
        outcome = read(made)
    assert isinstance(outcome.error, ConflictError)
    assert made.asked == 1


def test_a_stream_that_goes_well_leaves_a_connection_that_is_used_again(read):
    with failing("4.16", HEAD + chunked(frames_of("4.16")) + LAST, "keep") as made:
        outcome = read(made)
        assert made.server.connections == 1
    assert outcome.reply.message.parts == parts_of(frames_of("4.16"))


def sent_in_part(place):
    return HEAD + chunked(frames_of("4.16")[:place])


def test_a_stream_that_is_left_at_any_chunk_leaves_nothing_open():
    with faulty("4.16") as made:
        for place, _ in at_each_place(made, sent_in_part, "stall"):
            with naming("place", place):
                if place == 0:  # nothing of it comes that could be read
                    continue
                with convostore.open(made.target, **options_of({})) as store:
                    with store.stream_reply(None, made.prompt) as stream:
                        next(stream, None)
                    assert made.is_left()
                    found = store.get_reply(stream.conversation_id, stream.turn_id)
                assert found.message.parts == parts_of(frames_of("4.16"))


def test_a_cancelled_stream_leaves_no_task_and_no_connection():
    with faulty("4.16") as made:
        for place, frames in at_each_place(made, sent_in_part, "stall"):
            with naming("place", place):
                if place > 0:
                    with StoreFace("async") as face:
                        face.run(cancelled_after(made, len(outcome_of(frames)[0])))


async def cancelled_after(made, count):
    """Cancel the reading of a stream that has told so many events."""
    seen = asyncio.Semaphore(0)

    async def read(store):
        async with store.stream_reply(None, made.prompt) as stream:
            async for _ in stream:
                seen.release()

    async with convostore.aopen(made.target, **options_of({})) as store:
        task = asyncio.create_task(read(store))
        for _ in range(count):
            await seen.acquire()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await assert_nothing_is_left(made, "async")
