"""The schema: conversations, messages and what they are made of, as closed, frozen values.

Every backend's answer is read into these and nothing else. A thing is modelled here (a message's
parts in `parts`) or it is in `raw`; there is no drawer for the rest. No I/O, no service's spelling,
and no reading of foreign data may live here.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import (
    Annotated,
    ClassVar,
    Final,
    Generic,
    Literal,
    NamedTuple,
    TypeAlias,
    TypeVar,
)

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field
from pydantic.dataclasses import dataclass as pydantic_dataclass

from .errors import StoreError
from .parts import (
    FilePart,
    InteractionField,
    InteractionOption,
    InteractionPart,
    OtherPart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from .values import JSON, Portable, Value

__all__ = [
    "ANY",
    "JSON",
    "UNSET",
    "AnyTip",
    "Citation",
    "Conversation",
    "ConversationChange",
    "Feedback",
    "FilePart",
    "Health",
    "InteractionField",
    "InteractionOption",
    "InteractionPart",
    "Listing",
    "Message",
    "NewConversation",
    "Order",
    "Origin",
    "OtherPart",
    "Page",
    "Part",
    "Problem",
    "ReasoningPart",
    "Role",
    "RunStep",
    "Source",
    "SourceKind",
    "Status",
    "TextPart",
    "Timestamp",
    "ToolCallPart",
    "ToolResultPart",
    "Transcript",
    "Unset",
    "Value",
]

Role: TypeAlias = Literal["system", "user", "assistant", "tool", "other"]
Status: TypeAlias = Literal["complete", "generating", "failed", "unanswered"]
Order: TypeAlias = Literal["oldest_first", "newest_first"]
SourceKind: TypeAlias = Literal["cited", "researched", "quote"]


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("UTC cannot hold this time") from None


def _not_empty(text: str) -> str:
    # Not a constraint of pydantic's: those refuse lone surrogates, which services do send.
    if not text:
        raise ValueError("must not be empty")
    return text


Timestamp: TypeAlias = Annotated[AwareDatetime, AfterValidator(_in_utc)]

T = TypeVar("T")


class _Sentinel(Enum):
    UNSET = "unset"
    ANY = "any"

    def __repr__(self) -> str:
        return self.name


UNSET: Final = _Sentinel.UNSET
"""An argument that was not given, where None has a meaning of its own."""
ANY: Final = _Sentinel.ANY
"""`after=ANY`: append behind whatever message is the last."""
Unset: TypeAlias = Literal[_Sentinel.UNSET]
AnyTip: TypeAlias = Literal[_Sentinel.ANY]


class Problem(Value):
    """Something of a row that could not be read; the rest of the row stands.

    Attributes:
        where: The service's own name of the field, such as ``"metadata"`` or ``"sources[2]"``.
        what: What is wrong with it, such as ``"is not JSON"``.
    """

    where: str
    what: str


class Feedback(Value):
    """What a user thought of an answer."""

    rating: Literal["good", "bad"]
    comment: str | None = None


@pydantic_dataclass(
    frozen=True,
    slots=True,
    kw_only=True,
    config=ConfigDict(
        extra="forbid",
        defer_build=True,
        hide_input_in_errors=True,
        ser_json_inf_nan="constants",
    ),
)
class Source(Portable):
    """A place that an answer draws on.

    By far the most numerous value, and so a slotted dataclass, half as many objects to collect.

    Attributes:
        content: The passage that was used.
        score: The service's own measure of relevance; its scale differs from service to service.
        kind: ``cited`` by the answer, only ``researched`` on the way to it, or a ``quote`` from a
            knowledge base.
        mark: What stands for it in the answer's text between brackets: ``"1"`` for ``[1]``.
    """

    title: str | None = None
    url: str | None = None
    content: str | None = None
    score: float | None = None
    kind: SourceKind = "cited"
    mark: str | None = None
    raw: JSON = field(default=None, repr=False)

    @classmethod
    def _field_names(cls) -> Iterable[str]:
        return cls.__slots__

    @classmethod
    def model_construct(
        cls,
        *,
        title: str | None = None,
        url: str | None = None,
        content: str | None = None,
        score: float | None = None,
        kind: SourceKind = "cited",
        mark: str | None = None,
        raw: JSON = None,
    ) -> Source:
        """Makes a source from fields that are known to be right; see `Value.model_construct`."""
        made = object.__new__(cls)
        _set(made, "title", title)
        _set(made, "url", url)
        _set(made, "content", content)
        _set(made, "score", score)
        _set(made, "kind", kind)
        _set(made, "mark", mark)
        _set(made, "raw", raw)
        return made


_set = object.__setattr__


_MARK: Final = re.compile(
    r"\[(?P<id>[0-9a-f]{24})\]\((?:CITE|QUOTE)\)"
    r"|\[(?P<numbers>\d{1,4}(?:\s*,\s*\d{1,4})*)\](?!\(|:|\[(?!\d))"  # no link, no reference
)


class Citation(NamedTuple):
    """A mark in a message's text; `source` is None when the service lists none for it."""

    start: int
    end: int
    mark: str
    source: Source | None


class Message(Value):
    """One utterance of a conversation.

    Attributes:
        id: Opaque, unique within its conversation; a new one is chosen when none is given, so that
            appending the same value twice stores it once.
        parts: What was said, piece by piece, in the service's order.
        created_at: UTC; None where the service tells none.
        sources: What an answer draws on; cited ones first, in the order of their marks.
        status: ``unanswered`` marks a question that got no answer; None where nothing is known.
        problems: What of this message could not be read.
        raw: The service's own object, or a list of them where several rows make one message.
    """

    _service_fields: ClassVar = frozenset({"raw", "id", "parent_id"})

    id: Annotated[str, AfterValidator(_not_empty)] = Field(
        default_factory=lambda: secrets.token_hex(16)
    )
    role: Role
    parts: tuple[Part, ...] = ()
    created_at: Timestamp | None = None
    sources: tuple[Source, ...] = ()
    feedback: Feedback | None = None
    status: Status | None = None
    model: str | None = None
    parent_id: str | None = None
    problems: tuple[Problem, ...] = ()
    raw: JSON = Field(default=None, repr=False)

    @property
    def text(self) -> str:
        """The text parts, joined with a newline."""
        return "\n".join([part.text for part in self.parts if isinstance(part, TextPart)])

    def citations(self) -> Iterator[Citation]:
        """Yields each mark of `text` in order, with the source it stands for.

        Read are ``[1]``, ``[1, 2]`` (one citation a number) and ``[<24 hex digits>](CITE)``. A mark
        beyond the list is normal: models write them.
        """
        known = {source.mark: source for source in self.sources if source.mark is not None}
        for found in _MARK.finditer(self.text):
            for mark in re.findall(r"[0-9a-f]+", found["id"] or found["numbers"]):
                yield Citation(found.start(), found.end(), mark, known.get(mark))

    def fingerprint(self) -> str:
        """Returns a digest of `portable` without feedback and status.

        Two stores that hold the same message give the same digest, whatever they call it.
        """
        plain = self.portable()
        del plain["feedback"], plain["status"]
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("ascii")).hexdigest()


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
class Listing:
    """How a list is to be cut.

    Attributes:
        limit: The most items to return; None for all that one answer of the backend holds.
        cursor: The adapter's own note of where the page before ended; None for the head. The store
            wraps it for its callers, and has checked that it belongs to this list and order.
        older_than: Only conversations that were last active before it. The store leaves out the
            others in any case; an adapter that can need not fetch them.
    """

    limit: int | None = None
    cursor: str | None = None
    order: Order = "oldest_first"
    older_than: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A run of a list; `cursor` leads to the next one and is None on the last.

    Attributes:
        total: How many there are in all, where the backend says.
    """

    items: tuple[T, ...]
    cursor: str | None = None
    total: int | None = None


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
