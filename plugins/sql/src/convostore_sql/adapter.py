"""The operations of both databases as flows of queries, each flow one transaction.

SQL belongs in `statements`, columns in `rows`; no driver may be known here.
"""

from __future__ import annotations

import json
import secrets
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from copy import copy
from datetime import datetime
from time import time_ns
from typing import Any, Final, NamedTuple, Self, TypeVar
from urllib.parse import quote

from convostore.adapters import Adapter, Traits, read_position
from convostore.adapters.write_rules import (
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
    same_conversation,
    taken_conversation,
    unstored_messages,
    updated_time,
)
from convostore.dsn import DSN
from convostore.errors import ConflictError
from convostore.models import (
    ANY,
    AnyTip,
    Conversation,
    ConversationChange,
    ConversationFilter,
    Feedback,
    Health,
    Listing,
    Message,
    NewConversation,
    Origin,
    Page,
    Transcript,
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
    message_row,
    microseconds,
    namespace_mark,
    stored_message,
    stored_message_json,
    time_of,
)
from .search import Finder, owner_values
from .statements import Statements
from .tables import CONVERSATION_COLUMNS

T = TypeVar("T")

_FIRST: Final = (-(2**63) + 1, "")
_ALL: Final = 2**62
_LAST: Final = (2**63 - 1, "")
_TITLE: Final = CONVERSATION_COLUMNS.index("title")
_STORED_AT: Final = CONVERSATION_COLUMNS.index("stored_at")


class _End(NamedTuple):
    """The end of a conversation that a unit has locked in order to write there.

    Attributes:
        created_at: Time that the conversation was made with, in microseconds.
        updated_at: Time of the last change.
        stored_at: Time when it was made.
        next_seq: Place of the next message in the conversation.
        number: Number of the next message in the table; 0 where the database chooses it.
        last_id: Id of the last message as the column has it, on SQLite; see `_tip`.
    """

    pinned: bool
    created_at: int | None
    updated_at: int | None
    stored_at: int
    message_count: int
    next_seq: int
    number: int
    last_id: str | None


class SQLAdapter(Adapter[Query, Reply]):
    """Adapter of a SQL database; a subclass adds the statements and the transports."""

    traits = Traits(
        order="pinned_then_active",
        updated_at="content",
        batches="atomic",
        starts=frozenset({"conversations", "messages"}),
        orders=frozenset({"newest_first", "oldest_first"}),
        filters=frozenset({"owner"}),
        keeps=frozenset({"pinned", "owner", "metadata"}),
        changes=frozenset({"title", "pinned", "owner", "metadata"}),
    )

    def __init__(self, dsn: DSN, options: Any) -> None:
        super().__init__(dsn, options)
        self._enter(options.namespace, is_view=False)

    def _enter(self, namespace: str, *, is_view: bool) -> None:
        self._namespace = namespace
        self._is_view = is_view
        self._encoded_namespace = encode_text(namespace)
        self._mark = namespace_mark(namespace)

    @property
    def has_namespaces(self) -> bool:
        return not self._is_view

    def in_namespace(self, name: str) -> Self:
        if self._is_view:
            raise self._has_no_namespaces()
        view = copy(self)
        view._enter(name, is_view=True)  # noqa: SLF001  # of this class
        return view

    @property
    def label(self) -> str:
        return f"{self._address}{self._scope}"

    @property
    def store_key(self) -> object:
        return self._database_key, self._namespace

    @property
    @abstractmethod
    def _address(self) -> str:
        """The label of the database."""

    @property
    def _database_key(self) -> object:
        """What is equal for two adapters of the same database."""
        return self._address

    @property
    @abstractmethod
    def _sql(self) -> Statements:
        """The statements, compiled when they are first used."""

    @property
    def _scope(self) -> str:
        """The query of the label that names the namespace."""
        if not self._namespace:
            return ""
        return f"?namespace={quote(self._namespace, errors='surrogatepass')}"

    # Reading

    def list_conversations(self, listing: Listing) -> SQLFlow[Page[Conversation]]:
        limit = _limit(listing)
        restricted, values = _restrictions(listing)
        values |= {"namespace": self._encoded_namespace, "limit": limit + 1}
        if listing.start is None:
            statement = self._sql.conversations(restricted, reverse=listing.reverse)
            values["rank"], values["after_id"] = _place(listing)
        else:
            statement = self._sql.conversations_from(restricted, reverse=listing.reverse)
            values["start_id"] = encode_text(listing.start)
        rows = (yield statement(**values)).rows
        page = rows[:limit]
        if listing.start is not None and (not page or page[0][0] != values["start_id"]):
            raise absent_start(listing.start)
        cursor = json.dumps([page[-1][-1], page[-1][0]]) if len(rows) > len(page) else None
        return Page(items=tuple([conversation_of(row[:-1]) for row in page]), cursor=cursor)

    def get_conversation(self, conversation_id: str) -> SQLFlow[Conversation]:
        rows = (yield self._sql.conversation(**self._key(conversation_id))).rows
        if not rows:
            raise absent_conversation(conversation_id)
        return conversation_of(rows[0])

    def list_messages(self, conversation_id: str, listing: Listing) -> SQLFlow[Page[Message]]:
        return self._page(conversation_id, listing, stored_message)

    def messages_as_json(self, conversation_id: str, listing: Listing) -> SQLFlow[Page[str]]:
        return self._page(conversation_id, listing, stored_message_json)

    def get_message(self, conversation_id: str, message_id: str) -> SQLFlow[Message]:
        key = self._key(conversation_id)
        rows = (yield self._sql.message(**key, message_id=encode_text(message_id))).rows
        if not rows:
            yield from self.get_conversation(conversation_id)
            raise absent_message(conversation_id, message_id)
        return stored_message(*rows[0][1:])

    def _page(
        self,
        conversation_id: str,
        listing: Listing,
        parse: Callable[[str, str, str, int | None, int], T],
    ) -> SQLFlow[Page[T]]:
        limit = _limit(listing)
        values: dict[str, Any] = {**self._key(conversation_id), "limit": limit + 1}
        if listing.start is None:
            values["seq"] = _ALL if listing.order == "newest_first" else -1
            if listing.cursor is not None:
                (values["seq"],) = read_position(listing.cursor, int)
            statement = self._sql.messages[listing.order]
        else:
            statement = self._sql.messages_from[listing.order]
            values["start_id"] = encode_text(listing.start)
        rows = (yield statement(**values)).rows
        if not rows:
            raise absent_conversation(conversation_id)
        total = rows[0][0]
        page = [] if rows[0][1] is None else rows[:limit]
        if listing.start is not None and not page:
            raise absent_start(listing.start)
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
        return (yield from self._insert(made_conversation(identity, new)))

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
        if changes := changed_fields(conversation, change):
            yield from self._save(row, conversation.trusted_copy(**changes))

    def fork_conversation(
        self,
        conversation_id: str,
        message_id: str,
        new_id: str | None,
        change: ConversationChange,
    ) -> SQLFlow[Conversation]:
        original = conversation_of((yield from self._locked(conversation_id)))
        seq, *_ = yield from self._message(conversation_id, message_id)
        origin = Origin(store=self.label, conversation_id=conversation_id)
        fork = forked_conversation(original, new_id or secrets.token_hex(16), origin, change)
        if (yield from self._look(fork.id)) is not None:
            raise taken_conversation(fork.id)
        key = self._key(conversation_id)
        count = (yield self._sql.message_count(**key, seq=seq)).rows[0][0]
        fork = yield from self._insert(fork, message_count=count, next_seq=seq + 1)
        for statement in self._sql.fork_messages:
            yield statement(**key, new_id=encode_text(fork.id), seq=seq)
        return fork

    def delete_conversation(self, conversation_id: str) -> SQLFlow[None]:
        yield from self._locked(conversation_id)
        key = self._key(conversation_id)
        yield self._sql.delete_messages(**key, seq=-1)
        yield self._sql.delete_conversation(**key)

    def delete_conversations(self, which: ConversationFilter) -> SQLFlow[int]:
        # Locked first: a conversation that is written to meanwhile is no longer old.
        restricted, values = _restrictions(which)
        query = self._sql.locked_ids(restricted)(namespace=self._encoded_namespace, **values)
        ids = [row[0] for row in (yield query).rows]
        listed = {"namespace": self._encoded_namespace, "ids": self._sql.texts(ids)}
        yield self._sql.delete_listed_messages(**listed)
        yield self._sql.delete_listed(**listed)
        return len(ids)

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
        tip = None if after is ANY else (yield from self._tip(key, end))
        # As a rule none of the ids is stored yet: the insert itself finds out, without a look-up.
        fresh = unstored_messages(messages, {})
        stored: dict[str, Message] = {}
        added: Sequence[Message] | None = None
        if after is ANY or tip == after:
            added = yield from self._stored(key, end, fresh, end.message_count)
        if added is None:
            stored = _by_id((yield from self._known(key, messages)))
            fresh = unstored_messages(messages, stored)
            added = ()
            if fresh:
                check_tip(tip, after, stored)
                added = yield from self._store(key, end, fresh, end.message_count)
        stored |= {message.id: message for message in added}
        return tuple([stored[message.id] for message in messages])

    def replace_messages(
        self,
        conversation_id: str,
        messages: Sequence[Message],
        after: str | None,
        tip: str | AnyTip | None,
    ) -> SQLFlow[tuple[Message, ...]]:
        key = self._key(conversation_id)
        end = yield from self._end(conversation_id, key)
        last = -1
        if after is not None:
            rows = (yield self._sql.message(**key, message_id=encode_text(after))).rows
            if not rows:
                raise missing_tip(after)
            last = rows[0][0]
        known = yield from self._known(key, messages)
        tail = [row for row in known if row[0] > last]
        if len(tail) == len(messages) == (yield self._sql.tail_count(**key, seq=last)).rows[0][0]:
            stored = tuple(_by_id(tail).values())
            if are_same_messages(stored, messages):
                return stored
        if tip is not ANY:
            check_replaced_tip((yield from self._tip(key, end)), tip)
        check_replacement(messages, _by_id(row for row in known if row[0] <= last))
        deleted = (yield self._sql.delete_messages(**key, seq=last)).changed
        return (yield from self._store(key, end, messages, end.message_count - deleted))

    def update_message(
        self, conversation_id: str, message: Message, was: Message | AnyTip
    ) -> SQLFlow[Message]:
        key = self._key(conversation_id)
        end = yield from self._end(conversation_id, key)
        _, *columns = yield from self._message(conversation_id, message.id)
        stored = stored_message(*columns)
        edited = edited_message(stored, message, was)
        if edited is stored:
            return stored
        row = message_row(edited, microseconds(edited.stored_at))
        row["words"] = self._words(tokenize(searchable_text(edited)))
        values = {f"new_{name}": value for name, value in row.items()}
        for statement in self._sql.update_message:
            yield statement(**key, message_id=row["message_id"], **values)
        yield self._touched(key, end, end.message_count, end.next_seq)
        return edited

    def delete_message(self, conversation_id: str, message_id: str) -> SQLFlow[bool | None]:
        key = self._key(conversation_id)
        end = yield from self._end(conversation_id, key)
        return (yield from self._delete(key, end, encode_text(message_id)))

    def pop_message(self, conversation_id: str, tip: str | AnyTip) -> SQLFlow[Message | None]:
        key = self._key(conversation_id)
        end = yield from self._end(conversation_id, key)
        rows = (yield self._sql.last_message(**key)).rows
        last = stored_message(*rows[0][1:]) if rows else None
        check_popped_tip(None if last is None else last.id, tip)
        if last is not None:
            yield from self._delete(key, end, encode_text(last.id))
        return last

    def set_feedback(
        self, conversation_id: str, message_id: str, feedback: Feedback | None
    ) -> SQLFlow[None]:
        yield from self._locked(conversation_id)
        _, *columns = yield from self._message(conversation_id, message_id)
        stored = stored_message(*columns)
        if stored.feedback == feedback:
            return
        changed = stored.trusted_copy(feedback=feedback)
        key = self._key(conversation_id)
        yield self._sql.save_message(
            **key, message_id=encode_text(message_id), new_body=message_body(changed)
        )
        yield self._sql.revise_conversation(**key, new_revision=new_revision())

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
        """Return a message's place and the columns from which it is made."""
        key = self._key(conversation_id)
        rows = (yield self._sql.message(**key, message_id=encode_text(message_id))).rows
        if not rows:
            raise absent_message(conversation_id, message_id)
        return rows[0]

    def _tip(self, key: dict[str, str], end: _End) -> SQLFlow[str | None]:
        last_id = end.last_id
        if not self._sql.tables.is_sqlite:
            rows = (yield self._sql.tip(**key)).rows
            last_id = rows[0][1] if rows else None
        return None if last_id is None else decode_text(last_id)

    def _known(self, key: dict[str, str], messages: Sequence[Message]) -> SQLFlow[list[Row]]:
        """Return the rows of stored messages that have the ids of these messages, in order."""
        ids = [encode_text(message.id) for message in messages]
        if len(ids) == 1:
            query = self._sql.message(**key, message_id=ids[0])
        else:
            query = self._sql.known_messages(**key, message_ids=self._sql.texts(ids))
        return sorted((yield query).rows)

    def _insert(
        self, conversation: Conversation, *, message_count: int = 0, next_seq: int = 0
    ) -> SQLFlow[Conversation]:
        row = conversation_row(conversation, _now()) | {
            "namespace": self._encoded_namespace,
            "message_count": message_count,
            "next_seq": next_seq,
            "words": self._words(tokenize(conversation.title or "")),
        }
        for statement in self._sql.insert_conversation:
            yield statement(**row)
        return conversation.trusted_copy(revision=row["revision"])

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
    ) -> SQLFlow[tuple[Message, ...]]:
        """Append messages whose ids were looked up and are new.

        Raises:
            ConflictError: Another writer has just stored one of them; then none is stored.
        """
        stored = yield from self._stored(key, end, messages, message_count)
        if stored is None:
            raise ConflictError(
                "another writer added a message meanwhile: read it, then write again"
            )
        return stored

    def _stored(
        self, key: dict[str, str], end: _End, messages: Sequence[Message], message_count: int
    ) -> SQLFlow[tuple[Message, ...] | None]:
        """Append messages and update the conversation's time.

        Returns:
            The messages as they are stored; None if one of their ids is stored already: then
            nothing is stored.
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
                return None
            for statement in others:
                yield statement.many(rows)
        count = len(messages)
        yield self._touched(key, end, message_count + count, end.next_seq + count, messages)
        stored_at = time_of(now)
        return tuple([message.trusted_copy(stored_at=stored_at) for message in messages])

    def _delete(self, key: dict[str, str], end: _End, message_id: str) -> SQLFlow[bool]:
        """Delete a message, and return whether it was there."""
        is_deleted = (yield self._sql.delete_message(**key, message_id=message_id)).changed > 0
        if is_deleted:
            yield self._touched(key, end, end.message_count - 1, end.next_seq)
        return is_deleted

    def _touched(
        self,
        key: dict[str, str],
        end: _End,
        message_count: int,
        next_seq: int,
        messages: Sequence[Message] = (),
    ) -> Query:
        time = _moved(end, messages)
        return self._sql.touch_conversation(
            **key,
            new_updated_at=time,
            new_rank=-time - PINNED if end.pinned else -time,
            new_message_count=message_count,
            new_next_seq=next_seq,
            new_revision=new_revision(),
        )

    def _words(self, words: Collection[str]) -> str:
        return self._sql.words(words, self._mark)


def _limit(listing: Listing) -> int:
    return _ALL if listing.limit is None else min(listing.limit, _ALL)


def _now() -> int:
    return time_ns() // 1000


def _place(listing: Listing) -> Sequence[Any]:
    """Return the place of the conversation before a page: its rank and its id."""
    if listing.cursor is not None:
        return read_position(listing.cursor, int, str)
    return _LAST if listing.reverse else _FIRST


def _restrictions(which: Listing | ConversationFilter) -> tuple[frozenset[str], dict[str, Any]]:
    """Return the names of a list's restrictions, and their values."""
    values = owner_values(which.owner)
    names = frozenset(values)
    if which.older_than is None:
        return names, values
    return names | {"older"}, values | _older(which.older_than)


def _older(time: datetime) -> dict[str, int]:
    newest = -microseconds(time)
    return {"newest": newest, "newest_pinned": newest - PINNED}


def _by_id(rows: Iterable[Row]) -> dict[str, Message]:
    """Return the messages of rows that begin with their places, by id."""
    messages = [stored_message(*row[1:]) for row in rows]
    return {message.id: message for message in messages}


def _moved(end: _End, messages: Sequence[Message]) -> int:
    """Return the time of a change, as `updated_time` does; these messages are added."""
    if messages and end.created_at is not None and end.created_at < end.stored_at:
        conversation = Conversation.model_construct(
            id="", created_at=time_of(end.created_at), updated_at=time_of(end.updated_at)
        )
        return microseconds(updated_time(conversation, time_of(end.stored_at), messages))
    # The time ascends even if the clock goes back, but not beyond the latest time.
    return max(_now(), min(1 + (end.updated_at or 0), LATEST))
