"""Writing: what a store of one's own checks before it writes, so that nothing is lost or doubled.

Rules of values only; where and how they are kept, the adapters know.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from ..errors import ConflictError, NotFoundError
from ..models import ANY, AnyTip, Conversation, Message, NewConversation

__all__ = [
    "absent_conversation",
    "absent_message",
    "check_replacement",
    "check_tip",
    "missing_tip",
    "moved_on",
    "same_conversation",
    "taken_conversation",
    "unstored_messages",
]


def absent_conversation(conversation_id: str) -> NotFoundError:
    """The error of a conversation that is not there."""
    return NotFoundError(f"there is no conversation {conversation_id!r}")


def absent_message(conversation_id: str, message_id: str) -> NotFoundError:
    """The error of a message that is not there."""
    return NotFoundError(f"there is no message {message_id!r} in conversation {conversation_id!r}")


def taken_conversation(conversation_id: str) -> ConflictError:
    """The error of an id that another conversation has."""
    return ConflictError(f"there is another conversation {conversation_id!r} already")


def same_conversation(stored: Conversation, asked: NewConversation) -> Conversation:
    """The conversation that is stored, where it is the one that is to be made.

    Raises:
        ConflictError: It is another one.
    """
    values = (stored.title, stored.created_at, stored.origin)
    if values != (asked.title, asked.created_at, asked.origin):
        raise taken_conversation(stored.id)
    return stored


def unstored_messages(messages: Sequence[Message], stored: Mapping[str, Message]) -> list[Message]:
    """Those of the messages that are not stored yet, each once.

    Args:
        messages: What is to be stored.
        stored: By their ids, those that are: at least all that have an id of `messages`.

    Raises:
        ConflictError: One is stored with another content.
    """
    fresh: dict[str, Message] = {}
    for message in messages:
        known = stored.get(message.id) or fresh.get(message.id)
        if known is None:
            fresh[message.id] = message
        elif known.fingerprint() != message.fingerprint():
            raise ConflictError(f"another message {message.id!r} is stored already")
    return list(fresh.values())


def check_tip(tip: str | None, after: str | AnyTip | None, repeated: Container[str | None]) -> None:
    """Looks whether the last message is the one that a writer took for the last.

    Args:
        tip: The last message's id; None where there is none.
        after: What the writer said.
        repeated: The ids of those of its messages that are stored: when the last is one of them,
            the writer repeats or goes on with what it had begun.

    Raises:
        ConflictError: Another one is the last.
    """
    if after is not ANY and tip != after and tip not in repeated:
        raise ConflictError(
            f"the last message is {tip!r}, not {after!r}: read on, then append again"
        )


def check_replacement(messages: Sequence[Message], head: Mapping[str, Message]) -> None:
    """Looks whether messages can take the place of a conversation's end.

    Args:
        messages: The new end.
        head: By their ids, those that stay: at least all that have an id of `messages`.

    Raises:
        ConflictError: One of them stays already, or comes twice.
    """
    if len(unstored_messages(messages, head)) != len(messages):
        raise ConflictError("a message stands before the place where it is to be put")


def missing_tip(after: str) -> ConflictError:
    """The error of a replacement behind a message that is not there."""
    return ConflictError(f"the message {after!r} is gone: read again, then replace")


def moved_on(before: datetime | None) -> datetime:
    """The time of a change: now, but later than the last one even where the clock goes back."""
    now = datetime.now(UTC)
    if before is None or now > before:
        return now
    try:
        return before + timedelta(microseconds=1)
    except OverflowError:
        return before
