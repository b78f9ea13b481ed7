"""Stores in memory for the tests of mirroring: watched, cut short, or able to do less than all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from convostore import (
    DSN,
    AsyncConversationStore,
    Conversation,
    ConversationStore,
    Message,
    Operation,
    TextPart,
)
from convostore.adapters import Adapter, AdapterOptions, AsyncTransport, Transport
from convostore.adapters.memory import MemoryAdapter
from convostore.transfer import MirrorReport, amirror, mirror
from convostore.transfer._target import UNSETTLED

READS = {"list_conversations", "get_conversation", "list_messages"}
WRITES = set(Operation) - READS
START = datetime(2025, 5, 1, tzinfo=UTC)
_names = count()


@dataclass
class Watch:
    """What reached a store, by the names of the operations; `before` may refuse it."""

    before: Callable[[str], None] = lambda operation: None
    operations: list[str] = field(default_factory=list)

    def see(self, request: Any) -> None:
        _, operation, *_ = request.__qualname__.split(".")
        self.before(operation)
        self.operations.append(operation)

    @property
    def writes(self) -> list[str]:
        return [each for each in self.operations if each in WRITES]

    def clear(self) -> None:
        self.operations.clear()
        self.before = lambda operation: None


class Killed(BaseException):
    """What ends a process: nothing catches it."""


def killer(survived: int) -> Callable[[str], None]:
    """Lets so many writes through, and then none."""
    left = iter(range(survived))

    def before(operation: str) -> None:
        if operation in WRITES and next(left, None) is None:
            raise Killed

    return before


def refuse_writes(operation: str) -> None:
    assert operation in READS, f"{operation} was asked for"


@dataclass
class WatchedTransport(Transport):
    inner: Transport
    watch: Watch

    def send(self, request: Any) -> Any:
        self.watch.see(request)
        return self.inner.send(request)


@dataclass
class WatchedAsyncTransport(AsyncTransport):
    inner: AsyncTransport
    watch: Watch

    async def send(self, request: Any) -> Any:
        self.watch.see(request)
        return await self.inner.send(request)


class SteppedMemory(MemoryAdapter):
    """A memory without batches, so that each write can be watched, and be the last one."""

    traits = replace(MemoryAdapter.traits, batches="none")


class Place:
    """A memory that both faces open, with a label of its own; it may be unable to do some things.

    Args:
        *lacks: Operations that it does not offer.
        adapter: What it is made of.
    """

    def __init__(self, *lacks: str, adapter: type[Adapter] = SteppedMemory) -> None:
        self.adapter = adapter(DSN.parse(f"memory://{next(_names)}-place"), AdapterOptions())
        self.adapter.offers -= {Operation(each) for each in lacks}
        self.watch = Watch()
        self.store = ConversationStore(
            self.adapter, WatchedTransport(self.adapter.transport(), self.watch)
        )

    def open_async(self) -> AsyncConversationStore:
        inner = self.adapter.async_transport()
        return AsyncConversationStore(self.adapter, WatchedAsyncTransport(inner, self.watch))

    @property
    def name(self) -> str:
        return self.store.label


def said(text: str, **fields: Any) -> Message:
    return Message(role="user", parts=(TextPart(text=text),), **fields)


def numbered(*numbers: int, **fields: Any) -> list[Message]:
    """Messages with ids and texts by their numbers."""
    return [said(f"text {each}", id=f"m{each}", **fields) for each in numbers]


def put(
    place: Place, conversation_id: str, messages: Iterable[Message], **fields: Any
) -> Conversation:
    """Makes a conversation just so, or all of it anew; its time is a known one unless given."""
    fields = {"title": "a title", "updated_at": START} | fields
    conversation = Conversation(id=conversation_id, **fields)
    place.store.put_conversation(conversation)
    place.store.replace_messages(conversation_id, list(messages), after=None)
    place.store.put_conversation(conversation)
    return conversation


def later(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def copies_of(target: Place, name: str) -> dict[str, Conversation]:
    """The copies by the ids of what they are of; none twice."""
    of_it = [
        each
        for each in target.store.conversations()
        if each.origin is not None and each.origin.store == name
    ]
    by_id = {each.origin.conversation_id: each for each in of_it if each.origin is not None}
    assert len(by_id) == len(of_it)
    return by_id


def assert_equal(source: Place, target: Place, *, name: str | None = None) -> None:
    """Every conversation has its one copy, which holds all that it holds; there are no others."""
    copies = copies_of(target, name or source.name)
    originals = {each.id: each for each in source.store.conversations()}
    assert copies.keys() == originals.keys()
    for conversation_id, original in originals.items():
        copy, messages = copies[conversation_id], messages_of(source, conversation_id)
        generating = any(each.status == "generating" for each in messages)
        problems = (*original.problems, UNSETTLED) if generating else original.problems
        kept = {"id": copy.id, "origin": copy.origin, "problems": problems}
        assert copy == original.model_copy(update=kept)
        assert messages_of(target, copy.id) == messages


def messages_of(place: Place, conversation_id: str) -> list[Message]:
    return list(place.store.messages(conversation_id))


def texts_of(place: Place, conversation_id: str) -> list[str]:
    return [each.text for each in messages_of(place, conversation_id)]


def mirrored(face: str, source: Place, target: Place, **options: Any) -> MirrorReport:
    """Mirrors on one of the faces; what went before is forgotten by both watches."""
    source.watch.operations.clear()
    target.watch.operations.clear()
    if face == "sync":
        return mirror(source.store, target.store, **options)

    async def run() -> MirrorReport:
        async with source.open_async() as one, target.open_async() as other:
            return await amirror(one, other, **options)

    return asyncio.run(run())
