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
    past: History,
    conversation_id: str,
    turn_id: str,
    accumulator: ReplyAccumulator,
    answer_id: str | None = None,
) -> Reply:
    """Finds a turn's reply among what is stored.

    Args:
        past: The conversation as it is.
        conversation_id: Its id.
        turn_id: The question's.
        accumulator: What the stream told.
        answer_id: The answer's, where the stream named it.

    Raises:
        NotFoundError: There is no such turn.
        ConflictError: It has no answer yet.
        UnavailableError: It failed.
    """
    question, answer = _found(past.messages, turn_id)
    if answer_id is not None:
        answer = next((each for each in past.messages if each.id == answer_id), answer)
    if answer is not None and answer.status == "failed":
        raise UnavailableError(f"the reply to the turn {turn_id!r} failed", retryable=False)
    if answer is not None and answer.status != "generating":
        return accumulator.reply(
            conversation_id=conversation_id, turn_id=turn_id, message=answer, question=question
        )
    if question is None:
        raise NotFoundError(f"no turn {turn_id!r} arrived in {conversation_id!r}")
    if _status_of(question.raw) in ("completed", "error"):
        raise UnavailableError(f"the turn {turn_id!r} ended without an answer", retryable=False)
    raise ConflictError(
        f"the turn {turn_id!r} has no answer yet: ask again later, or resume_reply (1.12). If the "
        "model failed or the server was restarted, there will never be one: the service does not "
        "say",
        retryable=True,
    )


def _found(messages: Sequence[Message], turn_id: str) -> tuple[Message | None, Message | None]:
    """A turn's question and its answer, each None where it is not there.

    It is named by its question; its answer's id, which a list shows as well, names it too.
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
    """How a row of 1.12 says it stands; only its text makes an assistant's message of it."""
    return raw.get("status") if isinstance(raw, Mapping) else None


def finish(
    conversation_id: str,
    turn_id: str,
    accumulator: ReplyAccumulator,
    answer_id: str | None,
    *,
    patience: float,
) -> HTTPFlow[Reply]:
    """Reads what was stored of a reply, and waits for it a little while.

    Args:
        conversation_id: Where it is.
        turn_id: Whose reply it is.
        accumulator: What the events told.
        answer_id: The answer's id, where they named one.
        patience: Seconds to wait at the most.

    Raises:
        UnavailableError: It is not there after that.
    """
    trouble: StoreError | None = None

    def look(_: bool) -> HTTPFlow[Reply | None]:
        nonlocal trouble
        past = yield from read_history(conversation_id)
        try:
            return stored_reply(past, conversation_id, turn_id, accumulator, answer_id)
        except (NotFoundError, ConflictError) as error:
            trouble = error
            return None

    reply = yield from poll(look, patience=patience)
    if reply is None:
        raise UnavailableError(
            f"the reply came whole, but it is not stored after {patience:g} s, which get_reply may "
            f"find later, unless another deleted it or asked an earlier turn again: {trouble}"
        )
    return reply
