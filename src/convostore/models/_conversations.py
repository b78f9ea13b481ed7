"""Conversations, and what stores say of them, as closed, frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import (
    ClassVar,
)

from pydantic import Field

from ..errors import StoreError
from ._base import JSON, Timestamp, Value
from ._messages import Message, Problem
from ._paging import UNSET, Unset
from ._parts import (
    FilePart,
)


class Origin(Value):
    """Where a copied conversation came from: a store, named without secrets, and the id there."""

    store: str
    conversation_id: str


class Conversation(Value):
    """One conversation, without its messages.

    Attributes:
        id: Opaque, scoped to its store.
        created_at: UTC; None where the service tells none (FastGPT never does).
        updated_at: UTC; None where the service tells none (the `/api/chats` service never does).
        origin: Set on a conversation that was copied from another store.
        files: What was uploaded to the conversation as a whole.
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
        """`updated_at` or else `created_at`: what lists of several backends are sorted by."""
        return self.updated_at or self.created_at


class RunStep(Value):
    """One step of the run that made an answer."""

    _service_fields: ClassVar = frozenset({"raw", "id"})

    id: str | None = None
    name: str
    type: str | None = None
    seconds: float | None = None
    error: str | None = None
    steps: tuple[RunStep, ...] = ()
    raw: JSON = Field(default=None, repr=False)


class Health(Value):
    """What a look at the service found out; a service out of reach raises instead.

    Attributes:
        generation: The versions of the service whose shape was seen; None when nothing showed it.
    """

    generation: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """A conversation with all its messages, or the error that reading it ended in."""

    conversation_id: str
    conversation: Conversation | None = None
    messages: tuple[Message, ...] = field(default=(), repr=False)
    error: StoreError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConversation:
    """What a conversation starts with; None leaves the choice of `id` to the store."""

    id: str | None = None
    title: str | None = None
    created_at: datetime | None = None
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationChange:
    """What to change of a conversation; UNSET leaves it as it is."""

    title: str | Unset | None = UNSET
    pinned: bool | Unset = UNSET
