"""Conversations, their origins, transcripts and changes.

No message and no part is modelled here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field

from ..errors import StoreError
from ._base import JSON, Timestamp, Value
from ._messages import Message, Problem
from ._metadata import Metadata, Owner
from ._paging import UNSET, Unset
from ._parts import FilePart


class Origin(Value):
    """The source of a copied conversation: a store, named without secrets, and the id there.

    The other fields are notes of a mirror for its next run. Origins that differ in nothing else are
    equal.

    Attributes:
        revision: The original's revision when the copy was last made equal to it; None if the
            original has none, or the copy is not whole.
        metadata_keys: The keys of the copy's metadata that the mirror wrote. The others are the
            copy's own.
    """

    _service_fields: ClassVar = frozenset({"raw", "revision", "metadata_keys"})
    _uncompared: ClassVar = frozenset({"revision", "metadata_keys"})

    store: str
    conversation_id: str
    revision: str | None = None
    metadata_keys: tuple[str, ...] = ()


class Conversation(Value):
    """One conversation, without its messages.

    Attributes:
        id: An opaque id, unique in its store.
        created_at: A time in UTC; None if the service reports none (FastGPT never does).
        updated_at: A time in UTC; None if the service reports none (the `/api/chats` service never
            does).
        owner: The user it belongs to, in the application's words: a label to filter by inside a
            namespace, never a permission. None if it has none, or the service reports none.
        metadata: The application's own JSON values by key, which every copy keeps whole: at most
            64 KiB and 64 levels of it. Services and adapters never fill it.
        revision: An opaque string that every write to the conversation or its messages changes;
            equal ones mean that nothing was written in between. None if the backend has none.
            Values that differ in nothing else are equal.
        origin: The source of a conversation that was copied from another store.
        files: The files uploaded to the conversation as a whole.
        problems: The fields of the conversation that could not be parsed.
        raw: The service's own object.
    """

    _service_fields: ClassVar = frozenset({"raw", "id", "origin", "revision"})
    _uncompared: ClassVar = frozenset({"revision"})
    _unhashed: ClassVar = frozenset({"metadata"})

    id: str
    title: str | None = None
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None
    pinned: bool = False
    owner: Owner | None = None
    metadata: Metadata = Field(default_factory=dict)
    revision: str | None = None
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
    owner: str | None = None
    metadata: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationChange:
    """The changes to a conversation; a field that is UNSET does not change.

    Attributes:
        metadata: The values to merge, by top-level key: each replaces the stored one, and None
            removes it. See `merge_metadata`.
    """

    title: str | Unset | None = UNSET
    pinned: bool | Unset = UNSET
    owner: str | Unset | None = UNSET
    metadata: Mapping[str, JSON] | Unset = UNSET

    def fields(self) -> dict[str, Any]:
        """Return the changed fields by name."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in values.items() if value is not UNSET}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationFilter:
    """Which conversations to delete: those that match every field.

    Attributes:
        owner: Only those of this owner; None for those without one, UNSET for any.
        older_than: Only those last active before this time; None for any.
    """

    owner: str | Unset | None = UNSET
    older_than: datetime | None = None
