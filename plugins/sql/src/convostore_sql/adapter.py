"""The operations of both databases as flows of queries, each flow one transaction.

Those that write messages are in `messages`. SQL belongs in `statements`, columns in `rows`; no
driver may be known here.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeVar

from convostore.adapters import Traits
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
from convostore.errors import NotFoundError
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
from convostore.serialization import has_damaged_id

from .columns import encode_text, is_number, microseconds
from .damage import check_places, damaged, shown_id
from .inspection import check_tables
from .messages import MessageWrites, current_time
from .migrations import VERSION
from .places import Place, cursor_after
from .queries import Row, SQLFlow
from .rows import (
    PINNED,
    conversation_of,
    conversation_row,
    stored_message,
    stored_message_json,
)
from .search import Finder, owner_values
from .tables import CONVERSATION_COLUMNS

T = TypeVar("T")

_ALL: Final = 2**62
_LAST_ID: Final = "\U0010ffff"
"""A text after all encoded ids."""
_TITLE: Final = CONVERSATION_COLUMNS.index("title")
_RANK: Final = CONVERSATION_COLUMNS.index("rank")
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
        changes=frozenset({"title", "pinned", "owner", "metadata"}),
    )

    # Reading

    def list_conversations(self, listing: Listing) -> SQLFlow[Page[Conversation]]:
        limit = _limit(listing)
        restricted, values = _restrictions(listing)
        place = Place.parse(listing.cursor, int, str)
        values |= {"namespace": self._encoded_namespace, "limit": limit + 1}
        values["skipped"] = place.skipped
        if listing.start is None:
            statement = self._sql.conversations(restricted, reverse=listing.reverse)
            values["rank"], values["after_id"] = place.values or self._end_of_list(listing)
        else:
            statement = self._sql.conversations_from(restricted, reverse=listing.reverse)
            values["start_id"] = encode_text(listing.start)
        rows = (yield statement(**values)).rows
        page = rows[:limit]
        if listing.start is not None and (not page or page[0][0] != values["start_id"]):
            raise absent_start(listing.start)
        cursor = None
        if len(rows) > len(page):
            places = ((row[_RANK], row[0]) for row in reversed(page))
            cursor = cursor_after(place, places, listing.start)
        return Page(items=tuple([conversation_of(row) for row in page]), cursor=cursor)

    def count_conversations(self) -> SQLFlow[int]:
        query = self._sql.conversation_count(namespace=self._encoded_namespace)
        return int((yield query).rows[0][0])

    def _end_of_list(self, listing: Listing) -> tuple[Any, ...]:
        """Return the place before the first conversation, or after the last one."""
        tables = self._sql.tables
        return (tables.highest, _LAST_ID) if listing.reverse else (tables.lowest, "")

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
        return stored_message(*rows[0])

    def _page(
        self,
        conversation_id: str,
        listing: Listing,
        parse: Callable[[int, str, str, str, int | None, int], T],
    ) -> SQLFlow[Page[T]]:
        limit = _limit(listing)
        place = Place.parse(listing.cursor, int)
        values: dict[str, Any] = {**self._key(conversation_id), "skipped": place.skipped}
        values["limit"] = limit + 1
        if listing.start is None:
            tables, is_newest_first = self._sql.tables, listing.order == "newest_first"
            values["seq"] = tables.highest if is_newest_first else tables.lowest
            if place.values is not None:
                (values["seq"],) = place.values
            statement = self._sql.messages[listing.order]
        else:
            statement = self._sql.messages_from[listing.order]
            values["start_id"] = encode_text(listing.start)
        rows = (yield statement(**values)).rows
        if not rows:
            if not place.skipped:
                raise absent_conversation(conversation_id)
            yield from self.get_conversation(conversation_id)
            return Page(items=())  # what was skipped is gone
        total = rows[0][0] if is_number(rows[0][0]) else None
        page = [] if rows[0][1] is None else rows[:limit]
        if listing.start is not None and not page:
            raise absent_start(listing.start)
        cursor = None
        if len(rows) > max(len(page), 1):
            cursor = cursor_after(place, ((row[1],) for row in reversed(page)), listing.start)
        return Page(items=tuple([parse(*row[1:]) for row in page]), cursor=cursor, total=total)

    def read_transcript(
        self, conversation_id: str, known: Conversation | None = None
    ) -> SQLFlow[Transcript]:
        conversation = known or (yield from self.get_conversation(conversation_id))
        try:
            messages = (yield from self.list_messages(conversation_id, Listing())).items
        except NotFoundError:
            if not has_damaged_id(conversation):
                raise
            messages = ()
        return Transcript(
            conversation_id=conversation_id, conversation=conversation, messages=messages
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
        row = yield from self._message(conversation_id, message_id)
        check_places(conversation_id, [row])
        seq = row[0]
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
        yield self._sql.delete_messages(**key, seq=self._sql.tables.lowest)
        yield self._sql.delete_conversation(**key)

    def delete_conversations(self, which: ConversationFilter) -> SQLFlow[int]:
        # Locked first: a conversation that is written to meanwhile is no longer old.
        restricted, values = _restrictions(which)
        query = self._sql.locked_ids(restricted)(namespace=self._encoded_namespace, **values)
        ids = [row[0] for row in (yield query).rows]
        for identity in ids:
            if not isinstance(identity, str):
                raise damaged(f"the conversation {shown_id(identity)!r}", "id")
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
