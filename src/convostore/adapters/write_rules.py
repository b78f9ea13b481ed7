"""Rules of a writable store: what it checks before it writes, and which values it then stores.

So no message is lost or doubled, and stores that keep them are alike. They compare and make values
only; storage belongs in the adapters.
"""

from __future__ import annotations

import json
import os
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ..errors import ConflictError, InvalidError, NotFoundError
from ..models import (
    ANY,
    JSON,
    AnyTip,
    Conversation,
    ConversationChange,
    InteractionPart,
    Message,
    NewConversation,
    Origin,
    OtherPart,
    merge_metadata,
)
from ..serialization import dump, to_json

__all__ = [
    "absent_conversation",
    "absent_message",
    "absent_start",
    "are_same_json",
    "are_same_messages",
    "changed_fields",
    "check_popped_tip",
    "check_replaced_tip",
    "check_replacement",
    "check_tip",
    "edited_message",
    "forked_conversation",
    "is_same_message",
    "made_conversation",
    "missing_tip",
    "moved_on",
    "new_revision",
    "require_json",
    "same_conversation",
    "taken_conversation",
    "unstored_messages",
    "updated_time",
]


def absent_conversation(conversation_id: str) -> NotFoundError:
    """Make the error for a conversation that does not exist."""
    return NotFoundError(f"there is no conversation {conversation_id!r}")


def absent_message(conversation_id: str, message_id: str) -> NotFoundError:
    """Make the error for a message that does not exist."""
    return NotFoundError(f"there is no message {message_id!r} in conversation {conversation_id!r}")


def taken_conversation(conversation_id: str) -> ConflictError:
    """Make the error for an id that another conversation has."""
    return ConflictError(
        f"another conversation with the id {conversation_id!r} exists already: choose another id"
    )


def same_conversation(stored: Conversation, new: NewConversation) -> Conversation:
    """Return the stored conversation if it equals the one to create.

    Raises:
        ConflictError: It has another title, time, origin, owner or metadata.
    """
    same = all(getattr(stored, name) == getattr(new, name) for name in _CREATED)
    if not same or not are_same_json(stored.metadata, new.metadata):
        raise taken_conversation(stored.id)
    return stored


_CREATED: Final = ("title", "created_at", "origin", "owner")


def made_conversation(conversation_id: str, new: NewConversation) -> Conversation:
    """Return a new conversation as a store makes it.

    One with a `created_at` in the past was last active then, as far as is known.
    """
    now = datetime.now(UTC)
    return Conversation(
        id=conversation_id,
        title=new.title,
        created_at=new.created_at,
        updated_at=now if new.created_at is None else min(now, new.created_at),
        origin=new.origin,
        owner=new.owner,
        metadata=new.metadata,
    )


def forked_conversation(
    original: Conversation, new_id: str, origin: Origin, change: ConversationChange
) -> Conversation:
    """Return the fork of a conversation: made now, not pinned, and otherwise like the original."""
    fork = original.trusted_copy(
        id=new_id, created_at=None, updated_at=datetime.now(UTC), pinned=False, origin=origin
    )
    return fork.trusted_copy(**changed_fields(fork, change))


def changed_fields(stored: Conversation, change: ConversationChange) -> dict[str, Any]:
    """Return the fields of a conversation that a change alters, with its metadata merged.

    Raises:
        InvalidError: The metadata would be too large.
    """
    fields = change.fields()
    if "metadata" in fields:
        try:
            fields["metadata"] = merge_metadata(stored.metadata, fields["metadata"])
        except ValueError as error:
            raise InvalidError(f"metadata {error}") from None
        if are_same_json(stored.metadata, fields["metadata"]):
            del fields["metadata"]
    return {
        name: value
        for name, value in fields.items()
        if name == "metadata" or value != getattr(stored, name)
    }


def are_same_json(one: JSON, other: JSON) -> bool:
    """Return whether two values are the same JSON; to Python, 1, 1.0 and True are equal."""
    return bool(one == other) and _sorted_json(one) == _sorted_json(other)


def _sorted_json(value: JSON) -> str:
    return json.dumps(value, sort_keys=True)


def new_revision() -> str:
    """Return a revision that no conversation has had: it is drawn at random."""
    return os.urandom(8).hex()  # half the time of `secrets`, for each write


def require_json(*values: Conversation | Message) -> None:
    """Check that values can be encoded, where a store does not encode them itself.

    Raises:
        InvalidError: A field for JSON contains something else.
    """
    for value in values:
        if value.raw is not None or type(value) is Conversation or _has_json(value):
            to_json(dump(value))


def _has_json(message: Any) -> bool:
    return any(part.kind in {"other", "interaction"} for part in message.parts) or any(
        source.raw is not None for source in message.sources
    )


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
            raise ConflictError(
                f"another message with the id {message.id!r} is stored already: choose another id"
            )
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


def check_replaced_tip(tip: str | None, expected: str | AnyTip | None) -> None:
    """Check that the last message is the one that the writer of a replacement believes it to be.

    Raises:
        ConflictError: Another message is the last.
    """
    if expected is not ANY and tip != expected:
        raise ConflictError(
            f"the last message is {tip!r}, not {expected!r}: read the new messages, then replace"
        )


def check_popped_tip(tip: str | None, expected: str | AnyTip) -> None:
    """Check that the last message is the one to delete.

    Raises:
        ConflictError: Another message is the last, or there is none.
    """
    if expected is not ANY and tip != expected:
        raise ConflictError(f"the last message is {tip!r}, not {expected!r}: read it, then decide")


def are_same_messages(stored: Sequence[Message], messages: Sequence[Message]) -> bool:
    """Return whether messages equal stored ones, their feedback and status included."""
    return len(stored) == len(messages) and all(map(is_same_message, stored, messages))


def is_same_message(one: Message, other: Message) -> bool:
    """Return whether two messages are stored alike, whatever their `stored_at` is.

    Python considers 1, 1.0 and True equal, and a NaN not equal to itself; in the JSON that
    messages hold it is the other way round.
    """
    if one == other:
        return to_json(_free_json(one)) == to_json(_free_json(other))
    return _as_json(one) == _as_json(other)


def _free_json(message: Message) -> JSON:
    data = [
        part.data if isinstance(part, OtherPart) else [field.value for field in part.fields]
        for part in message.parts
        if isinstance(part, OtherPart | InteractionPart)
    ]
    return [message.raw, data, [source.raw for source in message.sources]]


def _as_json(message: Message) -> str:
    return to_json(dump(message.trusted_copy(stored_at=None)))


def edited_message(stored: Message, message: Message, was: Message | AnyTip) -> Message:
    """Return a stored message with the content of another one; itself if nothing changes.

    Raises:
        ConflictError: `was` is not the stored message.
    """
    edited = message.trusted_copy(
        created_at=message.created_at or stored.created_at,
        feedback=message.feedback or stored.feedback,
        stored_at=stored.stored_at,
    )
    if is_same_message(edited, stored):
        return stored
    if was is not ANY and not is_same_message(was, stored):
        raise ConflictError(
            f"message {stored.id!r} was changed meanwhile: read it again, then edit"
        )
    return edited


def check_replacement(messages: Sequence[Message], head: Mapping[str, Message]) -> None:
    """Check that messages can replace the end of a conversation.

    Args:
        messages: The new end.
        head: The messages that stay, by id; at least those whose ids are among `messages`.

    Raises:
        ConflictError: One of them is among those that stay, or occurs twice.
    """
    if len(unstored_messages(messages, head)) != len(messages):
        raise ConflictError(
            "each message must occur once, and not among those before the replaced ones: leave out "
            "what is there already"
        )


def missing_tip(after: str) -> ConflictError:
    """Make the error for a replacement after a message that does not exist."""
    return ConflictError(f"message {after!r} no longer exists: read again, then replace")


def absent_start(item_id: str, list_name: str = "list") -> NotFoundError:
    """Make the error for a page that should begin with an item that is not in the list."""
    return NotFoundError(f"start must be an id in the {list_name}, got {item_id!r}")


def updated_time(
    created_at: datetime | None,
    updated_at: datetime | None,
    made_at: datetime | None,
    messages: Sequence[Message],
) -> datetime:
    """Return the `updated_at` of a conversation whose content changes.

    It is that of `moved_on`; but a conversation that was made with a `created_at` in the past
    follows the times of its new messages, and never goes back.

    Args:
        created_at: The time that the conversation was made with.
        updated_at: The time of the last change.
        made_at: The time at which the store made it; None if that is not known.
        messages: The messages that are added; none for any other change.
    """
    times = [message.created_at for message in messages]
    is_past = created_at is not None and made_at is not None and created_at < made_at
    if not times or None in times or not is_past:
        return moved_on(updated_at)
    latest = max(time for time in times if time is not None)
    return latest if updated_at is None else max(latest, updated_at)


def moved_on(before: datetime | None) -> datetime:
    """Return the time of a change: now, or just after the last change if the clock went back."""
    now = datetime.now(UTC)
    if before is None or now > before:
        return now
    try:
        return before + timedelta(microseconds=1)
    except OverflowError:
        return before
