"""Rows that another program damaged: what can be read of them, and an error for the rest.

SQLite lets a column hold anything. No statement may be known here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeVar

from convostore.errors import InvalidError, ProtocolError
from convostore.models import Conversation, Message, Problem
from convostore.serialization import damage, salvage_conversation, salvage_message

from .columns import ENCODED, decode_text, is_count, is_encoded, is_number, time_of
from .queries import Row

__all__ = [
    "DAMAGE",
    "TRUTHS",
    "check_places",
    "damage_of_numbers",
    "damaged",
    "salvaged_conversation",
    "salvaged_message",
    "shown_id",
    "with_problems",
]

T = TypeVar("T", Conversation, Message)

TRUTHS: Final = {0: False, 1: True}
"""The values of columns of truths; SQLite has numbers there."""
DAMAGE: Final = (InvalidError, TypeError, AttributeError, KeyError, OverflowError)
"""What reading a damaged row raises: not JSON of a value, or columns of another type."""


def salvaged_conversation(row: Row) -> Conversation:
    identity, title, pinned, created_at, updated_at, stored_at, body, owner, *rest = row
    revision, message_count, next_seq, rank = rest
    columns = {
        "id": shown_id(identity),
        "title": decode_text(title) if isinstance(title, str) else title,
        "pinned": TRUTHS.get(pinned, pinned),
        "created_at": _iso_time(created_at),
        "updated_at": _iso_time(updated_at),
        "owner": decode_text(owner) if isinstance(owner, str) else owner,
        "revision": revision,
    }
    problems = _damage_of_id(identity) + damage_of_numbers(stored_at=stored_at, rank=rank)
    problems += [
        damage(name, "it is not a count of messages")
        for name, value in (("message_count", message_count), ("next_seq", next_seq))
        if not is_count(value)
    ]
    return with_problems(salvage_conversation(_stored_body(body), columns), problems)


def _damage_of_id(identity: object) -> list[Problem]:
    return [] if is_encoded(identity) else [damage("id", "no item has it")]


def damage_of_numbers(**columns: object) -> list[Problem]:
    return [
        damage(name, "it is not a number")
        for name, value in columns.items()
        if type(value) is not int
    ]


def with_problems(value: T, problems: Iterable[Problem]) -> T:
    """Return a value with more problems; those that were stored with it are not said twice."""
    known: tuple[Problem, ...] = value.problems
    more: list[Problem] = [problem for problem in problems if problem not in known]
    return value.trusted_copy(problems=(*known, *more)) if more else value


def shown_id(identity: object) -> str:
    """Decode the id of a column, whatever it holds."""
    if isinstance(identity, bytes):
        return identity.decode("utf-8", "backslashreplace") or "-"
    return decode_text(str(identity)) or "-"


def _iso_time(number: Any) -> object:
    """Return the time of a column for salvage, or its value if it is not a time."""
    try:
        time = time_of(number)
    except (TypeError, OverflowError):
        return number
    return None if time is None else time.isoformat()


def salvaged_message(identity: object, role: object, body: object) -> Message:
    """Return what can be read of a message's row; its problems name the rest."""
    text = _stored_body(body)
    columns = {"id": shown_id(identity), "role": role}
    message = salvage_message("" if text is None else text, columns)
    return with_problems(message, _damage_of_id(identity))


def _stored_body(body: object) -> object:
    """Return the JSON in a column, whatever it holds."""
    if isinstance(body, str) and body.startswith(ENCODED):
        return decode_text(body[1:])
    return body


def damaged(row: str, what: str) -> ProtocolError:
    """Make the error of what cannot be done with a damaged row.

    Args:
        row: The row, as "the message 'm'".
        what: The columns that are damaged.
    """
    return ProtocolError(
        f"{row} is damaged in the store ({what}): `convostore doctor` names such rows; restore a "
        "backup, or mirror what can still be read into a new database"
    )


def check_places(conversation_id: str, rows: Iterable[Row]) -> None:
    """Check that the places of messages can be compared.

    Args:
        conversation_id: The conversation.
        rows: Rows of `tables.MESSAGE_COLUMNS`.

    Raises:
        ProtocolError: One of them is damaged.
    """
    for seq, identity, *_ in rows:
        if not is_number(seq):
            message = f"the message {shown_id(identity)!r} of the conversation {conversation_id!r}"
            raise damaged(message, "seq")
