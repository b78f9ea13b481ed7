"""Shapes A and B: a row an utterance; in B a turn's sources are a row of their own."""

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


def read_utterances(turn: list[Row], ids: Ids) -> Iterator[Message]:
    """Reads the rows of one turn; B's source rows join the answer that they belong to."""
    roles = [row.get("role") for row in turn]
    answered = "assistant" in roles
    joined, orphans = _join_sources(turn, roles) if "source" in roles else ({}, [])
    for place, row in enumerate(turn):
        if roles[place] != "source":
            yield _utterance(row, joined.get(place), answered=answered, ids=ids)
    if orphans:
        yield _orphaned(orphans, ids)


def _join_sources(turn: list[Row], roles: list[JSON]) -> tuple[dict[int, list[Row]], list[Row]]:
    """Finds the owners of a turn's source rows.

    Returns:
        By the place of an owner: its row and the source rows that belong to it, in the service's
        order. And the rows that belong to none; the question keeps those that hold no source.
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
    joined = {
        owner: [
            row for place, row in enumerate(turn) if place == owner or owners.get(place) == owner
        ]
        for owner in owners.values()
        if owner is not None
    }
    return joined, orphans


def _answer_of(place: int, turn: list[Row], answers: list[int]) -> int | None:
    """The answer that a source row belongs to.

    A migrated one says whose it is by its id and stands behind its answer; one made by 1.11 stands
    before it. A turn of several answers is told apart by that.
    """
    if not answers:
        return None
    owner = turn[place].get("messageId")
    if isinstance(owner, str) and owner.endswith("-source"):
        for answer in answers:
            if turn[answer].get("messageId") == owner.removesuffix("-source"):
                return answer
    return next((answer for answer in answers if answer > place), answers[-1])


def _utterance(row: Row, rows: list[Row] | None, *, answered: bool, ids: Ids) -> Message:
    """Reads one utterance.

    Args:
        row: It.
        rows: It and the source rows that belong to it, in the service's order; None for none.
        answered: Whether its turn has an answer.
        ids: Those that are taken.
    """
    problems: list[Problem] = []
    metadata = _metadata(row, problems) if "metadata" in row else {}
    sources: list[Source] = []
    if metadata:
        sources = cited_sources(metadata.get("sources"), "metadata.sources", problems)
    for each in rows or (row,):
        if each.get("sources"):
            sources += cited_sources(each["sources"], "sources", problems, sources)
    role = row.get("role")
    if role is None:
        problems.append(Problem(where="role", what="is missing"))
    status: Status | None = "complete" if role == "assistant" else None
    if role == "user":
        status = "complete" if answered else "unanswered"
    created_at, said_in = row.get("createdAt"), "createdAt"
    if created_at is None:
        created_at, said_in = metadata.get("createdAt"), "metadata.createdAt"
    return Message.model_construct(
        id=ids.take(id_of(row, "messageId", problems), row),
        role=_ROLES.get(role, "other") if isinstance(role, str) else "other",
        parts=_content(row, problems),
        created_at=read_time_field(created_at, problems, said_in),
        sources=tuple(sources),
        feedback=None,
        status=status,
        model=None,
        parent_id=None,
        problems=tuple(problems),
        raw=row if rows is None else rows,
    )


def _orphaned(rows: list[Row], ids: Ids) -> Message:
    """Sources whose answer was never given, as one message of their own."""
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
