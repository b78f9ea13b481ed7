"""Writes of messages as flows of queries, each flow one transaction.

The core's `write_rules` decides what they check and which values they store.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from time import time_ns
from typing import NamedTuple

from convostore.adapters.write_rules import (
    absent_conversation,
    are_same_messages,
    check_popped_tip,
    check_replaced_tip,
    check_replacement,
    check_tip,
    edited_message,
    missing_tip,
    new_revision,
    unstored_messages,
    updated_time,
)
from convostore.errors import ConflictError
from convostore.models import ANY, AnyTip, Feedback, Message
from convostore.search import searchable_text, tokenize

from .columns import encode_text, is_count, microseconds, time_of
from .damage import check_places, damaged, shown_id
from .namespace import NamespaceAdapter
from .queries import Query, Row, SQLFlow
from .rows import PINNED, message_body, message_row, stored_message

__all__ = ["MessageWrites", "current_time"]


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


class MessageWrites(NamespaceAdapter):
    """The operations of a SQL adapter that write messages."""

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
        last = self._sql.tables.lowest
        if after is not None:
            rows = (yield self._sql.message(**key, message_id=encode_text(after))).rows
            if not rows:
                raise missing_tip(after)
            check_places(conversation_id, rows)
            last = rows[0][0]
        known = yield from self._known(key, messages)
        check_places(conversation_id, known)
        known.sort()
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
        columns = yield from self._message(conversation_id, message.id)
        stored = stored_message(*columns)
        edited = edited_message(stored, message, was)
        if edited is stored:
            return stored
        if edited.stored_at is edited.created_at is None:
            edited = edited.trusted_copy(stored_at=_time_for(columns))
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
        last = stored_message(*rows[0]) if rows else None
        check_popped_tip(None if last is None else last.id, tip)
        if last is not None and not (yield from self._delete(key, end, encode_text(last.id))):
            raise damaged(f"the message {last.id!r} of the conversation {conversation_id!r}", "id")
        return last

    def set_feedback(
        self, conversation_id: str, message_id: str, feedback: Feedback | None
    ) -> SQLFlow[None]:
        yield from self._locked(conversation_id)
        stored = stored_message(*(yield from self._message(conversation_id, message_id)))
        if stored.feedback == feedback:
            return
        changed = stored.trusted_copy(feedback=feedback)
        key = self._key(conversation_id)
        yield self._sql.save_message(
            **key, message_id=encode_text(message_id), new_body=message_body(changed)
        )
        yield self._sql.revise_conversation(**key, new_revision=new_revision())

    # What they are made of

    def _end(self, conversation_id: str, key: dict[str, str]) -> SQLFlow[_End]:
        rows = (yield self._sql.locked_end(**key)).rows
        if not rows:
            raise absent_conversation(conversation_id)
        end = _End(*rows[0])
        if not (is_count(end.message_count) and is_count(end.next_seq)):
            raise damaged(f"the conversation {conversation_id!r}", "message_count or next_seq")
        return end

    def _tip(self, key: dict[str, str], end: _End) -> SQLFlow[str | None]:
        last_id = end.last_id
        if not self._sql.tables.is_sqlite:
            rows = (yield self._sql.tip(**key)).rows
            last_id = rows[0][1] if rows else None
        return None if last_id is None else shown_id(last_id)

    def _known(self, key: dict[str, str], messages: Sequence[Message]) -> SQLFlow[list[Row]]:
        """Return the rows of stored messages that have the ids of these messages."""
        ids = [encode_text(message.id) for message in messages]
        if len(ids) == 1:
            query = self._sql.message(**key, message_id=ids[0])
        else:
            query = self._sql.known_messages(**key, message_ids=self._sql.texts(ids))
        return (yield query).rows

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
                "another writer added a message in the meantime: read it, then write again"
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
        now = current_time()
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
                last = end.next_seq + len(rows) - 1
                yield self._sql.delete_added(**key, first_seq=end.next_seq, last_seq=last)
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


def current_time() -> int:
    """Return the time, in microseconds since 1970."""
    return time_ns() // 1000


def _by_id(rows: Iterable[Row]) -> dict[str, Message]:
    """Return the messages of rows, by id."""
    messages = [stored_message(*row) for row in rows]
    return {message.id: message for message in messages}


def _time_for(columns: Row) -> datetime:
    """Return a time of storage for a message whose own is damaged: when it was said, or now."""
    return _readable_time(columns[-1]) or time_of(current_time())


def _moved(end: _End, messages: Sequence[Message]) -> int:
    """Return the time of a change by which these messages, if any, are added."""
    created_at, updated_at = _readable_time(end.created_at), _readable_time(end.updated_at)
    made_at = _readable_time(end.stored_at)
    return microseconds(updated_time(created_at, updated_at, made_at, messages))


def _readable_time(number: int | None) -> datetime | None:
    """Decode the time of a column; None if it is damaged."""
    try:
        return time_of(number)
    except (TypeError, OverflowError):
        return None
