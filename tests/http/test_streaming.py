"""Streams over HTTP, on loopback: time-outs, refusals and breaks, and that a turn is sent once."""

import asyncio
import gc
import socket
import threading
import zlib
from functools import partial

import pytest

from convostore import (
    AuthError,
    ConversationStore,
    InvalidError,
    NotFoundError,
    ProtocolError,
    RateLimitError,
    StoreError,
    UnavailableError,
)
from convostore.http import Response
from convostore.testing import FACES, StoreFace
from convostore.testing.clock import AutojumpClock
from convostore.testing.wire_faults._guards import fail_on_hang, interrupt_when
from convostore.testing.wire_faults.server import (
    DELAYS,
    FAULTS,
    RefusingServer,
    redirect,
    whole_answer,
)

from ..support.naming import naming
from ..support.streams import (
    EVENTS,
    Chat,
    ChatServer,
    Speaking,
    chat,
    chunk,
    hear,
    heard,
)

pytestmark = pytest.mark.rim

PIECES = [chunk(text) for text in (b"one ", b"two ", b"three ", b"END", b"")]
WHOLE = Speaking(EVENTS, *PIECES)
PATIENCE = 60
TOLD = ["one ", "two ", "three ", "reply_finished"]
JSON = {"content-type": "application/json"}


@pytest.fixture(params=FACES)
def face(request):
    with fail_on_hang(), StoreFace(request.param) as face:
        yield face


@pytest.fixture
def clock():
    """Time that is over as soon as nothing more comes."""
    with AutojumpClock().installed() as autojump:
        yield autojump


async def broken(stream, error=StoreError):
    texts = []
    with pytest.raises(error) as caught:
        await hear(stream, texts)
    return texts, caught.value


async def closed_after(store, result):
    """Awaits a result and closes the store, whatever comes of it."""
    try:
        return await result
    finally:
        await store.aclose()


def ask(face, server, *, url=None, adapter=chat, error=None, **options):
    """Sends one turn to a running server; what was heard, and the error if there is to be one."""

    async def main():
        store = face.open(adapter(url or server.url, **options))
        stream = store.stream_reply("c", "hi", turn_id="t")
        return await closed_after(store, broken(stream, error) if error else heard(stream))

    return face.run(main())


# What goes well.


def test_a_reply_is_streamed_and_read_again_over_one_connection(face):
    server = ChatServer(WHOLE)
    with server:
        assert ask(face, server) == TOLD
    assert server.sent == ["/chat"]
    assert (server.connections, server.requests) == (1, 2)


def test_an_event_is_there_before_the_next_is_sent(face):
    gates = [threading.Event() for _ in PIECES]
    steps = [step for pair in zip(PIECES, gates, strict=True) for step in (pair[0], pair[1].wait)]
    server = ChatServer(Speaking(EVENTS, *steps))

    async def main():
        store = face.open(chat(server.url))
        texts = []
        async with store.stream_reply("c", "hi") as stream:
            for gate in gates:
                texts += [getattr(await anext(stream), "text", "")] if gate is not gates[3] else []
                if gate is gates[2]:
                    break
                gate.set()
            for gate in gates:
                gate.set()
            texts += [event.kind async for event in stream]
        await store.aclose()
        return texts

    with server:
        assert face.run(main()) == TOLD


def test_the_time_between_pieces_is_bounded_and_not_the_whole(face, clock):
    def pause():
        clock.advance(40)

    read = threading.Semaphore(0)
    steps = [step for piece in PIECES[:3] for step in (pause, piece, read.acquire)]
    server = ChatServer(Speaking(EVENTS, *steps, pause, *PIECES[3:]))

    async def main():
        store = face.open(chat(server.url, timeout=50, reply_timeout=60))
        texts = []
        async with store.stream_reply("c", "hi") as stream:
            async for event in stream:
                texts += [getattr(event, "text", event.kind)]
                read.release()
        await store.aclose()
        return texts

    with server:
        assert face.run(main()) == TOLD


def test_a_service_may_think_longer_than_other_requests_may_take(face, clock):
    server = ChatServer(Speaking(lambda: clock.advance(40), EVENTS, *PIECES))
    with server:
        assert ask(face, server, timeout=30, reply_timeout=90) == TOLD


def test_a_compressed_stream_is_read_as_it_comes(face):
    packer = zlib.compressobj(wbits=31)
    first = packer.compress(b"one ") + packer.flush(zlib.Z_SYNC_FLUSH)
    second = packer.compress(b"two three END") + packer.flush()
    gate = threading.Event()
    head = EVENTS.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    server = ChatServer(Speaking(head, chunk(first), gate.wait, chunk(second), chunk(b"")))

    async def main():
        store = face.open(chat(server.url))
        async with store.stream_reply("c", "hi") as stream:
            assert (await anext(stream)).text == "one "
            gate.set()
            assert [getattr(event, "text", event.kind) async for event in stream] == TOLD[1:]
        await store.aclose()

    with server:
        face.run(main())


def test_an_answer_that_is_not_streamed_reaches_the_decoder_whole(face):
    server = ChatServer(Response(200, JSON, b"one two three END"))
    with server:
        assert ask(face, server) == TOLD


def test_streams_do_not_count_as_requests_under_way():
    gate = threading.Event()
    server = ChatServer(Speaking(EVENTS, PIECES[0], gate.wait, *PIECES[1:]))

    async def main(face):
        store = face.open(chat(server.url, concurrency=1))
        streams = [store.stream_reply("c", "hi") for _ in range(3)]
        for stream in streams:
            await stream.__aenter__()
            await anext(stream)
        assert [conversation.id async for conversation in store.conversations()] == ["c"]
        gate.set()
        for stream in streams:
            assert [getattr(event, "text", event.kind) async for event in stream] == TOLD[1:]
        await store.aclose()

    with StoreFace("async") as face, fail_on_hang(), server:
        face.run(main(face))
    assert server.sent == ["/chat"] * 3


def test_a_hundred_and_twenty_streams_are_open_at_once():
    gate = threading.Barrier(120)
    server = ChatServer(Speaking(EVENTS, PIECES[0], gate.wait, *PIECES[1:]))

    async def main(face):
        store = face.open(chat(server.url, timeout=30))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(heard(store.stream_reply("c", "hi"))) for _ in range(120)]
        await store.aclose()
        assert [task.result() for task in tasks] == [TOLD] * 120

    with StoreFace("async") as face, fail_on_hang(), server:
        face.run(main(face))


# The trace.


def test_the_trace_is_told_of_a_stream_once_with_its_status_and_size(face):
    exchanges = []
    server = ChatServer(WHOLE)
    with server:
        ask(face, server, trace=exchanges.append)
    stream, _ = exchanges
    assert (stream.method, stream.path, stream.status) == ("POST", "/chat", 200)
    assert (stream.size, stream.error) == (len(b"one two three END"), None)


def test_the_trace_is_told_of_a_stream_that_was_left(face):
    exchanges = []
    server = ChatServer(Speaking(EVENTS, PIECES[0], then="stall"))

    async def main():
        store = face.open(chat(server.url, trace=exchanges.append))
        async with store.stream_reply("c", "hi") as stream:
            await anext(stream)
            assert exchanges == []
        assert [(exchange.status, exchange.size, exchange.error) for exchange in exchanges] == [
            (200, 4, None)
        ]
        await store.aclose()

    with server:
        face.run(main())


def test_the_trace_is_told_of_the_error_that_broke_a_stream(face):
    exchanges = []
    server = ChatServer(Speaking(EVENTS, *PIECES[:2], then="close"))
    with server:
        _, error = ask(face, server, error=UnavailableError, trace=exchanges.append)
    (stream,) = exchanges
    assert (stream.status, stream.size, stream.error) == (200, 8, error)


# What goes wrong.


@pytest.mark.parametrize("then", ["close", "reset"])
def test_a_cut_at_any_piece_leaves_what_had_arrived_and_the_turn_can_be_looked_for(face, then):
    async def main(server, arrived):
        store = face.open(chat(server.url, retries=2))
        texts, error = await broken(store.stream_reply("c", "hi"), UnavailableError)
        partial = error.partial
        # A reset may overtake what was sent before it.
        assert texts == TOLD[: min(arrived, 3)] or (then == "reset" and texts == TOLD[: len(texts)])
        assert partial.text == "".join(texts)
        assert (error.adapter, error.operation) == ("chat", "stream_reply")
        reply = await store.get_reply(partial.conversation_id, partial.turn_id)
        assert reply.text == "one two three "
        await store.aclose()

    for arrived in range(5):
        server = ChatServer(Speaking(EVENTS, *PIECES[:arrived], then=then))
        with naming(f"{arrived} pieces"), server:
            face.run(main(server, arrived))
            assert server.wait_until(server.is_left, seconds=PATIENCE)
            assert server.sent == ["/chat"]


def test_a_turn_that_never_arrived_is_not_found(face):
    server = ChatServer(WHOLE)

    async def main():
        with RefusingServer() as nobody:
            lost = face.open(chat(nobody, retries=2))
            _, error = await broken(lost.stream_reply("c", "hi"), UnavailableError)
            await lost.aclose()
        store = face.open(chat(server.url))
        with pytest.raises(NotFoundError):
            await store.get_reply(error.partial.conversation_id, error.partial.turn_id)
        await store.aclose()

    with server:
        face.run(main())
    assert server.sent == []


BROKEN = (UnavailableError, ProtocolError, RateLimitError)


def sends_one_turn_to_a_fault(face, fault, seconds):
    server = ChatServer(fault)
    limits = {"timeout": seconds, "reply_timeout": seconds, "max_body": 2**20}
    with naming(fault.name), server:
        _, error = ask(face, server, error=BROKEN, retries=2, **limits)
        assert server.wait_until(server.is_left, seconds=PATIENCE)
        assert server.sent == ["/chat"]
        assert error.partial.turn_id == "t"


def test_no_fault_of_the_wire_sends_a_turn_twice(face):
    for fault in FAULTS:
        if fault not in DELAYS:
            sends_one_turn_to_a_fault(face, fault, 60)
    gc.collect()  # what was not closed warns


def test_no_delay_sends_a_turn_twice_or_hangs(face, clock):
    for fault in DELAYS:
        sends_one_turn_to_a_fault(face, fault, 1.5)
    gc.collect()


def test_a_refusal_is_read_whole_and_is_the_error_of_its_status(face):
    body = b'{"message": "no, because of ' + b"x" * 100_000 + b'"}'
    errors = {
        400: InvalidError,
        401: AuthError,
        404: NotFoundError,
        418: ProtocolError,
        429: RateLimitError,
        500: UnavailableError,
        503: UnavailableError,
    }
    for status, error in errors.items():
        server = ChatServer(whole_answer("refused", status, body))
        exchanges = []
        with naming(status), server:
            texts, caught = ask(face, server, error=error, retries=2, trace=exchanges.append)
            assert texts == []
            assert f"POST /chat returned {status}" in str(caught)
            assert [(exchange.status, exchange.size) for exchange in exchanges] == [
                (status, len(body))
            ]
            assert server.sent == ["/chat"]


def test_a_refusal_that_breaks_off_is_told_once(face):
    head = b"HTTP/1.1 500 Broken\r\nContent-Length: 100\r\n\r\n"
    server = ChatServer(Speaking(head, b"half", then="close"))
    with server:
        _, error = ask(face, server, error=UnavailableError)
    assert str(error).count("POST /chat") == 1
    assert server.sent == ["/chat"]


def test_a_refusal_may_not_be_larger_than_other_answers(face):
    server = ChatServer(whole_answer("refused", 400, b"x" * 1000))
    with server:
        _, error = ask(face, server, error=ProtocolError, max_body=999)
    assert "larger than 999 bytes" in str(error)
    assert server.sent == ["/chat"]


def test_a_refusal_in_a_body_is_read_by_the_adapter(face):
    class Refusing(Chat):
        def failure(self, request, response):
            if response.content == b'{"code": 500}':
                return UnavailableError("the service says 500", retryable=True)
            return super().failure(request, response)

    server = ChatServer(Response(200, JSON, b'{"code": 500}'))
    with server:
        _, error = ask(
            face,
            server,
            adapter=lambda url, **options: Refusing(chat(url).dsn, chat(url, **options).options),
            error=UnavailableError,
            retries=2,
        )
    assert str(error) == "the service says 500"
    assert server.sent == ["/chat"]


def test_a_secret_that_the_service_repeats_does_not_show(face):
    key = "sk-0123456789"
    server = ChatServer(whole_answer("refused", 400, f'{{"message": "bad {key}"}}'.encode()))
    with server:
        _, error = ask(face, server, error=InvalidError, headers={"x-key": key})
    assert key not in f"{error!r} {error.detail}"


def test_a_turn_is_not_redirected(face):
    for status in (301, 302, 303, 307, 308):
        server = ChatServer(redirect(status, "/elsewhere"))
        with naming(status), server:
            _, error = ask(face, server, error=ProtocolError, retries=2)
            assert "redirected" in str(error)
            assert server.requests == 1


def test_a_service_that_falls_silent_is_given_up_after_reply_timeout(face, clock):
    server = ChatServer(Speaking(EVENTS, *PIECES[:2], then="stall"))
    with server:
        texts, error = ask(face, server, error=UnavailableError, reply_timeout=1.5, timeout=60)
        assert server.wait_until(server.is_left, seconds=PATIENCE)
    assert "1.5 s (reply_timeout)" in str(error)
    assert texts == TOLD[:2]
    assert error.partial.text == "one two "


def test_a_connection_is_given_up_after_timeout(face):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connects, and shakes no hands
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        _, error = ask(face, None, url=url, error=UnavailableError, timeout=0.1, reply_timeout=60)
    assert "within 0.1 s: check the address" in str(error)


def test_a_stream_may_bring_more_than_an_answer_that_is_read_whole(face):
    """It is not kept: Perplexica's 1.12 repeats the whole text with each piece."""
    long = "x" * 3000
    pieces = [chunk(f"{long}{number} ".encode()) for number in range(9)]
    server = ChatServer(Speaking(EVENTS, *pieces, chunk(b"END"), chunk(b"")))
    with server:
        assert len(ask(face, server, max_body=2000)) == 10


def test_a_broken_compression_is_no_answer(face):
    head = EVENTS.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    server = ChatServer(Speaking(head, chunk(b"this is none"), chunk(b"")))
    with server:
        ask(face, server, error=ProtocolError)


# Who leaves, and when.


def test_leaving_early_hangs_up(face):
    server = ChatServer(Speaking(EVENTS, *PIECES[:2], then="stall"))

    async def main():
        store = face.open(chat(server.url))
        async with store.stream_reply("c", "hi") as stream:
            await anext(stream)
        assert server.wait_until(server.is_left, seconds=PATIENCE)
        assert stream.so_far.text == "one "
        assert (await store.get_reply("c", stream.turn_id)).text == "one two three "
        await store.aclose()

    with server:
        face.run(main())
    assert server.sent == ["/chat"]


@pytest.mark.parametrize("steps", [(), (EVENTS,)])
def test_a_cancellation_hangs_up_where_the_service_stalls(steps):
    reached = threading.Event()
    server = ChatServer(Speaking(*steps, reached.set, then="stall"))

    async def main(face):
        store = face.open(chat(server.url))
        task = asyncio.create_task(heard(store.stream_reply("c", "hi")))
        await asyncio.to_thread(reached.wait)
        await cancelled(task, server)
        await store.aclose()

    with StoreFace("async") as face, fail_on_hang(), server:
        face.run(main(face))
    assert server.sent == ["/chat"]


def test_a_cancellation_between_two_pieces_hangs_up():
    server = ChatServer(Speaking(EVENTS, PIECES[0], then="stall"))

    async def main(face):
        store = face.open(chat(server.url))
        stream, arrived = store.stream_reply("c", "hi"), asyncio.Event()

        async def listen():
            async with stream:
                async for _ in stream:
                    arrived.set()

        task = asyncio.create_task(listen())
        await arrived.wait()
        await cancelled(task, server)
        assert stream.so_far.text == "one "
        await store.aclose()

    with StoreFace("async") as face, fail_on_hang(), server:
        face.run(main(face))
    assert server.sent == ["/chat"]


async def cancelled(task, server):
    """Cancels a task, which leaves its connection and no other task behind."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(server.wait_until, server.is_left, seconds=PATIENCE)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_leaving_early_leaves_no_task():
    server = ChatServer(Speaking(EVENTS, PIECES[0], then="stall"))
    complaints = []

    async def main(face):
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: complaints.append(context)
        )
        store = face.open(chat(server.url))
        async with store.stream_reply("c", "hi") as stream:
            await anext(stream)
        for _ in range(20):  # the client's own generators are closed within some turns of the loop
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await store.aclose()

    with StoreFace("async") as face, fail_on_hang(), server:
        face.run(main(face))
    assert complaints == []


def test_closing_ends_the_thread_that_waits_for_the_next_piece():
    server = ChatServer(Speaking(EVENTS, PIECES[0], then="stall"))
    waiting, errors = threading.Event(), []

    def listen(stream):
        try:
            for _ in stream:
                waiting.set()
        except InvalidError as error:
            errors.append(str(error))

    with fail_on_hang(), server:
        adapter = chat(server.url)
        with ConversationStore(adapter, adapter.transport()) as store:
            with store.stream_reply("c", "hi") as stream:
                thread = threading.Thread(target=listen, args=[stream])
                thread.start()
                waiting.wait()
            thread.join(PATIENCE)
            assert not thread.is_alive()
            assert server.wait_until(server.is_left, seconds=PATIENCE)
    assert errors == ["the reply stream is closed: so_far holds what arrived before"]


@pytest.mark.parametrize("steps", [(), (EVENTS,), (EVENTS, PIECES[0])])
def test_an_interrupt_hangs_up_wherever_the_service_stalls(steps):
    reached = threading.Event()
    server = ChatServer(Speaking(*steps, reached.set, then="stall"))
    with fail_on_hang(), server:
        adapter = chat(server.url)
        with ConversationStore(adapter, adapter.transport()) as store:
            stream = store.stream_reply("c", "hi")
            reaches = partial(reached.wait, PATIENCE)
            with interrupt_when(reaches), pytest.raises(KeyboardInterrupt), stream:
                for _ in stream:
                    pass
            assert server.wait_until(server.is_left, seconds=PATIENCE)
    assert server.sent == ["/chat"]


def test_a_stream_that_is_dropped_hangs_up():
    server = ChatServer(Speaking(EVENTS, PIECES[0], then="stall"))
    with fail_on_hang(), server:
        adapter = chat(server.url)
        with ConversationStore(adapter, adapter.transport()) as store:
            stream = store.stream_reply("c", "hi")
            next(stream.__enter__())
            del stream
            gc.collect()
            assert server.wait_until(server.is_left, seconds=PATIENCE)


def test_an_async_stream_that_is_dropped_hangs_up():
    server = ChatServer(Speaking(EVENTS, PIECES[0], then="stall"))

    async def main(face):
        store = face.open(chat(server.url))
        stream = store.stream_reply("c", "hi")
        await anext(await stream.__aenter__())
        del stream
        gc.collect()
        assert await asyncio.to_thread(server.wait_until, server.is_left, seconds=PATIENCE)
        await store.aclose()

    with StoreFace("async") as face, fail_on_hang(), server:
        face.run(main(face))


def test_a_store_that_is_closed_ends_its_streams(face):
    server = ChatServer(Speaking(EVENTS, PIECES[0], then="stall"))

    async def main():
        store = face.open(chat(server.url))
        texts, error = [], None
        try:
            async with store.stream_reply("c", "hi") as stream:
                async for event in stream:
                    texts += [event.text]
                    await store.aclose()
        except StoreError as caught:
            error = caught
        assert isinstance(error, InvalidError | UnavailableError)
        assert texts == ["one "]
        assert error.partial.text == "one "

    with server:
        face.run(main())
        assert server.wait_until(server.is_left, seconds=PATIENCE)
