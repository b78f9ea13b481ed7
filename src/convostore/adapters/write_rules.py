"""Checks that a writable store makes before it writes, so that no message is lost or doubled.

They compare values only; storage belongs in the adapters.
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
    """Make the error for a conversation that does not exist."""
    return NotFoundError(f"there is no conversation {conversation_id!r}")


def absent_message(conversation_id: str, message_id: str) -> NotFoundError:
    """Make the error for a message that does not exist."""
    return NotFoundError(f"there is no message {message_id!r} in conversation {conversation_id!r}")


def taken_conversation(conversation_id: str) -> ConflictError:
    """Make the error for an id that another conversation has."""
    return ConflictError(f"another conversation with the id {conversation_id!r} exists already")


def same_conversation(stored: Conversation, new: NewConversation) -> Conversation:
    """Return the stored conversation if it equals the one to create.

    Raises:
        ConflictError: It has another title, time or origin.
    """
    values = (stored.title, stored.created_at, stored.origin)
    if values != (new.title, new.created_at, new.origin):
        raise taken_conversation(stored.id)
    return stored


def unstored_messages(messages: Sequence[Message], stored: Mapping[str, Message]) -> list[Message]:
    """Return the messages that are not stored yet, each once.

    Args:
        messages: The messages to store.
        stored: The stored messages by id; at least those whose ids are among `messages`.

    Raises:
        ConflictError: A message is stored with other content.
    """
    fresh: dict[str, Message] = {}
    for message in messages:
        known = stored.get(message.id) or fresh.get(message.id)
        if known is None:
            fresh[message.id] = message
        elif known.fingerprint() != message.fingerprint():
            raise ConflictError(f"another message with the id {message.id!r} is stored already")
    return list(fresh.values())


def check_tip(tip: str | None, after: str | AnyTip | None, repeated: Container[str | None]) -> None:
    """Check that the last message is the one that the writer expects.

    Args:
        tip: The last message's id; None if there is none.
        after: The id that the writer expects.
        repeated: The ids of those of the writer's messages that are stored already. If the last
            message is one of them, the writer repeats or resumes its own write.

    Raises:
        ConflictError: Another message is the last.
    """
    if after is not ANY and tip != after and tip not in repeated:
        raise ConflictError(
            f"the last message is {tip!r}, not {after!r}: read the new messages, then append again"
        )


def check_replacement(messages: Sequence[Message], head: Mapping[str, Message]) -> None:
    """Check that messages can replace the end of a conversation.

    Args:
        messages: The new end.
        head: The messages that stay, by id; at least those whose ids are among `messages`.

    Raises:
        ConflictError: One of them is among those that stay, or occurs twice.
    """
    if len(unstored_messages(messages, head)) != len(messages):
        raise ConflictError("a message occurs twice, or before the point of the replacement")


def missing_tip(after: str) -> ConflictError:
    """Make the error for a replacement after a message that does not exist."""
    return ConflictError(f"message {after!r} no longer exists: read again, then replace")


def moved_on(before: datetime | None) -> datetime:
    """Return the time of a change: now, or just after the last change if the clock went back."""
    now = datetime.now(UTC)
    if before is None or now > before:
        return now
    try:
        return before + timedelta(microseconds=1)
    except OverflowError:
        return before
