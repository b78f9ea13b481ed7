"""Mirroring from a service over HTTP, into stores of other makers: requests, errors, throughput."""

import asyncio
import json
from math import ceil

import pytest

from convostore import (
    DSN,
    AuthError,
    Conversation,
    ConversationStore,
    Message,
    NotFoundError,
    TextPart,
    Transcript,
    UnavailableError,
)
from convostore.adapters import Adapter, AdapterOptions, AsyncTransport, Transport, paginate
from convostore.http import HTTPOptions, Response
from convostore.store import AsyncConversationStore
from convostore.testing import Backend
from convostore.testing.samples import full_message, numbered_conversations
from convostore.transfer import MirrorReport, amirror, mirror

from ..contract.mutants.sample_service import SampleAdapter, SampleService
from ..support.mirror import Place, copies_of, later, numbered, put, texts_of

ADDRESS = DSN.parse("sample+http://chats.example.org")
NAME = "sample+http://chats.example.org"


def sample(**options):
    return SampleAdapter(ADDRESS, HTTPOptions.model_validate({"retries": 0} | options))


@pytest.fixture
def service():
    made = SampleService()
    made.seed(numbered_conversations(5))
    return made


@pytest.fixture
def target():
    return Place()


class TestAServiceThatDoesNotPage:
    """Its list and each conversation come whole, and tell no time of a change."""

    def test_a_run_takes_the_list_and_one_request_for_each_conversation(self, service, target):
        service.seed(numbered_conversations(3, messages=700))
        backend = Backend(sample, service=service.handle)
        with backend.open() as source:
            assert mirror(source, target.store) == MirrorReport(copied=5, messages=3 * 700 + 4)
            assert len(backend.requests) == 6
            assert mirror(source, target.store) == MirrorReport(unchanged=5)
            assert len(backend.requests) == 12
            mirror(source, target.store, new_only=True)
            assert len(backend.requests) == 13
        assert copies_of(target, NAME).keys() == {f"c{number:04}" for number in range(5)}

    def test_it_writes_nothing_where_nothing_changed(self, service, target):
        with Backend(sample, service=service.handle).open() as source:
            mirror(source, target.store)
            target.watch.clear()
            mirror(source, target.store)
            mirror(source, target.store, full=True)
        assert target.watch.writes == []

    def test_what_changed_in_the_middle_is_found(self, service, target):
        with Backend(sample, service=service.handle).open() as source:
            mirror(source, target.store)
            changed = numbered_conversations(5)[2]
            texts = ["text 2.0", "another answer", "more"]
            messages = [
                Message(id=f"m{number:05}", role="user", parts=(TextPart(text=text),))
                for number, text in enumerate(texts)
            ]
            service.seed(
                [
                    Transcript(
                        conversation_id="c0002",
                        conversation=changed.conversation,
                        messages=tuple(messages),
                    )
                ]
            )
            report = mirror(source, target.store)
        assert (report.updated, report.unchanged) == (1, 4)
        assert texts_of(target, copies_of(target, NAME)["c0002"].id) == texts

    @pytest.mark.parametrize(
        "answer",
        [
            Response(500, {"content-type": "application/json"}, b'{"message": "broken row"}'),
            Response(200, {"content-type": "application/json"}, b'{"chat": '),
            Response(200, {"content-type": "text/html"}, b"<html></html>"),
        ],
        ids=["500", "torn", "html"],
    )
    def test_a_chat_that_is_broken_over_there_is_skipped(self, service, target, answer):
        def handle(request):
            return answer if request.path == "/chats/c0001" else service.handle(request)

        with Backend(sample, service=handle).open() as source:
            report = mirror(source, target.store)
        assert report.copied == 4
        assert [each.conversation_id for each in report.skipped] == ["c0001"]

    @pytest.mark.parametrize(("status", "error"), [(401, AuthError), (500, UnavailableError)])
    def test_a_list_that_cannot_be_read_ends_the_run(self, service, target, status, error):
        mirrored_once = Backend(sample, service=service.handle)
        with mirrored_once.open() as source:
            mirror(source, target.store)

        def refuse(request):
            return Response(status, {"content-type": "application/json"}, b"{}")

        with Backend(sample, service=refuse).open() as source, pytest.raises(error):
            mirror(source, target.store, delete=True)
        assert len(copies_of(target, NAME)) == 5


class Ticking(AsyncTransport):
    """A service that takes one tick for a request, and four of them at a time.

    Time is what this counts: a tick passes when nobody has anything left to do but wait.
    """

    concurrency = 4

    def __init__(self, handle):
        self._handle = handle
        self._slots = asyncio.Semaphore(self.concurrency)
        self._waiting = []
        self.requests = 0
        self.ticks = 0

    async def send(self, request):
        async with self._slots:
            self.requests += 1
            await self.pass_a_tick()
            return self._handle(request)

    async def pass_a_tick(self):
        passed = asyncio.get_running_loop().create_future()
        self._waiting.append(passed)
        await passed

    async def tick(self):
        while True:
            for _ in range(100):  # whoever can go on does
                await asyncio.sleep(0)
            if self._waiting:
                self.ticks += 1
            waited, self._waiting = self._waiting, []
            for each in waited:
                each.set_result(None)


class TickingToAppend(AsyncTransport):
    """A target that takes a tick for an append."""

    def __init__(self, inner, clock):
        self._inner = inner
        self._clock = clock

    async def send(self, request):
        if "append_messages" in request.__qualname__:
            await self._clock.pass_a_tick()
        return await self._inner.send(request)


class Paged(Adapter):
    """Lists conversations in pages of 20, and messages in pages of 10; a request is what to do."""

    name = "paged"

    def __init__(self, transcripts):
        super().__init__(DSN.parse("paged://here"), AdapterOptions())
        self._transcripts = {each.conversation_id: each for each in transcripts}

    def transport(self):
        raise NotImplementedError

    def async_transport(self):
        raise NotImplementedError

    def _page(self, items, listing, most):
        def page():
            limit = min(listing.limit, most)
            bounded = type(listing)(limit=limit, cursor=listing.cursor, order=listing.order)
            return paginate(items, bounded, key=lambda each: each.id)

        return (yield page)

    def list_conversations(self, listing):
        items = [each.conversation for each in self._transcripts.values()]
        return (yield from self._page(items, listing, 20))

    def get_conversation(self, conversation_id):
        return (yield lambda: self._transcripts[conversation_id].conversation)

    def list_messages(self, conversation_id, listing):
        return (yield from self._page(self._transcripts[conversation_id].messages, listing, 10))


class TestThroughput:
    """At least nine tenths of the requests that the service permits at a time are under way."""

    def ticks(self, adapter, handle, target, *, target_ticks=False):
        async def run():
            transport = Ticking(handle)
            clock = asyncio.ensure_future(transport.tick())
            async with (
                AsyncConversationStore(adapter, transport) as source,
                target.open_async() as other,
            ):
                if target_ticks:
                    other._transport = TickingToAppend(other._transport, transport)
                await amirror(source, other)
            clock.cancel()
            return transport

        transport = asyncio.run(run())
        return transport.ticks, ceil(transport.requests / transport.concurrency / 0.9)

    def test_a_service_whose_answers_are_whole_never_waits(self, target):
        service = SampleService()
        service.seed(numbered_conversations(200))
        ticks, bound = self.ticks(sample(), service.handle, target)
        assert ticks <= bound
        assert len(copies_of(target, NAME)) == 200

    def test_a_service_that_pages_never_waits_for_its_list_or_a_long_conversation(self, target):
        transcripts = [
            *numbered_conversations(1, messages=100),
            *[
                Transcript(
                    conversation_id=f"x{number}",
                    conversation=Conversation(id=f"x{number}"),
                    messages=numbered_conversations(1)[0].messages,
                )
                for number in range(300)
            ],
        ]
        ticks, bound = self.ticks(Paged(transcripts), lambda request: request(), target)
        assert ticks <= bound
        assert len(copies_of(target, "paged://here")) == 301

    def test_a_target_that_takes_as_long_does_not_hold_the_source_up(self, target):
        service = SampleService()
        service.seed(numbered_conversations(200))
        ticks, bound = self.ticks(sample(), service.handle, target, target_ticks=True)
        assert ticks <= bound
        assert len(copies_of(target, NAME)) == 200


class Notebook(Adapter):
    """A third party's: it can create, append and read, and keeps of a message what it understands.

    A request is a JSON text, as it would go over a wire.
    """

    name = "notebook"

    def transport(self):
        return NotebookTransport()

    def async_transport(self):
        raise NotImplementedError

    def list_conversations(self, listing):
        rows = json.loads((yield json.dumps(["list"])))
        return paginate(
            [self._conversation(row) for row in rows], listing, key=lambda each: each.id
        )

    def get_conversation(self, conversation_id):
        row = json.loads((yield json.dumps(["get", conversation_id])))
        if row is None:
            raise NotFoundError(f"there is no conversation {conversation_id!r}")
        return self._conversation(row)

    def _conversation(self, row):
        return Conversation(id=row["id"], title=row["title"])

    def list_messages(self, conversation_id, listing):
        yield from self.get_conversation(conversation_id)
        rows = json.loads((yield json.dumps(["messages", conversation_id])))
        return paginate([self._message(row) for row in rows], listing, key=lambda each: each.id)

    def _message(self, row):
        return Message(id=row["id"], role=row["role"], parts=(TextPart(text=row["text"]),))

    def create_conversation(self, new):
        yield json.dumps(["create", new.id, new.title])
        return Conversation(id=new.id, title=new.title)

    def append_messages(self, conversation_id, messages, after):
        yield from self.get_conversation(conversation_id)
        rows = [{"id": each.id, "role": each.role, "text": each.text} for each in messages]
        yield json.dumps(["append", conversation_id, rows])
        return tuple(map(self._message, rows))


class NotebookTransport(Transport):
    def __init__(self):
        self.pages = {}

    def send(self, request):
        command, *rest = json.loads(request)
        rows = [{"id": key, "title": title} for key, (title, _) in self.pages.items()]
        if command == "list":
            return json.dumps(rows)
        if command == "get":
            return json.dumps(next((row for row in rows if row["id"] == rest[0]), None))
        if command == "messages":
            return json.dumps(self.pages[rest[0]][1])
        if command == "create":
            self.pages[rest[0]] = (rest[1], [])
        else:
            held = self.pages[rest[0]][1]
            known = {row["id"] for row in held}
            held += [row for row in rest[1] if row["id"] not in known]
        return "null"


class TestATargetOfAThirdParty:
    def open(self):
        adapter = Notebook(DSN.parse("notebook://shelf"), AdapterOptions())
        return ConversationStore(adapter, adapter.transport())

    def test_it_gets_what_it_can_hold_and_the_rest_is_told(self):
        source = Place()
        put(source, "c", [full_message()], created_at=later(0), pinned=True)
        put(source, "d", numbered(1, 2), updated_at=None)
        with self.open() as notebook:
            report = mirror(source.store, notebook)
            assert (report.copied, report.messages) == (2, 3)
            assert report.losses == {
                "conversation.updated_at": 1,
                "conversation.pinned": 1,
                **{
                    f"message.{name}": 1
                    for name in (
                        "created_at",
                        "sources",
                        "feedback",
                        "status",
                        "model",
                        "parent_id",
                        "problems",
                        "raw",
                    )
                },
            }
            texts = {
                message.text
                for conversation in notebook.conversations()
                for message in notebook.messages(conversation.id)
            }
        assert texts == {"text [1]", "text 1", "text 2"}

    def test_what_it_holds_whole_is_written_once_and_then_continued(self):
        source = Place()
        put(source, "c", numbered(1, 2), updated_at=None)
        with self.open() as notebook:
            mirror(source.store, notebook)
            assert mirror(source.store, notebook) == MirrorReport(unchanged=1)
            put(source, "c", numbered(1, 2, 3), updated_at=None)
            assert mirror(source.store, notebook) == MirrorReport(updated=1, messages=1)

    def test_what_would_have_to_be_rewritten_is_skipped_with_the_reason(self):
        source = Place()
        put(source, "c", numbered(1, 2), updated_at=None)
        put(source, "d", numbered(1), updated_at=None)
        with self.open() as notebook:
            mirror(source.store, notebook)
            put(source, "c", numbered(1, 7), updated_at=None)
            report = mirror(source.store, notebook)
        assert report.unchanged == 1
        (skipped,) = report.skipped
        assert skipped.conversation_id == "c"
        assert "replace_messages" in str(skipped.error)
