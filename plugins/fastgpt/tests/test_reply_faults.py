"""Streams that are cut, stalled, garbled and left at every chunk, over a real connection."""

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

import convostore
from convostore.errors import (
    ConflictError,
    NotFoundError,
    ProtocolError,
    StoreError,
    UnavailableError,
)
from convostore.replies import Reply
from convostore.testing import Backend
from convostore.testing.fault_server import Fault, FaultServer

from .service import COMPLETIONS, OPTIONS, FastGPTService
from .streams import folded, outcome_of

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


def frames_of(generation):
    """The frames of the stream that a service of this generation answers."""
    service = FastGPTService(generation)
    backend = Backend("fastgpt+http://chat.test", service=service.handle, options=dict(OPTIONS))
    with backend.open() as store, store.stream_reply("c", PROMPTS[generation], turn_id="t") as each:
        list(each)
    (answer,) = [reply for request, reply in service.exchanges if request.path in COMPLETIONS]
    return [frame + b"\n\n" for frame in answer.content.split(b"\n\n") if frame]


FRAMES = {generation: frames_of(generation) for generation in PROMPTS}
END = {
    generation: [b"[DONE]" in frame for frame in frames].index(True)
    for generation, frames in FRAMES.items()
}
PLACES = [(generation, place) for generation in PROMPTS for place in range(len(FRAMES[generation]))]


def chunked(frames):
    return b"".join([b"%x\r\n%s\r\n" % (len(frame), frame) for frame in frames])


def parts_of(frames):
    events, _ = outcome_of(frames)
    return folded(events).parts


class Faulty:
    """A server that takes turns in and answers them wrongly.

    Attributes:
        asked: How often it was asked for a completion.
    """

    def __init__(self, generation, fault, *, arrives):
        self.prompt = PROMPTS[generation]
        self.service = FastGPTService(generation)
        self.asked = 0
        self._arrives = arrives
        self.server = FaultServer(fault, service=self.service.handle, strikes=self._strikes)

    def _strikes(self, request):
        """The service takes the turn in and goes on with it, whoever reads what it says."""
        if request.path not in COMPLETIONS:
            return False
        self.asked += 1
        if self._arrives:
            self.service.handle(request)
        return True

    def is_left(self):
        """Whether no client is connected; a connection that is kept may be used again."""
        return self.server.fault.then == "keep" or self.server.wait_until_left()


@contextmanager
def faulty(generation, sent, then, *, arrives=True):
    made = Faulty(generation, Fault("a fault", sent, then), arrives=arrives)
    with made.server as url:
        made.target = f"fastgpt+{url}"
        yield made
        assert made.server.wait_until_left()
    assert not made.server.errors


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


def read_sync(made, **options):
    """Reads a turn's reply to its end, and looks for it where that is an error."""
    outcome = Outcome([])
    with convostore.open(made.target, **options_of(options)) as store:
        try:
            with store.stream_reply(None, made.prompt) as stream:
                for event in stream:
                    outcome.events.append(event)
            outcome.reply = stream.reply
        except StoreError as error:
            assert made.is_left()
            outcome.error = error
            try:
                ids = (error.partial.conversation_id, error.partial.turn_id)
                outcome.found = store.get_reply(*ids)
            except StoreError as missing:
                outcome.found = missing
    return outcome


def read_async(made, **options):
    async def carry_out():
        outcome = Outcome([])
        async with convostore.aopen(made.target, **options_of(options)) as store:
            try:
                async with store.stream_reply(None, made.prompt) as stream:
                    async for event in stream:
                        outcome.events.append(event)
                outcome.reply = stream.reply
            except StoreError as error:
                await assert_nothing_is_left(made)
                outcome.error = error
                try:
                    ids = (error.partial.conversation_id, error.partial.turn_id)
                    outcome.found = await store.get_reply(*ids)
                except StoreError as missing:
                    outcome.found = missing
        return outcome

    return asyncio.run(carry_out())


async def assert_nothing_is_left(made):
    assert await asyncio.to_thread(made.is_left)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.fixture(params=[read_sync, read_async], ids=["sync", "async"])
def read(request):
    return request.param


@pytest.mark.parametrize("then", ["close", "reset"])
@pytest.mark.parametrize(("generation", "place"), PLACES)
def test_a_connection_cut_at_any_chunk_says_so_and_the_turn_is_found(read, generation, place, then):
    frames = FRAMES[generation][:place]
    with faulty(generation, HEAD + chunked(frames), then) as made:
        outcome = read(made)
    assert isinstance(outcome.error, UnavailableError)
    assert outcome.error.operation == "stream_reply"
    assert outcome.partial.parts == folded(outcome.events).parts
    if then == "close":  # a reset may overtake what was sent before it
        assert outcome.partial.parts == parts_of(frames)
    assert outcome.found.turn_id == outcome.partial.turn_id
    assert outcome.found.message.parts == parts_of(FRAMES[generation])
    assert made.asked == 1


@pytest.mark.parametrize(("generation", "place"), PLACES)
def test_a_stream_that_ends_at_any_chunk_before_its_end_mark_says_so(read, generation, place):
    frames = FRAMES[generation][:place]
    with faulty(generation, HEAD + chunked(frames) + LAST, "keep") as made:
        outcome = read(made)
    if place > END[generation]:
        assert outcome.reply.message.parts == parts_of(FRAMES[generation])
        return
    assert isinstance(outcome.error, UnavailableError)
    assert "[DONE]" in str(outcome.error)
    assert outcome.partial.parts == parts_of(frames)
    assert outcome.found.message.parts == parts_of(FRAMES[generation])
    assert made.asked == 1


@pytest.mark.parametrize(("generation", "place"), PLACES)
def test_a_stream_cut_within_a_chunk_tells_what_was_whole(read, generation, place):
    frames, half = FRAMES[generation][:place], FRAMES[generation][place][:-9]
    with faulty(generation, HEAD + chunked([*frames, half]) + LAST, "keep") as made:
        outcome = read(made)
    if place > END[generation]:
        assert outcome.reply.message.parts == parts_of(FRAMES[generation])
        return
    assert isinstance(outcome.error, UnavailableError)
    assert outcome.partial.parts == parts_of(frames)


@pytest.mark.parametrize("place", range(len(FRAMES["4.16"])))
def test_a_stream_that_stalls_at_any_chunk_is_given_up(read, place):
    frames = FRAMES["4.16"][:place]
    with faulty("4.16", HEAD + chunked(frames), "stall") as made:
        outcome = read(made, reply_timeout=0.25)
    assert isinstance(outcome.error, UnavailableError)
    assert "reply_timeout" in str(outcome.error)
    assert outcome.partial.parts == parts_of(frames)
    assert outcome.found.message.parts == parts_of(FRAMES["4.16"])
    assert made.asked == 1


@pytest.mark.parametrize(("generation", "place"), PLACES)
def test_a_stream_that_is_garbled_at_any_chunk_is_a_protocol_error(read, generation, place):
    frames = [*FRAMES[generation]]
    frames[place] = b"event: answer\ndata: {\xff garbled\n\n"
    with faulty(generation, HEAD + chunked(frames) + LAST, "keep") as made:
        outcome = read(made)
    assert isinstance(outcome.error, ProtocolError)
    assert "garbled" in outcome.error.excerpt
    assert outcome.partial.parts == parts_of(frames[:place])
    assert outcome.found.message.parts == parts_of(FRAMES[generation])
    assert made.asked == 1


@pytest.mark.parametrize("then", ["close", "reset", "stall"])
def test_a_turn_that_never_arrived_is_not_found(read, then):
    with faulty("4.16", b"", then, arrives=False) as made:
        outcome = read(made, reply_timeout=0.25)
    assert isinstance(outcome.error, UnavailableError)
    assert outcome.partial.parts == ()
    assert isinstance(outcome.found, NotFoundError)
    assert made.asked == 1


def test_a_refusal_without_a_content_type_is_the_error_it_tells(read):
    body = b'event: error\ndata: {"code":504001,"statusText":"chatIsGenerating","message":"x"}\n\n'
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with faulty("4.16", head + chunked([body]) + LAST, "keep", arrives=False) as made:
        outcome = read(made)
    assert isinstance(outcome.error, ConflictError)
    assert made.asked == 1


def test_a_stream_that_goes_well_leaves_a_connection_that_is_used_again(read):
    with faulty("4.16", HEAD + chunked(FRAMES["4.16"]) + LAST, "keep") as made:
        outcome = read(made)
        assert made.server.connections == 1
    assert outcome.reply.message.parts == parts_of(FRAMES["4.16"])


@pytest.mark.parametrize("place", range(1, len(FRAMES["4.16"])))
def test_a_stream_that_is_left_at_any_chunk_leaves_nothing_open(place):
    sent = HEAD + chunked(FRAMES["4.16"][:place])
    with faulty("4.16", sent, "stall") as made:
        with convostore.open(made.target, **options_of({})) as store:
            with store.stream_reply(None, made.prompt) as stream:
                next(stream, None)
            assert made.is_left()
            found = store.get_reply(stream.conversation_id, stream.turn_id)
        assert found.message.parts == parts_of(FRAMES["4.16"])


@pytest.mark.parametrize("place", range(1, len(FRAMES["4.16"])))
def test_a_cancelled_stream_leaves_no_task_and_no_connection(place):
    sent = HEAD + chunked(FRAMES["4.16"][:place])
    expected = len(outcome_of(FRAMES["4.16"][:place])[0])

    async def carry_out(made):
        seen = asyncio.Semaphore(0)

        async def read(store):
            async with store.stream_reply(None, made.prompt) as stream:
                async for _ in stream:
                    seen.release()

        async with convostore.aopen(made.target, **options_of({})) as store:
            task = asyncio.create_task(read(store))
            for _ in range(expected):
                await seen.acquire()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await assert_nothing_is_left(made)

    with faulty("4.16", sent, "stall") as made:
        asyncio.run(carry_out(made))
