"""The operations of both databases as flows of queries, each flow one transaction.

Those that write messages are in `messages`. SQL belongs in `statements`, columns in `rows`; no
driver may be known here.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from convostore.adapters import Traits, read_position
from convostore.adapters.write_rules import (
    absent_conversation,
    absent_message,
    absent_start,
    changed_fields,
    forked_conversation,
    made_conversation,
    same_conversation,
    taken_conversation,
)
from convostore.models import (
    Conversation,
    ConversationChange,
    ConversationFilter,
    Health,
    Listing,
    Message,
    NewConversation,
    Origin,
    Page,
    Transcript,
)
from convostore.search import Hit, Search, tokenize

from .inspection import check_tables
from .messages import MessageWrites, current_time
from .migrations import VERSION
from .queries import Row, SQLFlow
from .rows import (
    PINNED,
    conversation_of,
    conversation_row,
    encode_text,
    microseconds,
    stored_message,
    stored_message_json,
)
from .search import Finder, owner_values
from .tables import CONVERSATION_COLUMNS

T = TypeVar("T")

_FIRST: Final = (-(2**63) + 1, "")
_ALL: Final = 2**62
_LAST: Final = (2**63 - 1, "")
_TITLE: Final = CONVERSATION_COLUMNS.index("title")
_STORED_AT: Final = CONVERSATION_COLUMNS.index("stored_at")


class SQLAdapter(MessageWrites):
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
        return Finder(self._sql, self.namespace, search).page(listing)

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

    def _insert(
        self, conversation: Conversation, *, message_count: int = 0, next_seq: int = 0
    ) -> SQLFlow[Conversation]:
        row = conversation_row(conversation, current_time()) | {
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


def _limit(listing: Listing) -> int:
    return _ALL if listing.limit is None else min(listing.limit, _ALL)


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
