"""Stored replies: finding a turn's record, waiting for it, and judging whether its run failed.

The record has the ids, the sources, and what a stream without details leaves out. Nothing is sent
here but requests that read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias

from convostore.adapters import ReplyAccumulator
from convostore.errors import ConflictError, NotFoundError, UnavailableError
from convostore.flow import poll
from convostore.http import HTTPFlow
from convostore.models import Listing, Message, Page, Reply
from convostore.parsing import Row

from ..api.envelope import failed_run
from ..api.offset_pagination import PAGE
from ..schema.records import data_id_of, read_error
from .decoder import nest_steps

_NEWEST: Final = 10
"""Number of newest records among which a fresh reply is looked for."""

ListMessages: TypeAlias = Callable[[str, Listing], HTTPFlow[Page[Message]]]
IsReply: TypeAlias = Callable[[Message], bool]
"""Test for the record of one reply."""
Stored: TypeAlias = tuple[Message, Message | None]
"""The message of a stored answer, and of the question before it."""


class StoredReplies:
    """Replies as the service stores them.

    Args:
        list_messages: The adapter's `list_messages`.
        patience: Seconds to wait for the record of an answer that has ended.
    """

    def __init__(self, list_messages: ListMessages, patience: float) -> None:
        self._list_messages = list_messages
        self._patience = patience

    def get(self, conversation_id: str, turn_id: str) -> HTTPFlow[Reply]:
        """Return the reply to a turn.

        Raises:
            NotFoundError: The turn did not arrive.
            ConflictError: The reply is not complete yet.
            UnavailableError: The run failed.
        """
        stored = yield from self._look(conversation_id, has_data_id(turn_id))
        if stored is None:
            raise NotFoundError(f"no turn {turn_id!r} arrived in {conversation_id!r}")
        if stored[0].status == "generating":
            raise ConflictError(
                f"the reply to the turn {turn_id!r} is still being generated: ask again later",
                retryable=True,
            )
        return _reply(conversation_id, turn_id, stored, ReplyAccumulator())

    def finish(
        self, conversation_id: str, turn_id: str, is_reply: IsReply, accumulator: ReplyAccumulator
    ) -> HTTPFlow[Reply]:
        """Return the reply of a stream that has ended, as soon as it is stored.

        Args:
            conversation_id: Id of the conversation.
            turn_id: Id of the turn.
            is_reply: Test for the answer's record.
            accumulator: The reply so far, from the stream's events.

        Raises:
            UnavailableError: The run failed, or its record is not there in time.
        """
        stored = yield from self._wait(conversation_id, is_reply)
        return _reply(conversation_id, turn_id, stored, accumulator)

    def _wait(self, conversation_id: str, is_reply: IsReply) -> HTTPFlow[Stored]:
        """Poll until an answer's record is there and complete."""

        def look(is_last: bool) -> HTTPFlow[Stored | None]:
            # The last look goes through all pages: others may have sent much meanwhile.
            try:
                stored = yield from self._look(
                    conversation_id, is_reply, pages=None if is_last else 1
                )
            except NotFoundError:  # the service may store a new conversation last
                return None
            return None if stored is None or stored[0].status == "generating" else stored

        stored = yield from poll(look, patience=self._patience)
        if stored is None:
            raise UnavailableError(
                f"the answer came, but its record is not complete after {self._patience:g} s: "
                "get_reply reads it later"
            )
        return stored

    def _look(
        self, conversation_id: str, is_reply: IsReply, *, pages: int | None = None
    ) -> HTTPFlow[Stored | None]:
        """Search a conversation, the newest message first, for an answer and its question."""
        listing = Listing(limit=_NEWEST, order="newest_first")
        answer: Message | None = None
        while True:
            page = yield from self._list_messages(conversation_id, listing)
            for message in page.items:
                if answer is not None:
                    return answer, message if message.role == "user" else None
                if message.role == "assistant" and is_reply(message):
                    answer = message
            pages = pages and pages - 1
            if page.cursor is None or (pages == 0 and answer is None):
                return None if answer is None else (answer, None)
            listing = replace(listing, limit=PAGE, cursor=page.cursor)


def has_data_id(data_id: str) -> IsReply:
    """Return a test for the records with this `dataId`."""
    return lambda message: data_id_of(message.id) == data_id


def _failure(answer: Message, accumulator: ReplyAccumulator) -> str | None:
    """Return the reason why the run failed; None if a node failed and the flow continued."""
    if answer.status != "failed":
        return None
    row: Row = answer.raw
    error = row.get("errorText")
    node = read_error(error.get("errorText") if isinstance(error, dict) else error)
    if accumulator.run_details and not row.get("errorMsg"):
        return None  # a node failed, and the flow continued without it
    return read_error(row.get("errorMsg")) or node or "the service gives no reason"


def _reply(
    conversation_id: str, turn_id: str, stored: Stored, accumulator: ReplyAccumulator
) -> Reply:
    """Build the reply from its record and from its events.

    Raises:
        UnavailableError: The run failed.
    """
    answer, question = stored
    error = _failure(answer, accumulator)
    if error is not None:
        raise failed_run(error)
    reply = accumulator.reply(
        conversation_id=conversation_id,
        turn_id=turn_id,
        message=answer,
        question=question,
    )
    return reply.model_copy(update={"run_details": nest_steps(reply.run_details)})
