"""MemoryAdapter: the reference of a store's behaviour, and a test double for applications.

It does everything that a store can promise, in the simplest way; the contract kit holds other
adapters to the same. `memory://` is a new store each time, `memory://name` the same one throughout
a process. Nothing is written to disk here.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias, TypeVar, cast

from ..dsn import DSN
from ..errors import InvalidError
from ..flow import Flow, run
from ..models import (
    UNSET,
    AnyTip,
    Conversation,
    ConversationChange,
    Feedback,
    Listing,
    Message,
    NewConversation,
    Origin,
    Page,
    Unset,
)
from ._base import Adapter, Traits
from ._pagination import read_position
from ._transport import AsyncIncomingReply, AsyncTransport, IncomingReply, Transport
from .write_rules import (
    absent_conversation,
    absent_message,
    check_replacement,
    check_tip,
    missing_tip,
    moved_on,
    same_conversation,
    taken_conversation,
    unstored_messages,
)

if TYPE_CHECKING:
    from ..search import Hit, Search

__all__ = ["AsyncMemoryTransport", "Call", "MemoryAdapter", "MemoryTransport", "void"]

T = TypeVar("T")

Call: TypeAlias = Callable[[], object]
"""A request to the memory: a function that is called while the lock is held."""


@dataclass(slots=True)
class _Entry:
    conversation: Conversation
    stored_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    messages: dict[int, Message] = field(default_factory=dict)
    times: dict[int, datetime] = field(default_factory=dict)
    next_sequence: int = 0

    def find(self, message_id: str) -> int | None:
        return next((seq for seq, item in self.messages.items() if item.id == message_id), None)

    def put(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self.messages[self.next_sequence] = message
            self.times[self.next_sequence] = message.created_at or datetime.now(UTC)
            self.next_sequence += 1


@dataclass(slots=True)
class _Shelf:
    kept: dict[str, _Entry] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    copies: dict[str, _Entry] | None = None
    """During a batch, the conversations that it reached for, as they were before it."""

    def __getitem__(self, conversation_id: str) -> _Entry:
        try:
            row = self.kept[conversation_id]
        except KeyError:
            raise absent_conversation(conversation_id) from None
        if self.copies is not None and conversation_id not in self.copies:
            self.copies[conversation_id] = replace(
                row, messages=dict(row.messages), times=dict(row.times)
            )
        return row

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Take back all that is done within if it raises."""
        before = dict(self.kept)
        copies: dict[str, _Entry] = {}
        self.copies = copies
        try:
            yield
        except BaseException:
            self.kept = {key: copies.get(key, row) for key, row in before.items()}
            raise
        finally:
            self.copies = None


_shelves: Final[dict[str, _Shelf]] = {}


def _do(call: Callable[[], T]) -> Flow[Call, object, T]:
    return (yield call)  # type: ignore[return-value]  # a reply is what its call returned


class MemoryAdapter(Adapter[Call, object]):
    """An adapter that keeps conversations in this process; see the module."""

    name: ClassVar[str] = "memory"
    traits = Traits(order="pinned_then_active", updated_at="content", batches="atomic")

    def __init__(self, dsn: DSN, options: object) -> None:
        super().__init__(dsn, options)
        self._shelf = _shelves.setdefault(dsn.host, _Shelf()) if dsn.host else _Shelf()

    def transport(self) -> Transport[Call, object]:
        return MemoryTransport(self._shelf.lock)

    def async_transport(self) -> AsyncTransport[Call, object]:
        return AsyncMemoryTransport(self._shelf.lock)

    def batch(
        self, flows: Sequence[Flow[Call, object, Any]]
    ) -> Flow[Call, object, tuple[Any, ...]]:
        def call() -> tuple[Any, ...]:
            with self._shelf.transaction():
                return tuple([run(flow, lambda inner: inner()) for flow in flows])

        return _do(call)

    def list_conversations(self, listing: Listing) -> Flow[Call, object, Page[Conversation]]:
        def call() -> Page[Conversation]:
            rows = sorted(self._older(listing.older_than), key=_rank)
            total = len(rows)
            if listing.cursor is not None:
                last = read_position(listing.cursor, bool, float, str)
                rows = [row for row in rows if list(_rank(row)) > last]
            page = tuple(rows[: listing.limit])
            more = len(page) < len(rows)
            return Page(
                items=page,
                cursor=json.dumps(_rank(page[-1])) if more else None,
                total=total,
            )

        return _do(call)

    def _older(self, time: datetime | None) -> Iterator[Conversation]:
        for entry in self._shelf.kept.values():
            active = entry.conversation.last_active_at
            if time is None or (active is not None and active < time):
                yield entry.conversation

    def get_conversation(self, conversation_id: str) -> Flow[Call, object, Conversation]:
        return _do(lambda: self._shelf[conversation_id].conversation)

    def list_messages(
        self, conversation_id: str, listing: Listing
    ) -> Flow[Call, object, Page[Message]]:
        def call() -> Page[Message]:
            rows = list(self._shelf[conversation_id].messages.items())
            total = len(rows)
            if listing.order == "newest_first":
                rows.reverse()
            if listing.cursor is not None:
                (last,) = read_position(listing.cursor, int)
                backwards = listing.order == "newest_first"
                rows = [row for row in rows if (row[0] < last if backwards else row[0] > last)]
            page = rows[: listing.limit]
            cursor = json.dumps([page[-1][0]]) if len(page) < len(rows) else None
            return Page(items=tuple(row[1] for row in page), cursor=cursor, total=total)

        return _do(call)

    def create_conversation(self, new: NewConversation) -> Flow[Call, object, Conversation]:
        def call() -> Conversation:
            conversation_id = new.id or secrets.token_hex(16)
            conversation = Conversation(
                id=conversation_id,
                title=new.title,
                created_at=new.created_at,
                updated_at=datetime.now(UTC),
                origin=new.origin,
            )
            if conversation_id in self._shelf.kept:
                return same_conversation(self._shelf[conversation_id].conversation, new)
            self._shelf.kept[conversation_id] = _Entry(conversation)
            return conversation

        return _do(call)

    def put_conversation(self, conversation: Conversation) -> Flow[Call, object, None]:
        def call() -> None:
            self._shelf.kept.setdefault(conversation.id, _Entry(conversation))
            self._shelf[conversation.id].conversation = conversation

        return _do(call)

    def fork_conversation(
        self, conversation_id: str, message_id: str, new_id: str | None, title: str | Unset | None
    ) -> Flow[Call, object, Conversation]:
        def call() -> Conversation:
            entry = self._shelf[conversation_id]
            last = _sequence(entry, message_id)
            conversation = Conversation(
                id=new_id or secrets.token_hex(16),
                title=entry.conversation.title if title is UNSET else title,
                updated_at=datetime.now(UTC),
                origin=Origin(store=self.label, conversation_id=conversation_id),
            )
            if conversation.id in self._shelf.kept:
                raise taken_conversation(conversation.id)
            fork = self._shelf.kept[conversation.id] = _Entry(conversation)
            fork.put([message for seq, message in entry.messages.items() if seq <= last])
            fork.times = dict(enumerate(entry.times[seq] for seq in entry.messages if seq <= last))
            return conversation

        return _do(call)

    def append_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | AnyTip | None
    ) -> Flow[Call, object, tuple[Message, ...]]:
        def call() -> tuple[Message, ...]:
            entry = self._shelf[conversation_id]
            stored = {message.id: message for message in entry.messages.values()}
            fresh = unstored_messages(messages, stored)
            if fresh:
                repeated = {message.id for message in messages if message.id in stored}
                check_tip(next(reversed(stored), None), after, repeated)
                entry.put(fresh)
                _touch(entry)
            stored |= {message.id: message for message in fresh}
            return tuple(stored[message.id] for message in messages)

        return _do(call)

    def replace_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | None
    ) -> Flow[Call, object, tuple[Message, ...]]:
        def call() -> tuple[Message, ...]:
            entry = self._shelf[conversation_id]
            last = -1 if after is None else entry.find(after)
            if last is None:
                raise missing_tip(str(after))
            head = {seq: message for seq, message in entry.messages.items() if seq <= last}
            check_replacement(messages, {message.id: message for message in head.values()})
            entry.messages = head
            entry.put(messages)
            _touch(entry)
            return tuple(messages)

        return _do(call)

    def update_conversation(
        self, conversation_id: str, change: ConversationChange
    ) -> Flow[Call, object, None]:
        def call() -> None:
            entry = self._shelf[conversation_id]
            fields = {"title": change.title, "pinned": change.pinned}
            entry.conversation = entry.conversation.model_copy(
                update={name: value for name, value in fields.items() if value is not UNSET}
            )

        return _do(call)

    def delete_conversation(self, conversation_id: str) -> Flow[Call, object, None]:
        return _do(lambda: void(self._shelf.kept.pop(conversation_id, None)))

    def delete_conversations(self, older_than: datetime) -> Flow[Call, object, int]:
        def call() -> int:
            ids = [conversation.id for conversation in self._older(older_than)]
            for conversation_id in ids:
                del self._shelf.kept[conversation_id]
            return len(ids)

        return _do(call)

    def clear_conversations(self) -> Flow[Call, object, None]:
        return _do(lambda: self._shelf.kept.clear())

    def delete_message(self, conversation_id: str, message_id: str) -> Flow[Call, object, None]:
        def call() -> None:
            entry = self._shelf[conversation_id]
            if (sequence := entry.find(message_id)) is not None:
                del entry.messages[sequence]
                _touch(entry)

        return _do(call)

    def set_feedback(
        self, conversation_id: str, message_id: str, feedback: Feedback | None
    ) -> Flow[Call, object, None]:
        def call() -> None:
            entry = self._shelf[conversation_id]
            sequence = _sequence(entry, message_id)
            message = entry.messages[sequence].model_copy(update={"feedback": feedback})
            entry.messages[sequence] = message

        return _do(call)

    def search(self, search: Search, listing: Listing) -> Flow[Call, object, Page[Hit]]:
        def call() -> Page[Hit]:
            ranked = sorted(self._found(search), key=lambda pair: pair[0])
            if listing.cursor is not None:
                last = read_position(listing.cursor, int, float, str, int)
                ranked = [(rank, hit) for rank, hit in ranked if list(rank) > last]
            page = ranked[: listing.limit]
            more = len(page) < len(ranked)
            return Page(
                items=tuple(hit for _, hit in page),
                cursor=json.dumps(page[-1][0]) if more else None,
            )

        return _do(call)

    def _found(self, search: Search) -> Iterator[tuple[tuple[int, float, str, int], Hit]]:
        """Yield the hits with their ranks: titles first, then by time, id and sequence."""
        for entry in self._shelf.kept.values():
            conversation = entry.conversation
            if search.conversation_id not in {None, conversation.id}:
                continue
            created_at = conversation.created_at or entry.stored_at
            if search.role is None and search.covers(created_at):
                hit = search.title_hit(conversation)
                if hit is not None:
                    yield (0, -created_at.timestamp(), conversation.id, 0), hit
            for seq, message in entry.messages.items():
                time = entry.times[seq]
                if search.role in {None, message.role} and search.covers(time):
                    hit = search.message_hit(conversation, message)
                    if hit is not None:
                        yield (1, -time.timestamp(), conversation.id, -seq), hit


def _sequence(entry: _Entry, message_id: str) -> int:
    if (sequence := entry.find(message_id)) is None:
        raise absent_message(entry.conversation.id, message_id)
    return sequence


def void(_: object) -> None:
    """Discard a value, so that a lambda can return None."""


def _rank(row: Conversation) -> tuple[bool, float, str]:
    """Return the sort key: pinned ones first, then by latest activity, then by id."""
    active = row.last_active_at
    return (not row.pinned, -active.timestamp() if active else 0.0, row.id)


def _touch(entry: _Entry) -> None:
    now = moved_on(entry.conversation.updated_at)
    entry.conversation = entry.conversation.model_copy(update={"updated_at": now})


class MemoryTransport(Transport[Call, object]):
    """A transport that makes each call while it holds the lock of the store."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._closed = False

    def send(self, request: Call) -> object:
        if self._closed:
            raise InvalidError("this store is closed: open it again")
        with self._lock:
            return request()

    @contextmanager
    def stream(self, request: Call) -> Iterator[IncomingReply[object]]:
        """Make the call and stream the items it returns."""
        yield IncomingReply(None, iter(cast("Iterable[object]", self.send(request))))

    def close(self) -> None:
        self._closed = True


class AsyncMemoryTransport(AsyncTransport[Call, object]):
    """The async counterpart of `MemoryTransport`; no call waits, so none blocks the loop."""

    def __init__(self, lock: threading.RLock) -> None:
        self._sync = MemoryTransport(lock)

    async def send(self, request: Call) -> object:
        return self._sync.send(request)

    @asynccontextmanager
    async def stream(self, request: Call) -> AsyncIterator[AsyncIncomingReply[object]]:
        with self._sync.stream(request) as incoming:
            yield AsyncIncomingReply(None, _async_iterator(incoming.chunks))

    async def aclose(self) -> None:
        self._sync.close()


async def _async_iterator(chunks: Iterator[object]) -> AsyncIterator[object]:
    for chunk in chunks:
        yield chunk
