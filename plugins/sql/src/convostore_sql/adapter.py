"""The flows of both databases: each operation as queries, a unit of them a transaction.

What a query says stands in `statements`, what a row holds in `rows`; no driver may be known here.
"""

from __future__ import annotations

import json
import secrets
from abc import abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from convostore.adapter import Adapter, Traits
from convostore.dsn import DSN
from convostore.models import (
    ANY,
    UNSET,
    AnyTip,
    Conversation,
    ConversationChange,
    Feedback,
    Health,
    Listing,
    Message,
    NewConversation,
    Origin,
    Page,
    Transcript,
    Unset,
)
from convostore.reading import read_position
from convostore.searching import Hit, Search, searched, words
from convostore.writing import (
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

from .finding import Finder
from .migrations import VERSION
from .rows import (
    PINNED,
    conversation_of,
    conversation_row,
    message_body,
    message_of,
    message_row,
    microseconds,
    namespace_mark,
    rank_of,
    read,
    written,
)
from .statements import Statements
from .tables import CONVERSATION_COLUMNS
from .units import Query, Reply, Row, SQLFlow

_FIRST: Final = (-(2**63) + 1, "")
_ALL: Final = 2**62
_COUNT: Final = CONVERSATION_COLUMNS.index("message_count")
_NEXT: Final = CONVERSATION_COLUMNS.index("next_seq")
_STORED_AT: Final = CONVERSATION_COLUMNS.index("stored_at")


@dataclass(frozen=True, slots=True)
class _Locked:
    """A conversation that no other unit can change before this one has ended.

    Attributes:
        number: The one that the next message of the table gets, where they have one.
    """

    conversation: Conversation
    stored_at: int
    message_count: int
    next_seq: int
    number: int


class SQLAdapter(Adapter[Query, Reply]):
    """A database of one's own; see the module."""

    traits = Traits(order="pinned_then_active", updated_at="content")

    def __init__(self, dsn: DSN, options: Any) -> None:
        super().__init__(dsn, options)
        self._namespace: str = options.namespace
        self._kept_namespace = written(self._namespace)
        self._mark = namespace_mark(self._namespace)

    @property
    @abstractmethod
    def _sql(self) -> Statements:
        """The statements; compiled when they are first wanted."""

    @property
    def _scope(self) -> str:
        """What of the address names the namespace."""
        if not self._namespace:
            return ""
        return f"?namespace={quote(self._namespace, errors='backslashreplace')}"

    # Reading

    def list_conversations(self, listing: Listing) -> SQLFlow[Page[Conversation]]:
        rank, identity = (
            _FIRST if listing.cursor is None else read_position(listing.cursor, int, str)
        )
        limit = _limit(listing)
        values = {"rank": rank, "after_id": identity, "limit": limit + 1}
        if listing.older_than is None:
            query = self._sql.conversations(namespace=self._kept_namespace, **values)
        else:
            query = self._sql.old_conversations(
                namespace=self._kept_namespace, **values, **_older(listing.older_than)
            )
        rows = (yield query).rows
        page = rows[:limit]
        cursor = json.dumps([page[-1][-1], page[-1][0]]) if len(rows) > len(page) else None
        return Page(items=tuple([conversation_of(row[:-1]) for row in page]), cursor=cursor)

    def get_conversation(self, conversation_id: str) -> SQLFlow[Conversation]:
        rows = (yield self._sql.conversation(**self._key(conversation_id))).rows
        if not rows:
            raise absent_conversation(conversation_id)
        return conversation_of(rows[0])

    def list_messages(self, conversation_id: str, listing: Listing) -> SQLFlow[Page[Message]]:
        limit = _limit(listing)
        seq = _ALL if listing.order == "newest_first" else -1
        if listing.cursor is not None:
            (seq,) = read_position(listing.cursor, int)
        statement = self._sql.messages[listing.order]
        rows = (yield statement(**self._key(conversation_id), seq=seq, limit=limit + 1)).rows
        if not rows:
            raise absent_conversation(conversation_id)
        total = rows[0][0]
        page = [] if rows[0][1] is None else rows[:limit]
        cursor = json.dumps([page[-1][1]]) if len(rows) > max(len(page), 1) else None
        return Page(items=tuple([message_of(*row[2:]) for row in page]), cursor=cursor, total=total)

    def read_transcript(
        self, conversation_id: str, known: Conversation | None = None
    ) -> SQLFlow[Transcript]:
        conversation = known or (yield from self.get_conversation(conversation_id))
        page = yield from self.list_messages(conversation_id, Listing())
        return Transcript(
            conversation_id=conversation_id, conversation=conversation, messages=page.items
        )

    def search(self, search: Search, listing: Listing) -> SQLFlow[Page[Hit]]:
        return Finder(self._sql, self._namespace, search).page(listing)

    def check(self) -> SQLFlow[Health]:
        yield self._sql.version()
        return Health(generation=f"{self.name}, tables of version {VERSION}")

    # Conversations

    def create_conversation(self, new: NewConversation) -> SQLFlow[Conversation]:
        identity = new.id or secrets.token_hex(16)
        there = yield from self._look(identity)
        if there is not None:
            return same_conversation(there.conversation, new)
        made = Conversation(
            id=identity,
            title=new.title,
            created_at=new.created_at,
            updated_at=datetime.now(UTC),
            origin=new.origin,
        )
        yield from self._insert(made)
        return made

    def put_conversation(self, conversation: Conversation) -> SQLFlow[None]:
        there = yield from self._look(conversation.id)
        if there is None:
            yield from self._insert(conversation)
        else:
            yield from self._save(there, conversation)

    def update_conversation(
        self, conversation_id: str, change: ConversationChange
    ) -> SQLFlow[None]:
        there = yield from self._lock(conversation_id)
        given = {"title": change.title, "pinned": change.pinned}
        changes = {name: value for name, value in given.items() if value is not UNSET}
        yield from self._save(there, there.conversation.model_copy(update=changes))

    def fork_conversation(
        self, conversation_id: str, message_id: str, new_id: str | None, title: str | Unset | None
    ) -> SQLFlow[Conversation]:
        there = yield from self._lock(conversation_id)
        seq, _, _ = yield from self._message(conversation_id, message_id)
        fork = Conversation(
            id=new_id or secrets.token_hex(16),
            title=there.conversation.title if title is UNSET else title,
            updated_at=datetime.now(UTC),
            origin=Origin(store=self.label, conversation_id=conversation_id),
        )
        if (yield from self._look(fork.id)) is not None:
            raise taken_conversation(fork.id)
        key = self._key(conversation_id)
        count = (yield self._sql.message_count(**key, seq=seq)).rows[0][0]
        yield from self._insert(fork, message_count=count, next_seq=seq + 1)
        for statement in self._sql.fork_messages:
            yield statement(**key, new_id=written(fork.id), seq=seq)
        return fork

    def delete_conversation(self, conversation_id: str) -> SQLFlow[None]:
        yield from self._lock(conversation_id)
        key = self._key(conversation_id)
        yield self._sql.delete_messages(**key, seq=-1)
        yield self._sql.delete_conversation(**key)

    def delete_conversations(self, older_than: datetime) -> SQLFlow[int]:
        query = self._sql.locked_old_ids(namespace=self._kept_namespace, **_older(older_than))
        old = [row[0] for row in (yield query).rows]
        values = {"namespace": self._kept_namespace, "ids": self._sql.texts(old)}
        yield self._sql.delete_listed_messages(**values)
        yield self._sql.delete_listed(**values)
        return len(old)

    def clear_conversations(self) -> SQLFlow[None]:
        yield self._sql.clear_conversations(namespace=self._kept_namespace)
        yield self._sql.clear_messages(namespace=self._kept_namespace)

    # Messages

    def append_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | AnyTip | None
    ) -> SQLFlow[tuple[Message, ...]]:
        there = yield from self._lock(conversation_id)
        stored: dict[str, Message] = {}
        if there.message_count:
            stored = yield from self._known(conversation_id, messages)
        fresh = unstored_messages(messages, stored)
        if not fresh:
            return tuple([stored[message.id] for message in messages])
        if after is not ANY:
            tip = yield from self._tip(conversation_id)
            check_tip(tip, after, stored)
        yield from self._store(there, fresh, message_count=there.message_count)
        if len(fresh) == len(messages):
            return tuple(fresh)
        stored |= {message.id: message for message in fresh}
        return tuple([stored[message.id] for message in messages])

    def replace_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | None
    ) -> SQLFlow[tuple[Message, ...]]:
        there = yield from self._lock(conversation_id)
        key = self._key(conversation_id)
        last = -1
        if after is not None:
            rows = (yield self._sql.message(**key, message_id=written(after))).rows
            if not rows:
                raise missing_tip(after)
            last = rows[0][0]
        check_replacement(messages, (yield from self._known(conversation_id, messages, last)))
        deleted = (yield self._sql.delete_messages(**key, seq=last)).changed
        yield from self._store(there, messages, message_count=there.message_count - deleted)
        return tuple(messages)

    def delete_message(self, conversation_id: str, message_id: str) -> SQLFlow[None]:
        there = yield from self._lock(conversation_id)
        query = self._sql.delete_message(
            **self._key(conversation_id), message_id=written(message_id)
        )
        if (yield query).changed:
            yield self._touched(there, there.message_count - 1, there.next_seq)

    def set_feedback(
        self, conversation_id: str, message_id: str, feedback: Feedback | None
    ) -> SQLFlow[None]:
        yield from self._lock(conversation_id)
        _, role, body = yield from self._message(conversation_id, message_id)
        message = message_of(written(message_id), role, body)
        yield self._sql.save_message(
            **self._key(conversation_id),
            message_id=written(message_id),
            new_body=message_body(message.model_copy(update={"feedback": feedback})),
        )

    # What operations are made of

    def _key(self, conversation_id: str) -> dict[str, str]:
        return {"namespace": self._kept_namespace, "id": written(conversation_id)}

    def _look(self, conversation_id: str) -> SQLFlow[_Locked | None]:
        """The conversation, kept from others until the unit has ended; None where there is none."""
        rows = (yield self._sql.locked_conversation(**self._key(conversation_id))).rows
        if not rows:
            return None
        *columns, number = rows[0]
        return _Locked(
            conversation_of(tuple(columns)),
            columns[_STORED_AT],
            columns[_COUNT],
            columns[_NEXT],
            number,
        )

    def _lock(self, conversation_id: str) -> SQLFlow[_Locked]:
        there = yield from self._look(conversation_id)
        if there is None:
            raise absent_conversation(conversation_id)
        return there

    def _message(self, conversation_id: str, message_id: str) -> SQLFlow[Row]:
        """A message's place, role and body."""
        key = self._key(conversation_id)
        rows = (yield self._sql.message(**key, message_id=written(message_id))).rows
        if not rows:
            raise absent_message(conversation_id, message_id)
        return rows[0]

    def _tip(self, conversation_id: str) -> SQLFlow[str | None]:
        rows = (yield self._sql.tip(**self._key(conversation_id))).rows
        return read(rows[0][1]) if rows else None

    def _known(
        self, conversation_id: str, messages: Sequence[Message], last: int = _ALL
    ) -> SQLFlow[dict[str, Message]]:
        """Those of the messages' ids that are stored, up to a place, with what is stored."""
        ids = self._sql.texts([written(message.id) for message in messages])
        rows = (yield self._sql.known_messages(**self._key(conversation_id), message_ids=ids)).rows
        known = [message_of(*row[1:]) for row in rows if row[0] <= last]
        return {message.id: message for message in known}

    def _insert(
        self, conversation: Conversation, *, message_count: int = 0, next_seq: int = 0
    ) -> SQLFlow[None]:
        row = conversation_row(conversation, _now()) | {
            "namespace": self._kept_namespace,
            "message_count": message_count,
            "next_seq": next_seq,
            "words": self._words(words(conversation.title or "")),
        }
        for statement in self._sql.insert_conversation:
            yield statement(**row)

    def _save(self, there: _Locked, conversation: Conversation) -> SQLFlow[None]:
        row = conversation_row(conversation, there.stored_at)
        key = self._key(conversation.id)
        yield self._sql.save_conversation(
            **key, **{f"new_{name}": value for name, value in row.items()}
        )
        if conversation.title != there.conversation.title:
            new_words = self._words(words(conversation.title or ""))
            yield self._sql.save_title_words(**key, new_words=new_words)

    def _store(
        self, there: _Locked, messages: Sequence[Message], *, message_count: int
    ) -> SQLFlow[None]:
        """Puts messages at the end, and moves the conversation's time on."""
        now = _now()
        rows = [
            message_row(message, now)
            | self._key(there.conversation.id)
            | {
                "seq": there.next_seq + place,
                "number": there.number + place,
                "words": self._words(words(searched(message))),
            }
            for place, message in enumerate(messages)
        ]
        for statement in self._sql.insert_messages if rows else ():
            yield statement.many(rows)
        count = message_count + len(messages)
        yield self._touched(there, count, there.next_seq + len(messages))

    def _touched(self, there: _Locked, message_count: int, next_seq: int) -> Query:
        time = moved_on(there.conversation.updated_at)
        moved = there.conversation.model_copy(update={"updated_at": time})
        return self._sql.touch_conversation(
            **self._key(moved.id),
            new_updated_at=microseconds(time),
            new_rank=rank_of(moved),
            new_message_count=message_count,
            new_next_seq=next_seq,
        )

    def _words(self, found: Collection[str]) -> str | list[str]:
        return self._sql.words(found, self._mark)


def _limit(listing: Listing) -> int:
    return _ALL if listing.limit is None else min(listing.limit, _ALL)


def _now() -> int:
    now = microseconds(datetime.now(UTC))
    assert now is not None  # noqa: S101
    return now


def _older(time: datetime) -> dict[str, int | None]:
    newest = -(microseconds(time) or 0)
    return {"newest": newest, "newest_pinned": newest - PINNED}
