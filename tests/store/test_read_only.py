"""The read-only guard: whichever way a write takes, it is refused, and nothing has changed."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest

from convostore import (
    DSN,
    AsyncConversationStore,
    Conversation,
    ConversationStore,
    Feedback,
    Operation,
)
from convostore.adapters import OPERATIONS, read_only
from convostore.adapters.echo import EchoAdapter
from convostore.errors import ForbiddenError
from convostore.store import WriteCall
from convostore.transfer import (
    aexport_conversations,
    aimport_conversations,
    amirror,
    export_conversations,
    import_conversations,
    mirror,
)

from ..support.cases import for_each
from ..support.mirror import later, numbered, said

ARGUMENTS = {
    "conversation_id": "c0",
    "message_id": "m0",
    "messages": [said("new", id="new")],
    "message": said("new", id="m0"),
    "conversation": Conversation(id="c0", title="new"),
    "feedback": Feedback(rating="good"),
    "older_than": datetime(3000, 1, 1, tzinfo=UTC),
    "content": "hello",
}
"""What a write is called with, by the name of its argument; each would change something."""
WRITES = [operation for operation in Operation if OPERATIONS[operation].access == "write"]
REPLIES = {Operation.REPLY, Operation.STREAM_REPLY, Operation.ANSWER, Operation.STREAM_ANSWER}
BATCHED = [operation for operation in WRITES if operation not in REPLIES]


class Stepwise(EchoAdapter):
    """Stores each write for itself, so that a batch can be stopped within."""

    traits = replace(EchoAdapter.traits, batches="none")


class House:
    """A store that can do everything, and the same store read-only, of one of the classes."""

    def __init__(self, face, adapter=Stepwise):
        self.face = face
        self.adapter = adapter(DSN.parse("echo://"), adapter.Options())
        self.store = ConversationStore(self.adapter, self.adapter.transport())
        for number in range(2):
            self.store.create_conversation(id=f"c{number}", title=f"title {number}")
            self.store.append_messages(f"c{number}", numbered(0, 1))
        self.before = self.state()

    def state(self):
        return [(each, list(self.store.messages(each.id))) for each in self.store.conversations()]

    def open(self, adapter=None):
        """Open a store of the class, over an adapter or this one's."""
        adapter = adapter or self.adapter
        if self.face == "sync":
            return ConversationStore(adapter, adapter.transport())
        return AsyncConversationStore(adapter, adapter.async_transport())

    def readers(self):
        """The ways to have the store read-only."""
        return [
            self.open(read_only(self.adapter)),
            self.open().view(read_only),
            self.open().view(lambda adapter: read_only(read_only(adapter))),
        ]

    def run(self, make):
        if self.face == "sync":
            return make()

        async def main():
            result = make()
            return await result if hasattr(result, "__await__") else result

        return asyncio.run(main())

    def refuses(self, make):
        with pytest.raises(ForbiddenError, match="read-only") as caught:
            self.run(make)
        assert self.state() == self.before
        return caught.value


@pytest.fixture(params=["sync", "async"])
def face(request):
    return request.param


@pytest.fixture
def house(face):
    return House(face)


def arguments(operation):
    given = {name: ARGUMENTS.get(name) for name in OPERATIONS[operation].arguments}
    if operation == Operation.REPLACE_MESSAGES:
        given["after"] = None
    return given


def stream(reader, operation, given):
    """Begin a stream, which sends its question when it is entered."""
    if isinstance(reader, ConversationStore):
        with getattr(reader, operation)(**given) as events:
            list(events)
        return None

    async def main():
        async with getattr(reader, operation)(**given) as events:
            async for _ in events:
                pass

    return main()


@for_each("operation", WRITES)
def test_each_write_is_refused(house, operation):
    given = arguments(operation)
    if operation in {Operation.ANSWER, Operation.STREAM_ANSWER}:
        given = {"conversation_id": "c0", "answer": "x"}
    for reader in house.readers():
        if operation in {Operation.STREAM_REPLY, Operation.STREAM_ANSWER}:
            error = house.refuses(partial(stream, reader, operation, given))
        else:
            error = house.refuses(partial(getattr(reader, operation), **given))
        assert error.operation == operation


@for_each("operation", BATCHED)
@for_each("atomic", [True, False])
@for_each("adapter", [EchoAdapter, Stepwise])
def test_each_write_is_refused_in_a_batch(face, operation, atomic, adapter):
    house = House(face, adapter)
    calls = [WriteCall(operation, **arguments(operation))]
    for reader in house.readers():
        house.refuses(partial(reader.write_batch, calls, atomic=atomic))


def test_a_mirror_an_import_and_a_batch_of_all_writes_change_nothing(house, tmp_path):
    other = House(house.face)
    other.store.append_messages("c0", [said("later", id="later")])
    other.store.create_conversation(id="more", created_at=later(0))
    path = tmp_path / "other.jsonl"
    export_conversations(other.store, path)
    transfer, load = (
        (mirror, import_conversations) if house.face == "sync" else (amirror, aimport_conversations)
    )
    house.run(lambda: transfer(other.open(), house.open(), name="other"))
    other.store.delete_conversation("c1")
    house.before = house.state()
    assert len(house.before) == 5
    everything = [WriteCall(operation, **arguments(operation)) for operation in BATCHED]
    for reader in house.readers():
        for options in ({}, {"delete": True}, {"full": True}, {"dry_run": True}):
            house.refuses(partial(transfer, other.open(), reader, name="other", **options))
        house.refuses(partial(load, path, reader))
        house.refuses(partial(load, path, reader, dry_run=True))
        house.refuses(partial(reader.write_batch, everything, atomic=False))


def test_as_a_source_it_is_read_as_the_store_is(house, tmp_path):
    transfer, save = (
        (mirror, export_conversations) if house.face == "sync" else (amirror, aexport_conversations)
    )
    pairs = zip(house.readers(), house.readers(), strict=True)  # an async one is of one loop
    for number, (reader, again) in enumerate(pairs):
        target = House(house.face)
        target.store.clear_conversations()
        assert house.run(partial(transfer, reader, target.open())).copied == 2
        path = tmp_path / f"{number}.jsonl"
        assert house.run(partial(save, again, path)).messages == 4
        assert [each for _, each in target.state()] == [each for _, each in house.before]
        assert house.state() == house.before
