"""The operations of both databases as flows of queries, each flow one transaction.

SQL belongs in `statements`, columns in `rows`; no driver may be known here.
"""

from __future__ import annotations

import json
import secrets
from abc import abstractmethod
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from time import time_ns
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import quote

from convostore.adapters import Adapter, Traits, read_position
from convostore.adapters.write_rules import (
    absent_conversation,
    absent_message,
    check_replacement,
    check_tip,
    missing_tip,
    same_conversation,
    taken_conversation,
    unstored_messages,
)
from convostore.dsn import DSN
from convostore.errors import ConflictError
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
from convostore.search import Hit, Search, searchable_text, tokenize

from .inspection import check_tables
from .migrations import VERSION
from .queries import Query, Reply, Row, SQLFlow
from .rows import (
    LATEST,
    PINNED,
    conversation_of,
    conversation_row,
    decode_text,
    encode_text,
    message_body,
    message_json,
    message_of,
    message_row,
    microseconds,
    namespace_mark,
)
from .search import Finder
from .statements import Statements
from .tables import CONVERSATION_COLUMNS

T = TypeVar("T")

_FIRST: Final = (-(2**63) + 1, "")
_ALL: Final = 2**62
_TITLE: Final = CONVERSATION_COLUMNS.index("title")
_STORED_AT: Final = CONVERSATION_COLUMNS.index("stored_at")


class _End(NamedTuple):
    """The end of a conversation that a unit has locked in order to write there.

    Attributes:
        updated_at: Time of the last change, in microseconds.
        next_seq: Place of the next message in the conversation.
        number: Number of the next message in the table; 0 where the database chooses it.
    """

    pinned: bool
    updated_at: int | None
    message_count: int
    next_seq: int
    number: int


class SQLAdapter(Adapter[Query, Reply]):
    """Adapter of a SQL database; a subclass adds the statements and the transports."""

    traits = Traits(order="pinned_then_active", updated_at="content", batches="atomic")

    def __init__(self, dsn: DSN, options: Any) -> None:
        super().__init__(dsn, options)
        self._namespace: str = options.namespace
        self._encoded_namespace = encode_text(self._namespace)
        self._mark = namespace_mark(self._namespace)

    @property
    @abstractmethod
    def _sql(self) -> Statements:
        """The statements, compiled when they are first used."""

    @property
    def _scope(self) -> str:
        """The query of the label that names the namespace."""
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
            query = self._sql.conversations(namespace=self._encoded_namespace, **values)
        else:
            query = self._sql.old_conversations(
                namespace=self._encoded_namespace, **values, **_older(listing.older_than)
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
        return self._page(conversation_id, listing, message_of)

    def messages_as_json(self, conversation_id: str, listing: Listing) -> SQLFlow[Page[str]]:
        return self._page(conversation_id, listing, message_json)

    def _page(
        self, conversation_id: str, listing: Listing, parse: Callable[[str, str, str], T]
    ) -> SQLFlow[Page[T]]:
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
        return Page(items=tuple([parse(*row[2:]) for row in page]), cursor=cursor, total=total)

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
        yield from check_tables(self._sql.tables)
        return Health(generation=f"{self.name}, tables of version {VERSION}")

    # Conversations

    def create_conversation(self, new: NewConversation) -> SQLFlow[Conversation]:
        identity = new.id or secrets.token_hex(16)
        row = yield from self._look(identity)
        if row is not None:
            return same_conversation(conversation_of(row), new)
        conversation = Conversation(
            id=identity,
            title=new.title,
            created_at=new.created_at,
            updated_at=datetime.now(UTC),
            origin=new.origin,
        )
        yield from self._insert(conversation)
        return conversation

    def put_conversation(self, conversation: Conversation) -> SQLFlow[None]:
        row = yield from self._look(conversation.id)
        if row is None:
            yield from self._insert(conversation)
        else:
            yield from self._save(row, conversation)

    def update_conversation(
        self, conversation_id: str, change: ConversationChange
    ) -> SQLFlow[None]:
        row = yield from self._locked(conversation_id)
        conversation = conversation_of(row)
        fields = {"title": change.title, "pinned": change.pinned}
        changes = {name: value for name, value in fields.items() if value is not UNSET}
        yield from self._save(row, conversation.model_copy(update=changes))

    def fork_conversation(
        self, conversation_id: str, message_id: str, new_id: str | None, title: str | Unset | None
    ) -> SQLFlow[Conversation]:
        original = conversation_of((yield from self._locked(conversation_id)))
        seq, *_ = yield from self._message(conversation_id, message_id)
        fork = Conversation(
            id=new_id or secrets.token_hex(16),
            title=original.title if title is UNSET else title,
            updated_at=datetime.now(UTC),
            origin=Origin(store=self.label, conversation_id=conversation_id),
        )
        if (yield from self._look(fork.id)) is not None:
            raise taken_conversation(fork.id)
        key = self._key(conversation_id)
        count = (yield self._sql.message_count(**key, seq=seq)).rows[0][0]
        yield from self._insert(fork, message_count=count, next_seq=seq + 1)
        for statement in self._sql.fork_messages:
            yield statement(**key, new_id=encode_text(fork.id), seq=seq)
        return fork

    def delete_conversation(self, conversation_id: str) -> SQLFlow[None]:
        yield from self._locked(conversation_id)
        key = self._key(conversation_id)
        yield self._sql.delete_messages(**key, seq=-1)
        yield self._sql.delete_conversation(**key)

    def delete_conversations(self, older_than: datetime) -> SQLFlow[int]:
        # Locked first: a conversation that is written to meanwhile is no longer old.
        query = self._sql.locked_old_ids(namespace=self._encoded_namespace, **_older(older_than))
        old = [row[0] for row in (yield query).rows]
        values = {"namespace": self._encoded_namespace, "ids": self._sql.texts(old)}
        yield self._sql.delete_listed_messages(**values)
        yield self._sql.delete_listed(**values)
        return len(old)

    def clear_conversations(self) -> SQLFlow[None]:
        yield self._sql.clear_conversations(namespace=self._encoded_namespace)
        yield self._sql.clear_messages(namespace=self._encoded_namespace)

    # Messages

    def append_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | AnyTip | None
    ) -> SQLFlow[tuple[Message, ...]]:
        key = self._key(conversation_id)
        end = yield from self._end(conversation_id, key)
        if not messages:
            return ()
        tip = None if after is ANY else (yield from self._tip(key))
        # As a rule none of the ids is stored yet: the insert itself finds out, without a look-up.
        fresh = unstored_messages(messages, {})
        stored: dict[str, Message] = {}
        fits = after is ANY or tip == after
        if not fits or not (yield from self._stored(key, end, fresh, end.message_count)):
            stored = yield from self._known(key, messages)
            fresh = unstored_messages(messages, stored)
            if fresh:
                check_tip(tip, after, stored)
                yield from self._store(key, end, fresh, end.message_count)
        stored |= {message.id: message for message in fresh}
        return tuple([stored[message.id] for message in messages])

    def replace_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | None
    ) -> SQLFlow[tuple[Message, ...]]:
        key = self._key(conversation_id)
        end = yield from self._end(conversation_id, key)
        last = -1
        if after is not None:
            rows = (yield self._sql.message(**key, message_id=encode_text(after))).rows
            if not rows:
                raise missing_tip(after)
            last = rows[0][0]
        check_replacement(messages, (yield from self._known(key, messages, last)))
        deleted = (yield self._sql.delete_messages(**key, seq=last)).changed
        yield from self._store(key, end, messages, end.message_count - deleted)
        return tuple(messages)

    def delete_message(self, conversation_id: str, message_id: str) -> SQLFlow[None]:
        key = self._key(conversation_id)
        end = yield from self._end(conversation_id, key)
        if (yield self._sql.delete_message(**key, message_id=encode_text(message_id))).changed:
            yield self._touched(key, end, end.message_count - 1, end.next_seq)

    def set_feedback(
        self, conversation_id: str, message_id: str, feedback: Feedback | None
    ) -> SQLFlow[None]:
        yield from self._locked(conversation_id)
        _, *columns = yield from self._message(conversation_id, message_id)
        changed = message_of(*columns).model_copy(update={"feedback": feedback})
        yield self._sql.save_message(
            **self._key(conversation_id),
            message_id=encode_text(message_id),
            new_body=message_body(changed),
        )

    # What operations are made of

    def _key(self, conversation_id: str) -> dict[str, str]:
        return {"namespace": self._encoded_namespace, "id": encode_text(conversation_id)}

    def _look(self, conversation_id: str) -> SQLFlow[Row | None]:
        """Return a conversation's row, locked until the unit ends; None if there is none."""
        rows = (yield self._sql.locked_conversation(**self._key(conversation_id))).rows
        return rows[0] if rows else None

    def _locked(self, conversation_id: str) -> SQLFlow[Row]:
        row = yield from self._look(conversation_id)
        if row is None:
            raise absent_conversation(conversation_id)
        return row

    def _end(self, conversation_id: str, key: dict[str, str]) -> SQLFlow[_End]:
        rows = (yield self._sql.locked_end(**key)).rows
        if not rows:
            raise absent_conversation(conversation_id)
        return _End(*rows[0])

    def _message(self, conversation_id: str, message_id: str) -> SQLFlow[Row]:
        """Return a message's place, id, role and body."""
        key = self._key(conversation_id)
        rows = (yield self._sql.message(**key, message_id=encode_text(message_id))).rows
        if not rows:
            raise absent_message(conversation_id, message_id)
        return rows[0]

    def _tip(self, key: dict[str, str]) -> SQLFlow[str | None]:
        rows = (yield self._sql.tip(**key)).rows
        return decode_text(rows[0][1]) if rows else None

    def _known(
        self, key: dict[str, str], messages: Sequence[Message], last: int = _ALL
    ) -> SQLFlow[dict[str, Message]]:
        """Return the stored messages, up to a place, that have the ids of these messages."""
        ids = [encode_text(message.id) for message in messages]
        if len(ids) == 1:
            query = self._sql.message(**key, message_id=ids[0])
        else:
            query = self._sql.known_messages(**key, message_ids=self._sql.texts(ids))
        known = [message_of(*row[1:]) for row in (yield query).rows if row[0] <= last]
        return {message.id: message for message in known}

    def _insert(
        self, conversation: Conversation, *, message_count: int = 0, next_seq: int = 0
    ) -> SQLFlow[None]:
        row = conversation_row(conversation, _now()) | {
            "namespace": self._encoded_namespace,
            "message_count": message_count,
            "next_seq": next_seq,
            "words": self._words(tokenize(conversation.title or "")),
        }
        for statement in self._sql.insert_conversation:
            yield statement(**row)

    def _save(self, stored: Row, conversation: Conversation) -> SQLFlow[None]:
        row = conversation_row(conversation, stored[_STORED_AT])
        key = self._key(conversation.id)
        yield self._sql.save_conversation(
            **key, **{f"new_{name}": value for name, value in row.items()}
        )
        if row["title"] != stored[_TITLE]:
            new_words = self._words(tokenize(conversation.title or ""))
            yield self._sql.save_title_words(**key, new_words=new_words)

    def _store(
        self, key: dict[str, str], end: _End, messages: Sequence[Message], message_count: int
    ) -> SQLFlow[None]:
        """Append messages whose ids were looked up and are new.

        Raises:
            ConflictError: Another writer has just stored one of them; then none is stored.
        """
        if not (yield from self._stored(key, end, messages, message_count)):
            raise ConflictError(
                "another writer added a message meanwhile: read it, then write again"
            )

    def _stored(
        self, key: dict[str, str], end: _End, messages: Sequence[Message], message_count: int
    ) -> SQLFlow[bool]:
        """Append messages and update the conversation's time.

        Returns:
            False if one of their ids is stored already; then nothing is stored.
        """
        now = _now()
        rows = [
            message_row(message, now)
            | key
            | {
                "seq": end.next_seq + place,
                "number": end.number + place,
                "words": self._words(tokenize(searchable_text(message))),
            }
            for place, message in enumerate(messages)
        ]
        if rows:
            insert, *others = self._sql.insert_messages
            if (yield insert.many(rows)).changed < len(rows):
                # Some ids are stored already: the others are removed again.
                yield self._sql.delete_messages(**key, seq=end.next_seq - 1)
                return False
            for statement in others:
                yield statement.many(rows)
        count = len(messages)
        yield self._touched(key, end, message_count + count, end.next_seq + count)
        return True

    def _touched(self, key: dict[str, str], end: _End, message_count: int, next_seq: int) -> Query:
        # The time ascends even if the clock goes back, but not beyond the latest time.
        time = max(_now(), min(1 + (end.updated_at or 0), LATEST))
        return self._sql.touch_conversation(
            **key,
            new_updated_at=time,
            new_rank=-time - PINNED if end.pinned else -time,
            new_message_count=message_count,
            new_next_seq=next_seq,
        )

    def _words(self, words: Collection[str]) -> str:
        return self._sql.words(words, self._mark)


def _limit(listing: Listing) -> int:
    return _ALL if listing.limit is None else min(listing.limit, _ALL)


def _now() -> int:
    return time_ns() // 1000


def _older(time: datetime) -> dict[str, int | None]:
    newest = -(microseconds(time) or 0)
    return {"newest": newest, "newest_pinned": newest - PINNED}
