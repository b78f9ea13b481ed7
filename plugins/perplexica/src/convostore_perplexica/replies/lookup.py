"""Stored replies: finding the one of a turn, and waiting until it is there.

Nothing is sent here but requests that read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from convostore.adapters import ReplyAccumulator
from convostore.errors import ConflictError, NotFoundError, StoreError, UnavailableError
from convostore.flow import poll
from convostore.http import HTTPFlow
from convostore.models import JSON, Message, Reply

from .history import History, read_history


def stored_reply(
    history: History,
    conversation_id: str,
    turn_id: str,
    accumulator: ReplyAccumulator,
    answer_id: str | None = None,
) -> Reply:
    """Return a turn's reply from a stored conversation.

    Args:
        history: The conversation.
        conversation_id: Id of the conversation.
        turn_id: Id of the question.
        accumulator: The reply so far, from the stream's events.
        answer_id: Id of the answer, if the stream named it.

    Raises:
        NotFoundError: There is no such turn.
        ConflictError: The turn has no answer yet.
        UnavailableError: The turn failed.
    """
    question, answer = _find_turn(history.messages, turn_id)
    if answer_id is not None:
        answer = next((found for found in history.messages if found.id == answer_id), answer)
    if answer is not None and answer.status == "failed":
        raise UnavailableError(f"the reply to the turn {turn_id!r} failed", retryable=False)
    if answer is not None and answer.status != "generating":
        return accumulator.reply(
            conversation_id=conversation_id, turn_id=turn_id, message=answer, question=question
        )
    if question is None:
        raise NotFoundError(f"no turn {turn_id!r} arrived in {conversation_id!r}")
    # Only 1.12 stores a status; in older versions a missing answer may still arrive.
    if _status_of(question.raw) in ("completed", "error"):
        raise UnavailableError(f"the turn {turn_id!r} ended without an answer", retryable=False)
    raise ConflictError(
        f"the turn {turn_id!r} has no answer yet: ask again later, or resume_reply (1.12). If the "
        "model failed or the server was restarted, there will never be one: the service does not "
        "say",
        retryable=True,
    )


def _find_turn(messages: Sequence[Message], turn_id: str) -> tuple[Message | None, Message | None]:
    """Return a turn's question and answer, each None if it is not there.

    A turn is named by the id of its question, or by that of its answer, which lists show, too.
    """
    question: Message | None = None
    named = False
    for message in messages:
        if message.role == "user":
            if named:
                break
            question, named = message, message.id == turn_id
        elif (named or message.id == turn_id) and _is_answer(message):
            return question, message
    return (question if named else None), None


def _is_answer(message: Message) -> bool:
    return message.role == "assistant" or _status_of(message.raw) == "completed"


def _status_of(raw: JSON) -> JSON:
    """Return the status of a row of 1.12, which is an assistant's message only once it has text."""
    return raw.get("status") if isinstance(raw, Mapping) else None


def finish(
    conversation_id: str,
    turn_id: str,
    accumulator: ReplyAccumulator,
    answer_id: str | None,
    *,
    patience: float,
) -> HTTPFlow[Reply]:
    """Poll for the stored reply of a stream that has ended.

    Args:
        conversation_id: Id of the conversation.
        turn_id: Id of the turn.
        accumulator: The reply so far, from the stream's events.
        answer_id: Id of the answer, if the stream named it.
        patience: Seconds to wait at most.

    Raises:
        UnavailableError: The reply is not stored in time.
    """
    last_error: StoreError | None = None

    def look(_: bool) -> HTTPFlow[Reply | None]:
        nonlocal last_error
        history = yield from read_history(conversation_id)
        try:
            return stored_reply(history, conversation_id, turn_id, accumulator, answer_id)
        except (NotFoundError, ConflictError) as error:
            last_error = error
            return None

    reply = yield from poll(look, patience=patience)
    if reply is None:
        raise UnavailableError(
            f"the reply came whole, but it is not stored after {patience:g} s: get_reply may find "
            f"it later, unless another client deleted it or repeated an earlier turn: {last_error}"
        )
    return reply
