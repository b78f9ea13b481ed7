"""The two faces: equal in what they say; shared by threads, or bound to a loop; closed for good."""

import asyncio
import inspect
import threading
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

import convostore
from convostore import (
    DSN,
    AsyncConversationStore,
    Conversation,
    ConversationStore,
    InvalidError,
    Message,
    NotFoundError,
    Operation,
    Page,
    TextPart,
    Traits,
    UnavailableError,
    UnsupportedError,
)
from convostore.adapters import Adapter, AdapterOptions, AsyncTransport, Transport

from ..support.naming import naming

TWINS = {"close": "aclose"}
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
ACTIVE = {
    each: LONG_AGO + timedelta(days=days) for each, days in zip("abde", (2, 1, 0, 3), strict=True)
}
"""When the library's conversations were last active; of one of them it is not known."""
PUBLIC = [name for name in dir(ConversationStore) if not name.startswith("_")]


class Library(Adapter):
    """Asks for what it wants by name: a page of ids, a conversation, the texts of one."""

    name = "library"

    def transport(self):
        raise NotImplementedError

    def async_transport(self):
        raise NotImplementedError

    def list_conversations(self, listing):
        ids, cursor = yield "list", listing.cursor
        conversations = [Conversation(id=each, updated_at=ACTIVE.get(each)) for each in ids]
        return Page(items=tuple(conversations), cursor=cursor)

    def get_conversation(self, conversation_id):
        yield "get", conversation_id
        return Conversation(id=conversation_id)

    def list_messages(self, conversation_id, listing):
        texts = yield "messages", conversation_id
        return Page(
            items=tuple(
                Message(id=each, role="user", parts=(TextPart(text=each),)) for each in texts
            )
        )


class Shelves:
    """What the library's requests are answered with: two pages of five conversations."""

    def __init__(self, *broken, broken_page=None):
        self.broken, self.broken_page = broken, broken_page
        self.asked = []

    def answer(self, request):
        self.asked.append(request)
        wanted, name = request
        if name in self.broken:
            raise UnavailableError(f"{name} is broken")
        if wanted != "list":
            return [f"{name}1", f"{name}2"]
        if self.broken_page is not None and name == self.broken_page:
            raise UnavailableError("the list broke off")
        return {None: ("abc", "2"), "2": ("de", None)}[name]


class Blocking(Transport):
    def __init__(self, shelves):
        self.shelves, self.closed = shelves, 0

    def send(self, request):
        return self.shelves.answer(request)

    def close(self):
        self.closed += 1


class Awaiting(AsyncTransport):
    def __init__(self, shelves, concurrency=1):
        self.shelves, self.concurrency, self.closed = shelves, concurrency, 0

    async def send(self, request):
        return self.shelves.answer(request)

    async def aclose(self):
        self.closed += 1


def library():
    return Library(DSN.parse("library://user:s3cret@shelf?key=s3cret"), AdapterOptions())


def blocking(*broken, **options):
    return ConversationStore(library(), Blocking(Shelves(*broken, **options)))


def awaiting(*broken, concurrency=1, **options):
    return AsyncConversationStore(library(), Awaiting(Shelves(*broken, **options), concurrency))


def collect_sync(call, *broken, **options):
    """The items of an iterator of the store, up to the error that ended it."""
    items, error = [], None
    with blocking(*broken, **options) as store:
        try:
            for item in call(store):
                items.append(item)  # noqa: PERF402  # what came before an error counts
        except convostore.StoreError as raised:
            error = raised
    return items, error


def collect_async(call, *broken, **options):
    async def main():
        items, error = [], None
        async with awaiting(*broken, concurrency=2, **options) as store:
            try:
                async for item in call(store):
                    items.append(item)  # noqa: PERF401  # what came before an error counts
            except convostore.StoreError as raised:
                error = raised
        return items, error

    return asyncio.run(main())


@pytest.fixture(params=[collect_sync, collect_async], ids=["sync", "async"])
def collect(request):
    return request.param


# Two faces, one interface.


def test_each_face_has_the_names_of_the_other():
    public = {name for name in dir(AsyncConversationStore) if not name.startswith("_")}
    assert public == {TWINS.get(name, name) for name in PUBLIC}


def twins():
    """What the two faces have under each name."""
    for name in PUBLIC:
        other = getattr(AsyncConversationStore, TWINS.get(name, name))
        yield name, getattr(ConversationStore, name), other


def test_both_faces_take_the_same_arguments():
    for name, one, other in twins():
        with naming(name):
            assert callable(one) is callable(other)
            if callable(one):
                parameters = inspect.signature(one).parameters.values()
                assert list(parameters) == list(inspect.signature(other).parameters.values())


def test_both_faces_say_what_each_name_does():
    for name, one, other in twins():
        with naming(name):
            assert inspect.getdoc(one)
            assert inspect.getdoc(other)
            of_the_async = inspect.getdoc(other).replace("async with", "with").replace("await ", "")
            assert inspect.getdoc(one) == of_the_async or name == "transcripts"


STREAMED = {Operation.STREAM_REPLY, Operation.STREAM_ANSWER, Operation.RESUME_REPLY}
"""Operations that return a stream, which is awaited where it is entered."""


def test_every_operation_is_a_method_of_both_faces():
    for operation in Operation:
        with naming(operation):
            assert callable(getattr(ConversationStore, operation))
            other = getattr(AsyncConversationStore, operation)
            assert inspect.iscoroutinefunction(other) == (operation not in STREAMED)


@pytest.mark.parametrize("make", [blocking, awaiting])
def test_a_store_shows_its_address_and_no_secret(make):
    store = make()
    assert repr(store) == f"<{type(store).__name__} library://user:***@shelf>"
    assert store.label == "library://user:***@shelf"


@pytest.mark.parametrize("make", [blocking, awaiting])
def test_a_store_tells_what_it_offers_and_how_it_behaves(make):
    store = make()
    assert store.offers("get_conversation")
    assert not store.offers(Operation.SET_FEEDBACK)
    assert store.traits == Traits()


# What is asked of the backend.


class Terse(AdapterOptions):
    """How terse an answer is to be."""

    words: int = 5
    seed: int | None = None


@pytest.mark.parametrize("face", [ConversationStore, AsyncConversationStore])
def test_a_store_tells_what_may_be_passed_with_a_turn(face):
    class Answering(Library):
        ReplyOptions = Terse

    dsn = DSN.parse("library://alexandria")
    assert face(Answering(dsn, AdapterOptions()), None).reply_options == {"words", "seed"}
    assert face(Library(dsn, AdapterOptions()), None).reply_options == frozenset()


def test_all_conversations_are_yielded(collect):
    items, error = collect(lambda store: store.conversations())
    assert [each.id for each in items] == ["a", "b", "c", "d", "e"]
    assert error is None


def test_all_messages_are_yielded(collect):
    items, _ = collect(lambda store: store.messages("b"))
    assert [each.text for each in items] == ["b1", "b2"]


def test_an_iterator_asks_for_nothing_before_its_first_item():
    store = blocking()
    iterators = [store.conversations(), store.messages("a"), store.transcripts()]
    assert store._transport.shelves.asked == []
    for each in iterators:
        next(each)
        each.close()


def test_conversations_by_age_are_yielded_to_the_last_page(collect):
    age = LONG_AGO + timedelta(days=2)
    items, error = collect(lambda store: store.conversations(older_than=age))
    assert [each.id for each in items] == ["b", "d"]
    assert error is None


def test_an_age_without_a_time_zone_is_refused(collect):
    naive = LONG_AGO.replace(tzinfo=None)
    items, error = collect(lambda store: store.conversations(older_than=naive))
    assert items == []
    assert isinstance(error, InvalidError)


def test_what_is_not_offered_makes_no_request(collect):
    with blocking() as store:
        with pytest.raises(UnsupportedError):
            store.delete_conversation("a")
        assert store._transport.shelves.asked == []


# Transcripts.


def transcript_ids(items):
    return [each.conversation_id for each in items]


def test_transcripts_come_in_the_order_of_the_list(collect):
    items, error = collect(lambda store: store.transcripts())
    assert transcript_ids(items) == ["a", "b", "c", "d", "e"]
    assert [message.text for message in items[1].messages] == ["b1", "b2"]
    assert [each.conversation.id for each in items] == transcript_ids(items)
    assert error is None


def test_transcripts_come_in_the_order_of_the_ids(collect):
    items, _ = collect(lambda store: store.transcripts(iter(["e", "a", "x", "a"])))
    assert transcript_ids(items) == ["e", "a", "x", "a"]


def test_transcripts_of_no_ids_are_none(collect):
    assert collect(lambda store: store.transcripts([])) == ([], None)


def test_one_text_is_not_taken_for_several_ids(collect):
    items, error = collect(lambda store: store.transcripts("abc"))
    assert items == []
    assert isinstance(error, InvalidError)


def test_a_transcript_that_cannot_be_read_ends_them_where_it_stands(collect):
    items, error = collect(lambda store: store.transcripts(), "c")
    assert transcript_ids(items) == ["a", "b"]
    assert isinstance(error, UnavailableError)
    assert (error.adapter, error.operation) == ("library", "list_messages")


def test_a_transcript_that_cannot_be_read_may_be_yielded_with_its_error(collect):
    items, error = collect(lambda store: store.transcripts(on_error="yield"), "a", "d")
    assert transcript_ids(items) == ["a", "b", "c", "d", "e"]
    assert [str(each.error) if each.error else None for each in items] == [
        "a is broken",
        None,
        None,
        "d is broken",
        None,
    ]
    assert items[0].conversation == Conversation(id="a", updated_at=ACTIVE["a"])
    assert items[0].messages == ()
    assert error is None


def test_a_transcript_of_an_id_that_cannot_be_read_may_be_yielded_too(collect):
    items, _ = collect(lambda store: store.transcripts(["a", "b"], on_error="yield"), "a")
    assert transcript_ids(items) == ["a", "b"]
    assert (items[0].conversation, str(items[0].error)) == (None, "a is broken")


def test_an_unknown_way_to_treat_errors_is_refused(collect):
    items, error = collect(lambda store: store.transcripts(["a"], on_error="yeild"))
    assert items == []
    assert isinstance(error, InvalidError)


@pytest.mark.parametrize("on_error", ["raise", "yield"])
def test_an_error_of_the_list_is_raised_after_what_was_read_before_it(collect, on_error):
    items, error = collect(lambda store: store.transcripts(on_error=on_error), broken_page="2")
    assert transcript_ids(items) == ["a", "b", "c"]
    assert str(error) == "the list broke off"


def test_the_sync_face_reads_no_transcript_ahead():
    with blocking() as store:
        transcripts = store.transcripts(["a", "b"])
        next(transcripts)
        assert ("messages", "b") not in store._transport.shelves.asked


def play(main):
    """Runs a test that waits for others, and fails instead of waiting for ever."""

    async def bounded():
        async with asyncio.timeout(30):
            await main()

    asyncio.run(bounded())


class Gated(AsyncTransport):
    """Answers the messages of a conversation when its gate is opened."""

    def __init__(self, concurrency):
        self.concurrency = concurrency
        self.gates = {name: asyncio.Event() for name in "abcdefghij"}
        self.under_way, self.begun, self.cancelled = set(), asyncio.Event(), set()

    async def send(self, request):
        wanted, name = request
        if wanted == "get":
            return None
        self.under_way.add(name)
        if len(self.under_way) == 2 * self.concurrency:
            self.begun.set()
        try:
            await self.gates[name].wait()
        except asyncio.CancelledError:
            self.cancelled.add(name)
            raise
        self.under_way.discard(name)
        return [name]


def test_the_async_face_reads_ahead_as_far_as_concurrency_permits():
    async def main():
        transport = Gated(concurrency=2)
        async with AsyncConversationStore(library(), transport) as store:
            transcripts = store.transcripts(list("abcdefghij"))
            async with aclosing(transcripts):
                first = asyncio.ensure_future(anext(transcripts))
                await transport.begun.wait()
                assert transport.under_way == {"a", "b", "c", "d"}
                transport.gates["b"].set()  # the second is done before the first
                transport.gates["a"].set()
                assert (await first).conversation_id == "a"
                assert (await anext(transcripts)).conversation_id == "b"
                assert not transport.under_way & {"a", "b", "f", "g", "h", "i", "j"}

    play(main)


def test_leaving_the_async_transcripts_early_ends_what_is_under_way():
    async def main():
        transport = Gated(concurrency=2)
        async with AsyncConversationStore(library(), transport) as store:
            transport.gates["a"].set()
            async with aclosing(store.transcripts(list("abcdefghij"))) as transcripts:
                async for transcript in transcripts:
                    assert transcript.conversation_id == "a"
                    await asyncio.sleep(0)
                    break
            assert transport.cancelled == transport.under_way
            assert transport.under_way <= {"b", "c", "d"}
            assert asyncio.all_tasks() == {asyncio.current_task()}

    play(main)


def test_a_failure_of_one_transcript_ends_the_others_that_are_under_way():
    async def main():
        class Failing(Gated):
            async def send(self, request):
                if request == ("messages", "b"):
                    await self.begun.wait()
                    raise UnavailableError("b is broken")
                if request == ("messages", "c"):
                    self.begun.set()
                return await super().send(request)

        transport = Failing(concurrency=2)
        transport.gates["a"].set()
        async with AsyncConversationStore(library(), transport) as store:
            with pytest.raises(UnavailableError):
                async for _ in store.transcripts(list("abcdefghij")):
                    pass
            assert transport.cancelled == transport.under_way
            assert asyncio.all_tasks() == {asyncio.current_task()}

    play(main)


# Threads and loops.


def test_threads_may_share_a_sync_store():
    meeting = threading.Barrier(4, timeout=10)

    class Meeting(Blocking):
        def send(self, request):
            meeting.wait()  # goes on only when all four are here
            return super().send(request)

    found = []
    with ConversationStore(library(), Meeting(Shelves())) as store:
        threads = [
            threading.Thread(target=lambda name=name: found.append(store.get_conversation(name).id))
            for name in "abcd"
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(found) == ["a", "b", "c", "d"]


def test_an_async_store_belongs_to_one_loop():
    store = awaiting()
    asyncio.run(store.get_conversation("a"))
    with pytest.raises(InvalidError, match="loop"):
        asyncio.run(store.get_conversation("a"))
    assert store._transport.shelves.asked == [("get", "a")]


def test_an_async_store_can_be_made_outside_of_its_loop():
    store = convostore.aopen("memory://")

    async def main():
        async with store:
            return [each async for each in store.conversations()]

    assert asyncio.run(main()) == []


# Closing.

ARGUMENTS = {
    "list_conversations": (),
    "get_conversation": ("c",),
    "list_messages": ("c",),
    "create_conversation": (),
    "append_messages": ("c", []),
    "update_conversation": ("c",),
    "delete_conversation": ("c",),
    "clear_conversations": (),
    "put_conversation": (Conversation(id="c"),),
    "fork_conversation": ("c", "m"),
    "search": ("text",),
    "delete_message": ("c", "m"),
    "check": (),
}


@pytest.mark.parametrize(("name", "arguments"), ARGUMENTS.items())
def test_a_closed_store_refuses_every_call(name, arguments):
    store = convostore.open("memory://")
    store.close()
    with pytest.raises(InvalidError, match="closed") as caught:
        getattr(store, name)(*arguments)
    assert (caught.value.adapter, caught.value.operation) == ("memory", name)

    async def main():
        later = convostore.aopen("memory://")
        await later.aclose()
        with pytest.raises(InvalidError, match="closed"):
            await getattr(later, name)(*arguments)

    asyncio.run(main())


def test_a_replacement_and_a_feedback_are_refused_after_closing_too():
    store = convostore.open("memory://")
    store.close()
    for call in (
        partial(store.replace_messages, "c", [], after=None),
        partial(store.set_feedback, "c", "m", None),
        partial(store.delete_conversations, older_than=LONG_AGO),
    ):
        with pytest.raises(InvalidError, match="closed"):
            call()


def test_iterators_of_a_closed_store_are_refused():
    store = blocking()
    started = store.transcripts()
    next(started)
    store.close()
    for iterator in (store.conversations(), store.messages("a"), store.transcripts(), started):
        with pytest.raises(InvalidError, match="closed"):
            next(iterator)


def test_closing_twice_is_fine():
    store = convostore.open("memory://")
    store.close()
    store.close()

    async def main():
        later = convostore.aopen("memory://")
        await later.aclose()
        await later.aclose()

    asyncio.run(main())


def test_a_with_block_closes_whatever_happens():
    store = blocking()
    with pytest.raises(RuntimeError), store:
        raise RuntimeError("of the application")
    assert store._transport.closed == 1

    async def main():
        later = awaiting()
        with pytest.raises(RuntimeError):
            async with later:
                raise RuntimeError("of the application")
        assert later._transport.closed == 1

    asyncio.run(main())


def test_a_closed_store_still_tells_what_it_is():
    store = blocking()
    store.close()
    assert store.offers("get_conversation")
    assert "shelf" in store.label


def test_an_error_of_the_store_says_where_it_happened():
    with convostore.open("memory://") as store, pytest.raises(NotFoundError) as caught:
        store.get_conversation("absent")
    assert (caught.value.adapter, caught.value.operation) == ("memory", "get_conversation")


def test_what_is_no_store_is_not_the_same_one():
    with convostore.open("memory://") as store, pytest.raises(InvalidError, match="got 5"):
        store.is_same_store(5)
