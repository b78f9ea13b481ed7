"""Formats A and B, a row per message; in B the sources of a turn are separate rows.

Which format a row has is decided in `chats`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from convostore.models import (
    JSON,
    Message,
    OtherPart,
    Part,
    Problem,
    Role,
    Source,
    Status,
    TextPart,
)
from convostore.parsing import Row, read_time_field

from .fields import Ids, cited_sources, decoded, id_of

_ROLES: Final[dict[str, Role]] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "tool": "tool",
}


def read_rows(turn: list[Row], ids: Ids) -> Iterator[Message]:
    """Parse the rows of one turn; source rows of B are joined to their answer."""
    roles = [row.get("role") for row in turn]
    answered = "assistant" in roles
    joined, orphans = _join_sources(turn, roles) if "source" in roles else ({}, [])
    for place, row in enumerate(turn):
        if roles[place] != "source":
            yield _message(row, joined.get(place), answered=answered, ids=ids)
    if orphans:
        yield _orphaned(orphans, ids)


def _join_sources(turn: list[Row], roles: list[JSON]) -> tuple[dict[int, list[Row]], list[Row]]:
    """Find the messages that a turn's source rows belong to.

    Returns:
        By the index of a message, its row with its source rows, in the service's order; and the
        source rows that belong to no message. Those without a source go to the question.
    """
    answers = [place for place, role in enumerate(roles) if role == "assistant"]
    if len(answers) == 1:
        (answer,) = answers
        return {answer: [row for row in turn if row.get("role") in ("source", "assistant")]}, []
    owners = {
        place: _answer_of(place, turn, answers)
        for place, role in enumerate(roles)
        if role == "source"
    }
    orphans = [turn[place] for place, owner in owners.items() if owner is None]
    if roles[0] == "user" and not any(cited_sources(row.get("sources"), "", []) for row in orphans):
        owners = {place: 0 if owner is None else owner for place, owner in owners.items()}
        orphans = []
    # A message's own row is kept among its source rows, so that `raw` has their order.
    joined = {
        owner: [
            row for place, row in enumerate(turn) if place == owner or owners.get(place) == owner
        ]
        for owner in owners.values()
        if owner is not None
    }
    return joined, orphans


def _answer_of(place: int, turn: list[Row], answers: list[int]) -> int | None:
    """Return the index of the answer that a source row belongs to.

    A migrated source row names its answer in its id and comes after it; one written by 1.11 comes
    before its answer. That matters in turns with several answers.
    """
    if not answers:
        return None
    owner = turn[place].get("messageId")
    if isinstance(owner, str) and owner.endswith("-source"):
        for answer in answers:
            if turn[answer].get("messageId") == owner.removesuffix("-source"):
                return answer
    return next((answer for answer in answers if answer > place), answers[-1])


def _message(row: Row, rows: list[Row] | None, *, answered: bool, ids: Ids) -> Message:
    """Parse one message.

    Args:
        row: The message's row.
        rows: The row with its source rows, in the service's order; None if it has none.
        answered: Whether the turn has an answer.
        ids: Ids of the chat's messages.
    """
    problems: list[Problem] = []
    metadata = _metadata(row, problems) if "metadata" in row else {}
    sources: list[Source] = []
    if metadata:
        sources = cited_sources(metadata.get("sources"), "metadata.sources", problems)
    for source_row in rows or (row,):
        if source_row.get("sources"):
            sources += cited_sources(source_row["sources"], "sources", problems, sources)
    role = row.get("role")
    if role is None:
        problems.append(Problem(where="role", what="is missing"))
    status: Status | None = "complete" if role == "assistant" else None
    if role == "user":
        status = "complete" if answered else "unanswered"
    created_at, where = row.get("createdAt"), "createdAt"
    if created_at is None:
        created_at, where = metadata.get("createdAt"), "metadata.createdAt"
    return Message.model_construct(
        id=ids.take(id_of(row, "messageId", problems), row),
        role=_ROLES.get(role, "other") if isinstance(role, str) else "other",
        parts=_content(row, problems),
        created_at=read_time_field(created_at, problems, where),
        sources=tuple(sources),
        feedback=None,
        status=status,
        model=None,
        parent_id=None,
        problems=tuple(problems),
        raw=row if rows is None else rows,
    )


def _orphaned(rows: list[Row], ids: Ids) -> Message:
    """Make one message of sources whose answer was never stored."""
    problems: list[Problem] = []
    sources: list[Source] = []
    for row in rows:
        sources += cited_sources(row.get("sources"), "sources", problems, sources)
    return Message.model_construct(
        id=ids.take(id_of(rows[0], "messageId", problems), rows[0]),
        role="other",
        created_at=read_time_field(rows[0].get("createdAt"), problems),
        sources=tuple(sources),
        problems=tuple(problems),
        raw=rows[0] if len(rows) == 1 else rows,
    )


def _metadata(row: Row, problems: list[Problem]) -> Row:
    value = decoded(row.get("metadata"), "metadata", problems)
    if value is None or isinstance(value, dict):
        return value or {}
    problems.append(Problem(where="metadata", what="is not an object"))
    return {}


def _content(row: Row, problems: list[Problem]) -> tuple[Part, ...]:
    content = row.get("content")
    if isinstance(content, str):
        return (TextPart.model_construct(kind="text", text=content),)
    if content is None:
        return ()
    problems.append(Problem(where="content", what="is not text"))
    return (OtherPart.model_construct(data=content),)
