"""A store that a model answers, at bad moments: cancelled, closed, out of order while it stores."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from plugins.gateway.tests.support.gateway import served
from tests.support.models import STOP, Model, chunk, event, open_plain, says, streamed, streaming

import convostore
from convostore import DSN
from convostore.adapters import AdapterOptions, AsyncTransport, Transport
from convostore.adapters.memory import MemoryAdapter
from convostore.config import open_adapter
from convostore.models import NewConversation
from convostore.testing import FACES
from convostore_openai import ModelAdapter, ModelOptions, open_answered
from convostore_openai.service import AnsweredTransport, AsyncAnsweredTransport, ModelService

pytestmark = pytest.mark.rim

TWO_TIDES = streamed([*says("Two tides"), STOP])
STORING = 2
"""Which of a turn's transactions stores the answer; the first stores the question."""


@pytest.fixture(scope="module")
def server():
    with Model().serving() as model:
        yield model


@pytest.fixture
def model(server):
    server.forget()
    yield server
    assert server.server.errors == []


@pytest.fixture
def target(tmp_path) -> str:
    return f"sqlite:///{(tmp_path / 'store.db').as_posix()}"


@pytest.fixture
def upstream(model, target) -> ModelAdapter:
    options = ModelOptions(url=model.url, model="parrot", reply_timeout=30)
    return ModelAdapter(open_adapter(target), options)


def stored(target: str) -> list[tuple[str | None, str | None, str]]:
    with convostore.open(target) as store:
        return [(each.id, each.status, each.text) for each in store.messages("c")]


class Watched(Transport):
    """A store's transport that says each time which of its transactions begins."""

    def __init__(self, transport: Transport, watch: Callable[[int], None]) -> None:
        self._transport, self._watch, self._runs = transport, watch, 0

    def send(self, request):
        return self._transport.send(request)

    def run(self, make):
        self._runs += 1
        self._watch(self._runs)
        return self._transport.run(make)

    def close(self) -> None:
        self._transport.close()


class AsyncWatched(AsyncTransport):
    """The same for the async face."""

    def __init__(self, transport: AsyncTransport, watch: Callable[[int], None]) -> None:
        self._transport, self._watch, self._runs = transport, watch, 0

    async def send(self, request):
        return await self._transport.send(request)

    async def run(self, make):
        self._runs += 1
        self._watch(self._runs)
        return await self._transport.run(make)

    async def aclose(self) -> None:
        await self._transport.aclose()


def reply(face: str, upstream: ModelAdapter, target: str, watch: Callable[[int], None]):
    """One turn in a store whose transactions are watched."""
    inner, service = open_adapter(target), ModelService(upstream.options)
    if face == "sync":
        kept = Watched(inner.transport(), watch)
        with convostore.ConversationStore(
            upstream, AnsweredTransport(kept, service.transport())
        ) as store:
            return store.reply("c", "one", turn_id="t1")

    async def talk():
        kept = AsyncWatched(inner.async_transport(), watch)
        async with convostore.AsyncConversationStore(
            upstream, AsyncAnsweredTransport(kept, service.async_transport())
        ) as store:
            return await store.reply("c", "one", turn_id="t1")

    return asyncio.run(talk())


each_face = pytest.mark.parametrize("face", FACES)


def test_an_answer_is_stored_though_its_reply_is_cancelled_while_it_is(upstream, model, target):
    model.answers(TWO_TIDES)

    def cancel(run: int) -> None:
        if run == STORING:
            replying.cancel()

    async def talk():
        nonlocal replying
        kept = AsyncWatched(open_adapter(target).async_transport(), cancel)
        model_transport = ModelService(upstream.options).async_transport()
        async with convostore.AsyncConversationStore(
            upstream, AsyncAnsweredTransport(kept, model_transport)
        ) as store:
            replying = asyncio.create_task(store.reply("c", "one", turn_id="t1"))
            with pytest.raises(asyncio.CancelledError):
                await replying

    replying: asyncio.Task = None  # type: ignore[assignment]
    asyncio.run(talk())
    assert stored(target)[1:] == [("t1", "complete", "Two tides")]


def test_what_had_come_is_stored_however_often_a_reply_is_cancelled(upstream, model, target):
    model.answers(streaming(says("Two tides a day"), "stall"))

    async def talk():
        begun = asyncio.Event()

        async def reading():
            async with store.stream_reply("c", "one", turn_id="t1") as stream:
                async for _ in stream:
                    begun.set()

        async with convostore.AsyncConversationStore(upstream, upstream.async_transport()) as store:
            task = asyncio.create_task(reading())
            await begun.wait()
            while not task.done():  # as the scopes of anyio do
                task.cancel()
                await asyncio.sleep(0)

    asyncio.run(talk())
    (_, _, question), (answer_id, status, text) = stored(target)
    assert (question, answer_id, status) == ("one", "t1", "failed")
    assert text
    assert "Two tides a day".startswith(text)


def test_closing_waits_for_what_is_being_stored(upstream, model, target):
    model.answers(TWO_TIDES)

    class Slow(AsyncWatched):
        runs = ended = 0

        async def run(self, make):
            self.runs += 1
            if self.runs == STORING:
                replying.cancel()
                for _ in range(100):
                    await asyncio.sleep(0)
                    replying.cancel()
            result = await super().run(make)
            self.ended += 1
            return result

        async def aclose(self) -> None:
            assert self.ended == STORING
            await super().aclose()

    async def talk():
        nonlocal replying
        slow = Slow(open_adapter(target).async_transport(), lambda _: None)
        model_transport = ModelService(upstream.options).async_transport()
        async with convostore.AsyncConversationStore(
            upstream, AsyncAnsweredTransport(slow, model_transport)
        ) as store:
            replying = asyncio.create_task(store.reply("c", "one", turn_id="t1"))
            with pytest.raises(asyncio.CancelledError):
                await replying

    replying: asyncio.Task = None  # type: ignore[assignment]
    asyncio.run(talk())
    assert stored(target)[1:] == [("t1", "complete", "Two tides")]


def test_another_thread_may_close_a_stream_that_waits(upstream, model, target):
    model.answers(streaming(says("Two tides a day"), "stall"))
    told: list[object] = []
    waits = threading.Event()

    def reading() -> None:
        try:
            for each in stream:
                told.append(each)
                waits.set()
        except convostore.InvalidError as error:
            told.append(error)

    with convostore.ConversationStore(upstream, upstream.transport()) as store:
        with store.stream_reply("c", "one", turn_id="t1") as stream:
            reader = threading.Thread(target=reading)
            reader.start()
            assert waits.wait(60)
            stream.close()
        reader.join(60)
    assert isinstance(told[-1], convostore.InvalidError)
    assert stored(target)[1][:2] == ("t1", "failed")


@each_face
def test_a_store_that_is_busy_once_stores_the_answer_all_the_same(face, upstream, model, target):
    model.answers(TWO_TIDES)

    def busy(run: int) -> None:
        if run == STORING:
            raise convostore.UnavailableError("busy")

    assert reply(face, upstream, target, busy).text == "Two tides"
    assert stored(target)[1:] == [("t1", "complete", "Two tides")]


@each_face
def test_a_store_that_takes_no_answer_is_the_replys_error_which_has_it(
    face, upstream, model, target, caplog
):
    model.answers(TWO_TIDES)

    def full(run: int) -> None:
        if run >= STORING:
            raise convostore.UnavailableError("no room for a sesame", retryable=False)

    with pytest.raises(convostore.UnavailableError, match="no room") as caught:
        reply(face, upstream, target, full)
    assert caught.value.partial.text == "Two tides"
    assert len(model.asked) == 1
    assert "UnavailableError" in caplog.text
    assert "sesame" not in caplog.text


@each_face
def test_an_answer_is_written_once(face, upstream, model, target):
    model.answers(TWO_TIDES)
    writes: list[int] = []
    store = open_adapter(target)
    append = type(store).append_messages

    class Counting(type(store)):
        def append_messages(self, conversation_id, messages, after):
            writes.extend([1] * len(messages))
            return append(self, conversation_id, messages, after)

    counting = ModelAdapter(Counting(store.dsn, store.options), upstream.options)
    reply(face, counting, target, lambda _: None)
    assert len(writes) == 2


@each_face
def test_who_is_second_to_begin_a_conversation_goes_on_in_it(face, upstream, model):
    class Raced(MemoryAdapter):
        """Somebody else makes each conversation right before it is made."""

        def create_conversation(self, new):
            yield from super().create_conversation(NewConversation(id=new.id, title="theirs"))
            return (yield from super().create_conversation(new))

    raced = Raced(DSN.parse("memory://"), AdapterOptions())
    with open_plain(face, raced, model.url) as store:
        assert store.reply("c", "one").text == "You said: one"
        assert store.get_conversation("c").title == "theirs"
        with pytest.raises(convostore.ConflictError):  # an id of our own choice is not another's
            store.reply(None, "one")


FAILED = [
    [event({"choices": [{"delta": {}, "finish_reason": "error"}], "error": {"message": "ash"}})],
    [event({"choices": [{"delta": {}, "error": {"message": "ash"}}]})],
    [chunk({}, "error")],
    [STOP, event({"error": {"message": "ash"}})],
]


@each_face
@pytest.mark.parametrize("frames", FAILED)
def test_an_answer_that_ends_with_an_error_is_never_a_whole_one(frames, face, model, target):
    model.answers(streamed([*says("Two"), *frames]))
    with open_plain(face, target, model.url) as store:
        with pytest.raises(convostore.UnavailableError, match="failed") as caught:
            store.reply("c", "one", turn_id="t1")
        assert caught.value.partial.text == "Two"
        assert stored(target)[1:] == [("t1", "failed", "Two")]
        with pytest.raises(convostore.UnavailableError, match="failed"):
            store.get_reply("c", "t1")


def test_a_store_behind_another_gateway_is_answered_as_well(model, target):
    """Its conversations are looked for, begun and read over the native API."""
    with served(target) as url, open_answered(f"gateway+{url}", model.url, model="parrot") as store:
        store.reply("c", "one", turn_id="t1")
        store.reply("c", "two", turn_id="t2")
    assert [row["content"] for row in model.asked[-1]["messages"]] == [
        "one",
        "You said: one",
        "two",
    ]
    assert [each[0] for each in stored(target)] == ["t1-question", "t1", "t2-question", "t2"]
