"""Replies as the service keeps them: looked for, waited for, and judged.

The record has the ids, the sources, and what a stream without details is silent about. Nothing is
sent here but requests that read.
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
from .decoder import nested

_NEWEST: Final = 10
"""Records among which a turn just made is looked for."""

ListMessages: TypeAlias = Callable[[str, Listing], HTTPFlow[Page[Message]]]
IsIt: TypeAlias = Callable[[Message], bool]
"""Tells an answer's record from the others."""
Stored: TypeAlias = tuple[Message, Message | None]
"""An answer as it is stored, and the question before it."""


class StoredReplies:
    """Reads what became of turns.

    Args:
        list_messages: Reads a conversation's messages, as the store does.
        patience: Seconds that a record may take to be there once its answer was whole.
    """

    def __init__(self, list_messages: ListMessages, patience: float) -> None:
        self._list_messages = list_messages
        self._patience = patience

    def get(self, conversation_id: str, turn_id: str) -> HTTPFlow[Reply]:
        """The reply to a turn, if it is there.

        Raises:
            NotFoundError: It did not arrive.
            ConflictError: It is still being made.
            UnavailableError: Its run failed.
        """
        stored = yield from self._look(conversation_id, bears(turn_id))
        if stored is None:
            raise NotFoundError(f"no turn {turn_id!r} arrived in {conversation_id!r}")
        if stored[0].status == "generating":
            raise ConflictError(
                f"the reply to the turn {turn_id!r} is still being made: ask again later",
                retryable=True,
            )
        return _reply(conversation_id, turn_id, stored, ReplyAccumulator())

    def finish(
        self, conversation_id: str, turn_id: str, made: IsIt, accumulator: ReplyAccumulator
    ) -> HTTPFlow[Reply]:
        """The reply whose answer was whole, as soon as it is stored.

        Args:
            conversation_id: Where it is.
            turn_id: Whose reply it is.
            made: Tells the answer's record.
            accumulator: What the events told.

        Raises:
            UnavailableError: The run failed, or its record is not there in time.
        """
        stored = yield from self._wait(conversation_id, made)
        return _reply(conversation_id, turn_id, stored, accumulator)

    def _wait(self, conversation_id: str, made: IsIt) -> HTTPFlow[Stored]:
        """Looks again and again until an answer's record is there and complete."""

        def look(is_last: bool) -> HTTPFlow[Stored | None]:
            # At last, as it may stand behind what others sent meanwhile, on every page.
            try:
                stored = yield from self._look(conversation_id, made, pages=None if is_last else 1)
            except NotFoundError:  # a new conversation may be stored last
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
        self, conversation_id: str, made: IsIt, *, pages: int | None = None
    ) -> HTTPFlow[Stored | None]:
        """Looks through a conversation, the newest first, for an answer and its question."""
        listing = Listing(limit=_NEWEST, order="newest_first")
        answer: Message | None = None
        while True:
            page = yield from self._list_messages(conversation_id, listing)
            for message in page.items:
                if answer is not None:
                    return answer, message if message.role == "user" else None
                if message.role == "assistant" and made(message):
                    answer = message
            pages = pages and pages - 1
            if page.cursor is None or (pages == 0 and answer is None):
                return None if answer is None else (answer, None)
            listing = replace(listing, limit=PAGE, cursor=page.cursor)


def bears(data_id: str) -> IsIt:
    """Tells the records of a turn by its id."""
    return lambda message: data_id_of(message.id) == data_id


def _failure(answer: Message, accumulator: ReplyAccumulator) -> str | None:
    """What a record says went wrong with the run; what its nodes told beforehand counts more."""
    if answer.status != "failed":
        return None
    row: Row = answer.raw
    told = row.get("errorText")
    node = read_error(told.get("errorText") if isinstance(told, dict) else told)
    if accumulator.run_details and not row.get("errorMsg"):
        return None  # a node failed, and the flow went on without it
    return read_error(row.get("errorMsg")) or node or "the service does not say why"


def _reply(
    conversation_id: str, turn_id: str, stored: Stored, accumulator: ReplyAccumulator
) -> Reply:
    """The reply, with what only its events told.

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
    return reply.model_copy(update={"run_details": nested(reply.run_details)})
