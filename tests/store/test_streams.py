"""Streams of both faces: what is handed out and when, what an error takes along, what is closed."""

import asyncio
import gc
import threading
import weakref
from dataclasses import replace
from functools import partial

import pytest

from convostore import (
    DSN,
    AsyncConversationStore,
    ConflictError,
    ConversationStore,
    InvalidError,
    Message,
    NotFoundError,
    StoreError,
    TextPart,
    UnavailableError,
    UnsupportedError,
)
from convostore.adapters import Decoder
from convostore.adapters.echo import EchoAdapter
from convostore.models import OtherEvent, ReasoningDelta, Reply, ReplyFinished, TextDelta
from convostore.testing import FACES, StoreFace

from ..support.naming import naming
from ..support.streams import (
    SECRET,
    WHOLE,
    AsyncLine,
    Line,
    Scripted,
    Service,
    Words,
    hear,
    heard,
)

TOLD = ["one ", "two ", "three ", "reply_finished"]


@pytest.fixture(params=FACES)
def face(request):
    with StoreFace(request.param) as face:
        yield face


def streaming(service):
    """A store of the service on the sync face."""
    adapter = Scripted(service)
    return ConversationStore(adapter, adapter.transport())


async def broken(stream, error=StoreError):
    """What arrived of a stream that breaks off, and its error."""
    texts = []
    with pytest.raises(error) as caught:
        await hear(stream, texts)
    return texts, caught.value


# What is handed out.


def test_a_stream_hands_out_its_events_and_then_the_reply(face):
    service = Service(*WHOLE)

    async def main():
        stream = face.open(Scripted(service)).stream_reply("c", "hi", turn_id="t")
        async with stream:
            events = [event async for event in stream]
        assert events[:-1] == [TextDelta(text=text) for text in TOLD[:-1]]
        assert events[-1] == ReplyFinished(reply=stream.reply)
        assert stream.reply.text == "one two three "
        assert (stream.reply.conversation_id, stream.reply.turn_id) == ("c", "t")

    face.run(main())
    assert service.asked == ["begin", "open", "finish"]
    assert service.open == 0


def test_a_transport_that_cannot_stream_is_named(face, monkeypatch):
    monkeypatch.delattr(Line, "stream")
    monkeypatch.delattr(AsyncLine, "stream")
    with pytest.raises(UnsupportedError, match="Line must override 'stream'") as caught:
        face.run(heard(face.open(Scripted(Service(*WHOLE))).stream_reply(None, "hi")))
    assert caught.value.operation == "stream_reply"


def test_the_connection_is_closed_before_the_reply_is_read_again(face):
    open_then = []
    service = Service(*WHOLE, finish=lambda: open_then.append(service.open))
    face.run(heard(face.open(Scripted(service)).stream_reply(None, "hi")))
    assert open_then == [0]


def test_the_ids_are_known_before_anything_is_sent(face):
    service = Service(*WHOLE)

    async def main():
        stream = face.open(Scripted(service)).stream_reply(None, "hi")
        chosen = stream.conversation_id, stream.turn_id
        assert all(chosen)
        assert service.asked == []
        assert (stream.so_far.conversation_id, stream.so_far.turn_id) == chosen
        await heard(stream)
        assert (stream.conversation_id, stream.turn_id) == chosen
        assert (stream.reply.conversation_id, stream.reply.turn_id) == chosen

    face.run(main())


def test_a_stream_shows_its_ids_and_nothing_of_the_turn():
    adapter = Scripted(Service(*WHOLE))
    for store in (
        ConversationStore(adapter, adapter.transport()),
        AsyncConversationStore(adapter, adapter.async_transport()),
    ):
        shown = repr(store.stream_reply("c", "between us", turn_id="t"))
        assert "conversation_id='c' turn_id='t' new" in shown
        assert "between us" not in shown


def test_a_piece_is_read_only_when_the_events_before_it_are_used(face):
    service = Service(*WHOLE)

    async def main():
        stream = face.open(Scripted(service)).stream_reply(None, "hi")
        async with stream:
            assert service.reached.count("piece") == 0
            for text, pieces in zip(TOLD[:3], (1, 1, 2), strict=True):
                assert (await anext(stream)).text == text
                assert service.reached.count("piece") == pieces
            assert "finish" not in service.reached

    face.run(main())


def test_what_has_arrived_so_far_is_what_was_handed_out(face):
    async def main():
        stream = face.open(Scripted(Service(*WHOLE))).stream_reply(None, "hi")
        said = ""
        async with stream:
            assert stream.so_far.parts == ()
            async for event in stream:
                said += getattr(event, "text", "")
                assert stream.so_far.text == said
        assert stream.so_far.parts == (TextPart(text="one two three "),)

    face.run(main())


def test_a_finished_stream_is_at_its_end_whoever_asks(face):
    async def main():
        stream = face.open(Scripted(Service(*WHOLE))).stream_reply(None, "hi")
        async with stream:
            assert len([event async for event in stream]) == 4
            assert [event async for event in stream] == []
        assert [event async for event in stream] == []
        assert stream.reply.text == "one two three "

    face.run(main())


def test_a_turn_that_is_not_streamed_after_all_brings_its_reply(face):
    class Whole(Scripted):
        def stream_reply(self, turn):
            yield "begin"
            message = Message(role="assistant", parts=(TextPart(text="whole"),))
            return Reply(conversation_id="c", turn_id="t", message=message)

    service = Service()

    async def main():
        stream = face.open(Whole(service)).stream_reply(None, "hi")
        assert await heard(stream) == ["reply_finished"]
        assert stream.reply.text == "whole"

    face.run(main())
    assert service.asked == ["begin"]


def test_a_stream_may_say_that_its_turn_has_another_id(face):
    class Renaming(Scripted):
        def stream_reply(self, turn):
            stream = yield from super().stream_reply(turn)
            return type(stream)(
                request=stream.request,
                decoder=stream.decoder,
                finish=stream.finish,
                turn_id="theirs",
            )

    async def main():
        stream = face.open(Renaming(Service("one", "BROKEN"))).stream_reply(None, "hi")
        _, error = await broken(stream)
        assert stream.turn_id == error.partial.turn_id == "theirs"

    face.run(main())


def test_an_adapter_surrounds_the_flows_before_and_behind_the_stream(face):
    adapter = Scripted(Service(*WHOLE))
    face.run(heard(face.open(adapter).stream_reply(None, "hi")))
    assert adapter.surrounded == 2


def test_the_store_may_be_used_while_a_stream_is_open(face):
    async def main():
        store = face.open(EchoAdapter(DSN.parse("echo://"), EchoAdapter.Options()))
        async with store.stream_reply("c", "hello there") as stream:
            async for _ in stream:
                assert (await store.get_conversation("c")).id == "c"
            assert await store.get_reply("c", stream.turn_id) == stream.reply

    face.run(main())


# How it may not be used.


def test_a_stream_that_is_not_entered_sends_nothing(face):
    service = Service(*WHOLE)

    async def main():
        stream = face.open(Scripted(service)).stream_reply(None, "hi")
        with pytest.raises(InvalidError, match="which sends the turn"):
            await anext(stream)
        with pytest.raises(InvalidError, match="not finished"):
            _ = stream.reply
        del stream
        gc.collect()

    face.run(main())
    assert service.asked == []


def test_a_stream_is_entered_once(face):
    service = Service(*WHOLE)

    async def main():
        stream = face.open(Scripted(service)).stream_reply(None, "hi")
        async with stream:
            await anext(stream)
            with pytest.raises(InvalidError, match="used only once"):
                await stream.__aenter__()
            assert [getattr(event, "text", "") async for event in stream] == [*TOLD[1:3], ""]
        with pytest.raises(InvalidError, match="used only once"):
            await stream.__aenter__()

    face.run(main())
    assert service.asked == ["begin", "open", "finish"]


def test_a_stream_that_was_closed_before_it_was_entered_sends_nothing(face):
    service = Service(*WHOLE)

    async def main():
        stream = face.open(Scripted(service)).stream_reply(None, "hi")
        await stream.aclose()
        with pytest.raises(InvalidError, match="used only once"):
            await stream.__aenter__()

    face.run(main())
    assert service.asked == []


def test_leaving_early_closes_the_stream_and_keeps_what_had_arrived(face):
    service = Service(*WHOLE)

    async def main():
        stream = face.open(Scripted(service)).stream_reply(None, "hi")
        async with stream:
            await anext(stream)
            assert service.open == 1
        assert service.open == 0
        assert stream.so_far.text == "one "
        with pytest.raises(InvalidError, match="not finished: iterate"):
            _ = stream.reply
        with pytest.raises(InvalidError, match="is closed"):
            await anext(stream)
        await stream.aclose()

    face.run(main())
    assert service.asked == ["begin", "open"]


def test_an_error_of_the_caller_closes_the_stream_and_stays_what_it_is(face):
    service = Service(*WHOLE)

    async def main():
        async def look_up(stream):
            async with stream:
                async for _ in stream:
                    raise NotFoundError("the caller's own")

        with pytest.raises(NotFoundError) as caught:
            await look_up(face.open(Scripted(service)).stream_reply(None, "hi"))
        assert caught.value.partial is None
        assert caught.value.adapter is None

    face.run(main())
    assert service.open == 0


def test_a_stream_may_be_closed_in_its_block(face):
    service = Service(*WHOLE)

    async def main():
        async with face.open(Scripted(service)).stream_reply(None, "hi") as stream:
            await anext(stream)
            await stream.aclose()
            assert service.open == 0
            with pytest.raises(InvalidError, match="is closed"):
                await anext(stream)

    face.run(main())


def test_a_generator_that_streams_closes_the_stream_when_it_is_closed(face):
    service = Service(*WHOLE)

    async def told(store):
        async with store.stream_reply(None, "hi") as stream:
            async for event in stream:
                yield event.text

    async def main():
        telling = told(face.open(Scripted(service)))
        assert await anext(telling) == "one "
        assert service.open == 1
        await telling.aclose()

    face.run(main())
    assert service.open == 0


# Errors.


FAILURES = {
    "begin": lambda: Service(begin=UnavailableError(f"begin {SECRET}")),
    "open": lambda: Service(*WHOLE, open=UnavailableError(f"open {SECRET}")),
    "head": lambda: Service(*WHOLE, head=UnavailableError(f"head {SECRET}")),
    "piece": lambda: Service("one two", UnavailableError(f"piece {SECRET}")),
    "feed": lambda: Service("one two BROKEN three END"),
    "close": lambda: Service("one two"),
    "finish": lambda: Service("one two END", finish=UnavailableError(f"finish {SECRET}")),
}
"""A service that fails, at each of the points at which one can."""


@pytest.fixture(params=FAILURES)
def failing(request):
    return FAILURES[request.param]()


def test_an_error_says_where_it_happened_and_has_what_had_arrived(face, failing):
    async def main():
        stream = face.open(Scripted(failing)).stream_reply("c", "hi", turn_id="t")
        texts, error = await broken(stream, UnavailableError)
        assert (error.adapter, error.operation) == ("scripted", "stream_reply")
        assert "***" in str(error)
        assert SECRET not in str(error)
        assert error.partial == stream.so_far
        assert (error.partial.conversation_id, error.partial.turn_id) == ("c", "t")
        assert texts in ([], ["one ", "two "])
        assert error.partial.text == "".join(texts)
        with pytest.raises(InvalidError, match="is closed"):
            await anext(stream)

    face.run(main())
    assert failing.open == 0
    assert len(failing.asked) == len(set(failing.asked))


def test_an_error_of_a_whole_reply_has_what_had_arrived_as_well(face, failing):
    async def main():
        with pytest.raises(UnavailableError) as caught:
            await face.open(Scripted(failing)).reply("c", "hi", turn_id="t")
        error = caught.value
        assert (error.adapter, error.operation) == ("scripted", "reply")
        assert (error.partial.conversation_id, error.partial.turn_id) == ("c", "t")
        assert SECRET not in str(error)

    face.run(main())
    assert failing.open == 0
    assert len(failing.asked) == len(set(failing.asked))


def test_a_stream_without_its_end_mark_is_no_whole_reply(face):
    async def main():
        stream = face.open(Scripted(Service("one two"))).stream_reply(None, "hi")
        texts, error = await broken(stream, UnavailableError)
        assert "without its end mark" in str(error)
        assert texts == ["one ", "two "]

    face.run(main())


def test_a_refusal_is_raised_on_entering(face):
    async def main():
        service = Service(*WHOLE, head=ConflictError("an answer is being made"))
        stream = face.open(Scripted(service)).stream_reply(None, "hi")
        with pytest.raises(ConflictError, match="being made"):
            await stream.__aenter__()
        assert service.open == 0

    face.run(main())


def test_what_is_no_error_of_ours_goes_through_and_closes_the_stream(face):
    class Mistaken(Words):
        def feed(self, chunk):
            yield TextDelta(text="one ")
            raise ZeroDivisionError("the decoder's own")

    class Adapter(Scripted):
        def stream_reply(self, turn):
            stream = yield from super().stream_reply(turn)
            return type(stream)(request=stream.request, decoder=Mistaken(), finish=stream.finish)

    service = Service(*WHOLE)

    async def main():
        stream = face.open(Adapter(service)).stream_reply(None, "hi")
        texts, _ = await broken(stream, ZeroDivisionError)
        assert texts == ["one "]
        assert stream.so_far.text == "one "

    face.run(main())
    assert service.open == 0


def test_nothing_is_sent_by_a_store_that_was_closed(face):
    service = Service(*WHOLE)

    async def main():
        store = face.open(Scripted(service))
        stream = store.stream_reply(None, "hi")
        await store.aclose()
        with pytest.raises(InvalidError, match="this store is closed"):
            await stream.__aenter__()
        with pytest.raises(InvalidError, match="this store is closed"):
            store.stream_reply(None, "hi")

    face.run(main())
    assert service.asked == []


def test_a_store_that_is_closed_on_the_way_leaves_what_had_arrived(face):
    async def main():
        store = face.open(EchoAdapter(DSN.parse("echo://"), EchoAdapter.Options()))

        async def close_early(stream):
            async with stream:
                async for _ in stream:
                    await store.aclose()

        with pytest.raises(InvalidError, match="this store is closed") as caught:
            await close_early(store.stream_reply("c", "hello"))
        assert caught.value.partial.text == "You said: hello"

    face.run(main())


# Interrupts and cancellations.


POINTS = {
    "begin": lambda stop: Service(*WHOLE, begin=stop),
    "open": lambda stop: Service(*WHOLE, open=stop),
    "first piece": lambda stop: Service(stop, *WHOLE),
    "later piece": lambda stop: Service("one ", stop),
    "finish": lambda stop: Service("one ", "END", finish=stop),
}


@pytest.mark.parametrize("point", POINTS)
def test_an_interrupt_closes_the_stream_wherever_it_comes(point):
    service = POINTS[point](KeyboardInterrupt())
    stream = streaming(service).stream_reply(None, "hi")
    with pytest.raises(KeyboardInterrupt), stream:
        for _ in stream:
            pass
    assert service.open == 0
    assert stream.so_far.text in ("", "one ")
    with pytest.raises(InvalidError):
        next(stream)


@pytest.mark.parametrize("point", POINTS)
def test_a_cancellation_closes_the_stream_wherever_it_comes(point):
    async def main():
        reached = asyncio.Event()

        async def wait():
            reached.set()
            await asyncio.Event().wait()

        service = POINTS[point](wait)
        stream = StoreFace("async").open(Scripted(service)).stream_reply(None, "hi")
        task = asyncio.create_task(heard(stream))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert service.open == 0
        assert stream.so_far.text in ("", "one ")
        assert asyncio.all_tasks() == {asyncio.current_task()}
        with pytest.raises(InvalidError):
            await anext(stream)

    asyncio.run(main())


def test_the_first_stream_of_a_group_that_breaks_off_ends_the_others():
    async def wait(started):
        started.release()
        await asyncio.Event().wait()

    async def main():
        started = asyncio.Semaphore(0)
        others = [Service("one ", partial(wait, started)) for _ in range(3)]

        async def break_off():
            for _ in others:
                await started.acquire()
            raise UnavailableError("gone")

        services = [*others, Service("one ", break_off)]
        streams = [
            StoreFace("async").open(Scripted(each)).stream_reply(None, "hi") for each in services
        ]

        async def hear_all():
            async with asyncio.TaskGroup() as group:
                for stream in streams:
                    group.create_task(heard(stream))

        with pytest.raises(ExceptionGroup) as caught:
            await hear_all()
        (error,) = caught.value.exceptions
        assert error.partial.text == "one "
        assert [each.open for each in services] == [0, 0, 0, 0]
        assert [each.so_far.text for each in streams] == ["one "] * 4
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_a_time_limit_around_a_stream_ends_it():
    service = Service("one ", lambda: asyncio.Event().wait())

    async def main():
        stream = StoreFace("async").open(Scripted(service)).stream_reply(None, "hi")

        async def hear_within():
            async with asyncio.timeout(None) as limit, stream:
                async for _ in stream:
                    limit.reschedule(asyncio.get_running_loop().time())

        with pytest.raises(TimeoutError):
            await hear_within()
        assert stream.so_far.text == "one "

    asyncio.run(main())
    assert service.open == 0


def test_a_stream_that_a_task_waits_for_is_neither_read_nor_closed_by_another():
    async def main():
        waiting = asyncio.Event()

        async def wait():
            waiting.set()
            await asyncio.Event().wait()

        service = Service("one ", wait)
        stream = StoreFace("async").open(Scripted(service)).stream_reply(None, "hi")
        task = asyncio.create_task(heard(stream))
        await waiting.wait()
        with pytest.raises(InvalidError, match="another task is reading"):
            await anext(stream)
        with pytest.raises(InvalidError, match="another task is reading"):
            await stream.aclose()
        assert service.open == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await stream.aclose()
        assert service.open == 0

    asyncio.run(main())


def test_a_stream_belongs_to_the_loop_of_its_store():
    store = StoreFace("async").open(Scripted(Service(*WHOLE)))
    asyncio.run(heard(store.stream_reply(None, "hi")))
    with pytest.raises(InvalidError, match="another event loop"):
        asyncio.run(heard(store.stream_reply(None, "hi")))


# Threads, and what is kept.


def in_thread(call):
    results = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    thread.join()
    return results[0]


def test_a_stream_may_go_from_thread_to_thread():
    service = Service(*WHOLE)
    stream = streaming(service).stream_reply(None, "hi")
    in_thread(stream.__enter__)
    events = [in_thread(partial(next, stream)) for _ in range(4)]
    assert [getattr(event, "text", event.kind) for event in events] == TOLD
    assert in_thread(partial(next, stream, None)) is None
    stream.close()
    assert service.open == 0


@pytest.mark.parametrize("then", ["more ", UnavailableError("the socket is closed")])
def test_a_stream_that_another_thread_closes_ends_where_it_is_read(then):
    service = Service("one ", lambda: in_thread(stream.close), then, "END")
    stream = streaming(service).stream_reply(None, "hi")
    with stream:
        assert next(stream).text == "one "
        with pytest.raises(InvalidError, match="is closed"):
            next(stream)
    assert stream.so_far.text == "one "
    assert service.asked == ["begin", "open"]
    assert service.open == 0


def test_a_second_thread_that_reads_is_refused_and_the_first_reads_on():
    refused = []

    def read_as_well():
        with pytest.raises(InvalidError, match="another thread is reading") as caught:
            next(stream)
        refused.append(caught.value)

    service = Service("one ", lambda: in_thread(read_as_well), "two ", "END")
    stream = streaming(service).stream_reply(None, "hi")
    with stream:
        texts = [getattr(event, "text", event.kind) for event in stream]
    assert texts == ["one ", "two ", "reply_finished"]
    assert len(refused) == 1


def test_a_stream_that_is_dropped_is_closed():
    service = Service(*WHOLE)
    stream = streaming(service).stream_reply(None, "hi")
    stream.__enter__()
    next(stream)
    assert service.open == 1
    del stream
    gc.collect()
    assert service.open == 0


class Raw(dict):
    """What an event holds of the wire, of which a test can tell whether it still is there."""


def test_events_are_not_kept_behind_their_use(face):
    alive, most = weakref.WeakSet(), []

    class Chatty(Words):
        def feed(self, chunk):
            for _ in range(1000):
                raw = Raw()
                alive.add(RawEvent(raw))
                yield OtherEvent.model_construct(data=raw)
            yield from super().feed(chunk)

    class RawEvent:
        """Stands for a raw event: dicts compare by value, and a set must tell them apart."""

        def __init__(self, raw):
            raw["self"] = self

    class Adapter(Scripted):
        def stream_reply(self, turn):
            stream = yield from super().stream_reply(turn)
            return type(stream)(request=stream.request, decoder=Chatty(), finish=stream.finish)

    async def main():
        nonlocal most
        stream = face.open(Adapter(Service(*["one "] * 10, "END"))).stream_reply(None, "hi")
        async with stream:
            async for _ in stream:
                most += [len(alive)]

    face.run(main())
    assert len(most) > 11_000
    assert max(most) <= 3


class Deltas(Decoder):
    """A delta between two bars, of reasoning where a question mark begins it."""

    def feed(self, chunk):
        for text in chunk.split("|"):
            thought = text.startswith("?")
            yield ReasoningDelta(text=text[1:]) if thought else TextDelta(text=text)

    def close(self):
        return ()


class Telling(Scripted):
    """An adapter whose service tells deltas."""

    def stream_reply(self, turn):
        return replace((yield from super().stream_reply(turn)), decoder=Deltas())


WAVE = "\U0001f30a"
HALVES = "\ud83c", "\udf0a"
CUT = [
    (("a\ud83c", "\udf0ab"), ["a", f"{WAVE}b"]),
    (HALVES, [WAVE]),
    (("a\ud83c", "b"), ["a", "\ud83cb"]),
    (("a\ud83c",), ["a", "\ud83c"]),
    (("\ud83c", "?\udf0a"), ["\ud83c", "\udf0a"]),
    (("?\ud83c", "?\udf0a\ud83c"), [WAVE, "\ud83c"]),
    (("\udf0a", "\ud83c"), ["\udf0a", "\ud83c"]),
]


@pytest.mark.parametrize("together", [True, False])
def test_a_character_that_the_service_cut_in_two_arrives_whole(face, together):
    async def main(deltas, texts):
        service = Service(*(["|".join(deltas)] if together else deltas))
        async with face.open(Telling(service)).stream_reply(None, "hi") as stream:
            told = [event.text async for event in stream if event.kind != "reply_finished"]
        assert told == texts
        assert stream.reply.text == "".join(
            [p.text for p in stream.so_far.parts if p.kind == "text"]
        )

    for deltas, texts in CUT:
        with naming(ascii(deltas)):
            face.run(main(deltas, texts))


def test_a_stream_that_was_read_too_early_can_still_be_entered(face):
    service = Service(*WHOLE)

    async def main():
        stream = face.open(Scripted(service)).stream_reply(None, "hi")
        with pytest.raises(InvalidError, match="which sends the turn"):
            await anext(stream)
        await heard(stream)

    face.run(main())
    assert service.asked.count("open") == 1
