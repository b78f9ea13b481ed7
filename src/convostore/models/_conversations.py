"""Conversations, their origins, transcripts and changes.

No message and no part is modelled here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from pydantic import Field

from ..errors import StoreError
from ._base import JSON, Timestamp, Value
from ._messages import Message, Problem
from ._paging import UNSET, Unset
from ._parts import FilePart


class Origin(Value):
    """The source of a copied conversation: a store, named without secrets, and the id there."""

    store: str
    conversation_id: str


class Conversation(Value):
    """One conversation, without its messages.

    Attributes:
        id: An opaque id, unique in its store.
        created_at: A time in UTC; None if the service reports none (FastGPT never does).
        updated_at: A time in UTC; None if the service reports none (the `/api/chats` service never
            does).
        origin: The source of a conversation that was copied from another store.
        files: The files uploaded to the conversation as a whole.
        problems: The fields of the conversation that could not be parsed.
        raw: The service's own object.
    """

    _service_fields: ClassVar = frozenset({"raw", "id", "origin"})

    id: str
    title: str | None = None
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None
    pinned: bool = False
    origin: Origin | None = None
    files: tuple[FilePart, ...] = ()
    problems: tuple[Problem, ...] = ()
    raw: JSON = Field(default=None, repr=False)

    @property
    def last_active_at(self) -> datetime | None:
        """`updated_at`, or else `created_at`; lists of several backends are sorted by it."""
        return self.updated_at or self.created_at


class RunStep(Value):
    """One step of the run that produced an answer.

    Attributes:
        type: The service's own word for the kind of step.
        seconds: The duration.
        steps: The steps within it.
    """

    _service_fields: ClassVar = frozenset({"raw", "id"})

    id: str | None = None
    name: str
    type: str | None = None
    seconds: float | None = None
    error: str | None = None
    steps: tuple[RunStep, ...] = ()
    raw: JSON = Field(default=None, repr=False)


class Health(Value):
    """The result of checking a service; one that is out of reach raises an error instead.

    Attributes:
        generation: The versions of the service that the check recognized; None if it did not.
        detail: Further information for people.
    """

    generation: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """A conversation with all its messages, or the error that ended reading it."""

    conversation_id: str
    conversation: Conversation | None = None
    messages: tuple[Message, ...] = field(default=(), repr=False)
    error: StoreError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConversation:
    """The fields of a conversation to create; if `id` is None, the store chooses one."""

    id: str | None = None
    title: str | None = None
    created_at: datetime | None = None
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationChange:
    """The changes to a conversation; a field that is UNSET does not change."""

    title: str | Unset | None = UNSET
    pinned: bool | Unset = UNSET
