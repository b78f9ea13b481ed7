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
from copy import copy, deepcopy
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
    ConversationFilter,
    Feedback,
    Listing,
    Message,
    NewConversation,
    Origin,
    Page,
)
from ._base import Adapter, AdapterOptions
from ._pagination import read_position
from ._traits import Traits
from ._transport import AsyncIncomingReply, AsyncTransport, IncomingReply, Transport
from .write_rules import (
    absent_conversation,
    absent_message,
    absent_start,
    are_same_messages,
    changed_fields,
    check_popped_tip,
    check_replaced_tip,
    check_replacement,
    check_tip,
    edited_message,
    forked_conversation,
    made_conversation,
    missing_tip,
    new_revision,
    require_json,
    same_conversation,
    taken_conversation,
    unstored_messages,
    updated_time,
)

if TYPE_CHECKING:
    from ..search import Hit, Search

__all__ = [
    "AsyncMemoryTransport",
    "Call",
    "MemoryAdapter",
    "MemoryOptions",
    "MemoryTransport",
    "void",
]

T = TypeVar("T")
Item = TypeVar("Item")
_Place: TypeAlias = tuple[Any, ...]
"""The sort key of an item of a list: what its cursors say."""

Call: TypeAlias = Callable[[], object]
"""A request to the memory: a function that is called while the lock is held."""


@dataclass(slots=True)
class _Entry:
    conversation: Conversation
    made_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    messages: dict[int, Message] = field(default_factory=dict)
    next_sequence: int = 0

    def __post_init__(self) -> None:
        self.revise()

    def find(self, message_id: str) -> int | None:
        return next((seq for seq, item in self.messages.items() if item.id == message_id), None)

    def put(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        now = datetime.now(UTC)
        stored = tuple([message.trusted_copy(stored_at=now) for message in messages])
        for message in stored:
            self.messages[self.next_sequence] = message
            self.next_sequence += 1
        return stored

    def after(self, sequence: int) -> list[Message]:
        return [message for seq, message in self.messages.items() if seq > sequence]

    @property
    def tip(self) -> str | None:
        return self.messages[next(reversed(self.messages))].id if self.messages else None

    def revise(self, **changes: object) -> None:
        """Change the conversation's fields, and its revision."""
        self.conversation = self.conversation.trusted_copy(**changes, revision=new_revision())

    def take_in(self, conversation: Conversation) -> None:
        """Take the fields of a conversation, as they are."""
        self.conversation = conversation
        self.revise()

    def touch(self, messages: Sequence[Message] = ()) -> None:
        """Note that the content has changed, by these messages if any were added."""
        now = self.conversation
        self.revise(updated_at=updated_time(now.created_at, now.updated_at, self.made_at, messages))


@dataclass(slots=True)
class _Shelf:
    kept: dict[str, _Entry] = field(default_factory=dict)
    copies: dict[int, _Entry] | None = None
    """During a batch, the entries that it reached for as they were then, by their identities.

    A conversation that it deletes and makes again is another entry of the same id.
    """

    def __getitem__(self, conversation_id: str) -> _Entry:
        try:
            row = self.kept[conversation_id]
        except KeyError:
            raise absent_conversation(conversation_id) from None
        if self.copies is not None and id(row) not in self.copies:
            self.copies[id(row)] = saved = copy(row)
            saved.messages = dict(row.messages)
        return row

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Take back all that is done within if it raises."""
        before = dict(self.kept)
        copies: dict[int, _Entry] = {}
        self.copies = copies
        try:
            yield
        except BaseException:
            self.kept = {key: copies.get(id(row), row) for key, row in before.items()}
            raise
        finally:
            self.copies = None


class _Memory:
    """The contents of one address: the conversations of its namespaces, under one lock."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._shelves: dict[str, _Shelf] = {}

    def shelf(self, namespace: str) -> _Shelf:
        with self.lock:
            return self._shelves.setdefault(namespace, _Shelf())


_memories: Final[dict[str, _Memory]] = {}


def _do(call: Callable[[], T]) -> Flow[Call, object, T]:
    return (yield call)  # type: ignore[return-value]  # a reply is what its call returned


class MemoryOptions(AdapterOptions):
    """The options of a store in memory.

    Attributes:
        namespace: The namespace of the conversations; those of other namespaces are out of reach.
    """

    namespace: str = ""


class MemoryAdapter(Adapter[Call, object]):
    """An adapter that keeps conversations in this process; see the module."""

    name: ClassVar[str] = "memory"
    Options = MemoryOptions
    traits = Traits(
        order="pinned_then_active",
        updated_at="content",
        batches="atomic",
        starts=frozenset({"conversations", "messages"}),
        orders=frozenset({"newest_first", "oldest_first"}),
        filters=frozenset({"owner"}),
        changes=frozenset({"title", "pinned", "owner", "metadata"}),
    )

    def __init__(self, dsn: DSN, options: object) -> None:
        super().__init__(dsn, options)
        self._memory = _memories.setdefault(dsn.host, _Memory()) if dsn.host else _Memory()
        self.enter_namespace(getattr(options, "namespace", ""))

    def enter_namespace(self, name: str) -> None:
        super().enter_namespace(name)
        self._shelf = self._memory.shelf(name)

    @property
    def store_key(self) -> object:
        return self._memory, self.namespace

    def transport(self) -> Transport[Call, object]:
        return MemoryTransport(self._memory.lock)

    def async_transport(self) -> AsyncTransport[Call, object]:
        return AsyncMemoryTransport(self._memory.lock)

    def batch(
        self, flows: Sequence[Flow[Call, object, Any]]
    ) -> Flow[Call, object, tuple[Any, ...]]:
        def call() -> tuple[Any, ...]:
            with self._shelf.transaction():
                return tuple([run(flow, lambda inner: inner()) for flow in flows])

        return _do(call)

    def list_conversations(self, listing: Listing) -> Flow[Call, object, Page[Conversation]]:
        def call() -> Page[Conversation]:
            found = self._matching(listing.older_than, listing.owner)
            rows = sorted([(_rank(entry.conversation), entry.conversation) for entry in found])
            page = _cut(rows, listing, (bool, float, str), descending=listing.reverse)
            return replace(page, items=tuple(map(_handed_out, page.items)))

        return _do(call)

    def count_conversations(self) -> Flow[Call, object, int]:
        return _do(lambda: len(self._shelf.kept))

    def _matching(self, older_than: datetime | None, owner: object) -> Iterator[_Entry]:
        for entry in self._shelf.kept.values():
            active = entry.conversation.last_active_at
            if older_than is not None and (active is None or active >= older_than):
                continue
            if owner is UNSET or entry.conversation.owner == owner:
                yield entry

    def get_conversation(self, conversation_id: str) -> Flow[Call, object, Conversation]:
        return _do(lambda: _handed_out(self._shelf[conversation_id].conversation))

    def list_messages(
        self, conversation_id: str, listing: Listing
    ) -> Flow[Call, object, Page[Message]]:
        def call() -> Page[Message]:
            messages = self._shelf[conversation_id].messages
            rows = [((seq,), message) for seq, message in messages.items()]
            return _cut(rows, listing, (int,), descending=listing.order == "newest_first")

        return _do(call)

    def get_message(self, conversation_id: str, message_id: str) -> Flow[Call, object, Message]:
        def call() -> Message:
            entry = self._shelf[conversation_id]
            return entry.messages[_sequence(entry, message_id)]

        return _do(call)

    def create_conversation(self, new: NewConversation) -> Flow[Call, object, Conversation]:
        def call() -> Conversation:
            conversation_id = new.id or secrets.token_hex(16)
            if conversation_id in self._shelf.kept:
                stored = self._shelf[conversation_id].conversation
                return _handed_out(same_conversation(stored, new))
            entry = _Entry(made_conversation(conversation_id, new))
            self._shelf.kept[conversation_id] = entry
            return _handed_out(entry.conversation)

        return _do(call)

    def put_conversation(self, conversation: Conversation) -> Flow[Call, object, None]:
        def call() -> None:
            require_json(conversation)
            taken_in = _handed_out(conversation)
            if conversation.id in self._shelf.kept:
                self._shelf[conversation.id].take_in(taken_in)
            else:
                self._shelf.kept[conversation.id] = _Entry(taken_in)

        return _do(call)

    def fork_conversation(
        self,
        conversation_id: str,
        message_id: str,
        new_id: str | None,
        change: ConversationChange,
    ) -> Flow[Call, object, Conversation]:
        def call() -> Conversation:
            entry = self._shelf[conversation_id]
            last = _sequence(entry, message_id)
            origin = Origin(store=self.label, conversation_id=conversation_id)
            fork = forked_conversation(
                entry.conversation, new_id or secrets.token_hex(16), origin, change
            )
            if fork.id in self._shelf.kept:
                raise taken_conversation(fork.id)
            copied = self._shelf.kept[fork.id] = _Entry(fork)
            copied.messages = {
                number: message
                for number, (seq, message) in enumerate(entry.messages.items())
                if seq <= last
            }
            copied.next_sequence = len(copied.messages)
            return _handed_out(copied.conversation)

        return _do(call)

    def append_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | AnyTip | None
    ) -> Flow[Call, object, tuple[Message, ...]]:
        def call() -> tuple[Message, ...]:
            entry = self._shelf[conversation_id]
            require_json(*messages)
            stored = {message.id: message for message in entry.messages.values()}
            fresh = unstored_messages(messages, stored)
            if fresh:
                repeated = {message.id for message in messages if message.id in stored}
                check_tip(entry.tip, after, repeated)
                stored |= {message.id: message for message in entry.put(fresh)}
                entry.touch(fresh)
            return tuple(stored[message.id] for message in messages)

        return _do(call)

    def replace_messages(
        self,
        conversation_id: str,
        messages: Sequence[Message],
        after: str | None,
        tip: str | AnyTip | None,
    ) -> Flow[Call, object, tuple[Message, ...]]:
        def call() -> tuple[Message, ...]:
            entry = self._shelf[conversation_id]
            require_json(*messages)
            last = -1 if after is None else entry.find(after)
            if last is None:
                raise missing_tip(str(after))
            tail = entry.after(last)
            if are_same_messages(tail, messages):
                return tuple(tail)
            check_replaced_tip(entry.tip, tip)
            head = {seq: message for seq, message in entry.messages.items() if seq <= last}
            check_replacement(messages, {message.id: message for message in head.values()})
            entry.messages = head
            stored = entry.put(messages)
            entry.touch(messages)
            return stored

        return _do(call)

    def update_message(
        self, conversation_id: str, message: Message, was: Message | AnyTip
    ) -> Flow[Call, object, Message]:
        def call() -> Message:
            entry = self._shelf[conversation_id]
            require_json(message)
            sequence = _sequence(entry, message.id)
            stored = entry.messages[sequence]
            edited = edited_message(stored, message, was)
            if edited is not stored:
                entry.messages[sequence] = edited
                entry.touch()
            return edited

        return _do(call)

    def update_conversation(
        self, conversation_id: str, change: ConversationChange
    ) -> Flow[Call, object, None]:
        def call() -> None:
            entry = self._shelf[conversation_id]
            if changes := changed_fields(entry.conversation, change):
                entry.revise(**changes)

        return _do(call)

    def delete_conversation(self, conversation_id: str) -> Flow[Call, object, None]:
        return _do(lambda: void(self._shelf.kept.pop(conversation_id, None)))

    def delete_conversations(self, which: ConversationFilter) -> Flow[Call, object, int]:
        def call() -> int:
            found = list(self._matching(which.older_than, which.owner))
            for entry in found:
                del self._shelf.kept[entry.conversation.id]
            return len(found)

        return _do(call)

    def clear_conversations(self) -> Flow[Call, object, None]:
        return _do(lambda: self._shelf.kept.clear())

    def delete_message(
        self, conversation_id: str, message_id: str
    ) -> Flow[Call, object, bool | None]:
        def call() -> bool:
            entry = self._shelf[conversation_id]
            sequence = entry.find(message_id)
            if sequence is None:
                return False
            del entry.messages[sequence]
            entry.touch()
            return True

        return _do(call)

    def pop_message(
        self, conversation_id: str, tip: str | AnyTip
    ) -> Flow[Call, object, Message | None]:
        def call() -> Message | None:
            entry = self._shelf[conversation_id]
            check_popped_tip(entry.tip, tip)
            if not entry.messages:
                return None
            _, message = entry.messages.popitem()
            entry.touch()
            return message

        return _do(call)

    def set_feedback(
        self, conversation_id: str, message_id: str, feedback: Feedback | None
    ) -> Flow[Call, object, None]:
        def call() -> None:
            entry = self._shelf[conversation_id]
            sequence = _sequence(entry, message_id)
            message = entry.messages[sequence]
            if message.feedback != feedback:
                entry.messages[sequence] = message.trusted_copy(feedback=feedback)
                entry.revise()

        return _do(call)

    def search(self, search: Search, listing: Listing) -> Flow[Call, object, Page[Hit]]:
        def call() -> Page[Hit]:
            ranked = sorted(self._found(search), key=lambda pair: pair[0])
            page = _cut(ranked, listing, (int, float, str, int), descending=False)
            return replace(page, total=None)

        return _do(call)

    def _found(self, search: Search) -> Iterator[tuple[tuple[int, float, str, int], Hit]]:
        """Yield the hits with their ranks: titles first, then by time, id and sequence."""
        for entry in self._matching(None, search.owner):
            conversation = _handed_out(entry.conversation)
            if search.conversation_id not in {None, conversation.id}:
                continue
            created_at = conversation.created_at or entry.made_at
            if search.role is None and search.covers(created_at):
                hit = search.title_hit(conversation)
                if hit is not None:
                    yield (0, -created_at.timestamp(), conversation.id, 0), hit
            for seq, message in entry.messages.items():
                time = message.created_at or message.stored_at or entry.made_at
                if search.role in {None, message.role} and search.covers(time):
                    hit = search.message_hit(conversation, message)
                    if hit is not None:
                        yield (1, -time.timestamp(), conversation.id, -seq), hit


def _cut(
    rows: Sequence[tuple[_Place, Item]],
    listing: Listing,
    kinds: tuple[type, ...],
    *,
    descending: bool,
) -> Page[Item]:
    """Return a page of the items that are sorted by their places.

    Raises:
        NotFoundError: The item that the page begins with is not among them.
    """
    total = len(rows)
    rows = rows[::-1] if descending else rows
    if listing.start is not None:
        rows = rows[_index(rows, listing.start) :]
    if listing.cursor is not None:
        last = tuple(read_position(listing.cursor, *kinds))
        rows = [row for row in rows if (row[0] < last if descending else row[0] > last)]
    page = rows[: listing.limit]
    cursor = json.dumps(page[-1][0], ensure_ascii=False) if len(page) < len(rows) else None
    return Page(items=tuple([item for _, item in page]), cursor=cursor, total=total)


def _index(rows: Sequence[tuple[_Place, Any]], item_id: str) -> int:
    for index, (_, item) in enumerate(rows):
        if item.id == item_id:
            return index
    raise absent_start(item_id)


def _handed_out(conversation: Conversation) -> Conversation:
    """Return a conversation whose metadata is a copy: a caller may change it."""
    if not conversation.metadata:
        return conversation
    return conversation.trusted_copy(metadata=deepcopy(conversation.metadata))


def _sequence(entry: _Entry, message_id: str) -> int:
    if (sequence := entry.find(message_id)) is None:
        raise absent_message(entry.conversation.id, message_id)
    return sequence


def void(_: object) -> None:
    """Discard a value, so that a lambda can return None."""


def _rank(row: Conversation) -> _Place:
    """Return the sort key: pinned ones first, then by latest activity, then by id."""
    active = row.last_active_at
    return (not row.pinned, -active.timestamp() if active else 0.0, row.id)


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
