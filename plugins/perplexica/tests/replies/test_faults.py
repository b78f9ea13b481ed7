"""Streams that a server cuts, stalls or garbles, at every piece: the right error, and what came.

A turn is never sent twice; the ids that were chosen beforehand tell later what became of it.
"""

from contextlib import contextmanager

import pytest
from tests.support.cases import for_each
from tests.support.naming import naming

import convostore
from convostore.adapters import ReplyAccumulator
from convostore.http import Response
from convostore.testing.clock import AutojumpClock
from convostore.testing.wire_faults.server import FaultServer
from convostore_perplexica.replies.decoder import ChatDecoder

from ..support.service import SHAPES, ChatsService, answer_to
from ..support.streams import PIECEWISE, recorded
from ..support.turns import Replayed, streaming

pytestmark = pytest.mark.rim

CASES = [case for case in PIECEWISE if case.endswith("stream_kcc_raw_chunks")]
TIMEOUT = 30.0
"""Seconds that are jumped over where a server stalls, and are more than enough elsewhere."""
QUESTION = "What is a tide, and why does it come twice a day and not once, as the moon does?"
GARBAGE = b'{"type":"message","data":"\xff'


def told_by(chunks):
    """Return what a stream's pieces add up to."""
    decoder, draft = ChatDecoder(), ReplyAccumulator()
    for chunk in chunks:
        for event in decoder.feed(chunk):
            draft.add(event)
    return draft


class Breaking:
    """A server whose streams go wrong, each turn's in a way of its own."""

    def __init__(self, talk, case):
        self._talk = talk
        self._case = case
        self.server = FaultServer(None, service=lambda request: self._service(request))

    def broken(self, chunks, then, **options):
        """Send a turn whose stream fails, and return the error once no client is connected."""
        self._service = service = Replayed(self._case, stream=streaming(chunks, then))
        with self._talk(self.url, **options) as store:
            with pytest.raises(convostore.StoreError) as caught:
                store.read_stream("stream_reply", **service.turn)
            error = caught.value
            assert error.partial.conversation_id == service.turn["conversation_id"]
            assert error.partial.turn_id == service.turn["turn_id"]
            assert len(service.sent) == 1
        assert self.server.wait_until_left()
        return error


@contextmanager
def breaking(talk, case):
    made = Breaking(talk, case)
    with made.server as made.url:
        yield made
    assert made.server.errors == []


def at_each_place(talk, case):
    """Yield a server, the chunks of a recorded stream and a place among them, for each of these."""
    chunks = recorded(case).chunks
    with breaking(talk, case) as server:
        for place in range(len(chunks)):
            yield server, chunks, place


def assert_told(error, chunks):
    """Check that the error's partial reply has all that was sent."""
    draft = told_by(chunks)
    assert error.partial.parts == draft.parts
    assert error.partial.sources == draft.sources


def assert_told_in_part(error, chunks):
    """Check that the partial reply has the first pieces: a reset may overtake the others."""
    told = [told_by(chunks[:place]) for place in range(len(chunks) + 1)]
    assert (error.partial.parts, error.partial.sources) in [(d.parts, d.sources) for d in told]


@for_each("case", CASES)
@for_each("then", ["end", "close"])
def test_a_stream_that_is_cut_is_unavailable_with_what_had_come(case, then, talk):
    for server, chunks, place in at_each_place(talk, case):
        with naming("place", place):
            error = server.broken(chunks[:place], then)
            assert type(error) is convostore.UnavailableError
            assert_told(error, chunks[:place])
            if then == "end":
                assert "broke off" in str(error)


@for_each("case", CASES)
def test_a_connection_that_is_reset_is_unavailable_with_a_beginning_of_it(case, talk):
    for server, chunks, place in at_each_place(talk, case):
        with naming("place", place):
            error = server.broken(chunks[:place], "reset")
            assert type(error) is convostore.UnavailableError
            assert_told_in_part(error, chunks[:place])


@for_each("case", CASES)
def test_a_stream_that_stalls_is_unavailable_and_names_its_own_time_out(case, talk):
    with AutojumpClock().kept():
        for server, chunks, place in at_each_place(talk, case):
            with naming("place", place):
                error = server.broken(chunks[:place], "stall", reply_timeout=TIMEOUT)
                assert type(error) is convostore.UnavailableError
                assert "reply_timeout" in str(error)
                assert_told(error, chunks[:place])


@for_each("case", CASES)
def test_a_garbled_stream_is_a_protocol_error_with_what_had_come(case, talk):
    for server, chunks, place in at_each_place(talk, case):
        with naming("place", place):
            error = server.broken([*chunks[:place], GARBAGE, *chunks[place:]], "end")
            assert type(error) is convostore.ProtocolError
            assert "stream" in str(error)
            assert_told(error, chunks[:place])


def stalled():
    return [case for case in PIECEWISE if recorded(case).ended.startswith("silence")]


@for_each("case", stalled)
def test_a_model_that_failed_is_a_silence_that_times_out(case, talk):
    chunks = recorded(case).chunks
    with AutojumpClock().kept(), breaking(talk, case) as server:
        error = server.broken(chunks, "stall", reply_timeout=TIMEOUT)
    assert type(error) is convostore.UnavailableError
    assert "reply_timeout" in str(error)
    assert_told(error, chunks)


class Cutting:
    """The stand-in of the service behind a line that breaks after some lines of each stream."""

    def __init__(self, shape):
        self.service = ChatsService(shape)
        self.lines = 0
        self.of_all = 1

    def __call__(self, request):
        answer = self.service.handle(request)
        if request.path != "/api/chat":
            return answer
        rows = answer.content.splitlines(keepends=True)
        self.of_all = len(rows)
        return streaming(rows[: self.lines], "close")


@for_each("shape", SHAPES)
def test_a_turn_whose_stream_was_lost_is_found_by_the_ids_of_the_error(shape, talk):
    cutting = Cutting(shape)
    server = FaultServer(None, service=cutting)
    with server as url, talk(url) as store:
        while cutting.lines < cutting.of_all:
            with pytest.raises(convostore.UnavailableError) as caught:
                store.call("reply", None, QUESTION)
            lost = caught.value.partial
            reply = store.call("get_reply", lost.conversation_id, lost.turn_id)
            assert reply.text == answer_to(QUESTION)[1]
            assert reply.text.startswith(lost.text)
            cutting.lines += 1
    assert server.errors == []
    turns = [body["message"]["messageId"] for body in cutting.service.received]
    assert len(set(turns)) == len(turns) == cutting.of_all > 5


def test_a_refused_turn_leaves_no_connection_open(talk):
    refusal = Response(500, {"content-type": "application/json"}, b'{"message": "An error"}')
    service = Replayed("next-1.12.1/chat_calc", stream=refusal)
    server = FaultServer(None, service=service)
    with server as url:
        with talk(url) as store, pytest.raises(convostore.UnavailableError):
            store.read_stream("stream_reply", **service.turn)
        assert server.wait_until_left()
