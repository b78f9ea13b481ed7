"""The schema: conversations, messages and what they are made of, as closed, frozen values.

Every backend's answer is read into these and nothing else. A thing is modelled here or it is in
`raw`; there is no drawer for the rest. No I/O, no service's spelling, and no reading of foreign
data may live here.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Generic,
    Literal,
    NamedTuple,
    Self,
    TypeAlias,
    TypeVar,
)

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)
from pydantic_core import PydanticUndefined

from .errors import StoreError

JSON: TypeAlias = Any
"""A decoded JSON value: only the service that made it knows its shape, hence no narrower type."""

Role: TypeAlias = Literal["system", "user", "assistant", "tool", "other"]
Status: TypeAlias = Literal["complete", "generating", "failed", "unanswered"]
Order: TypeAlias = Literal["oldest_first", "newest_first"]
SourceKind: TypeAlias = Literal["cited", "researched", "quote"]
Timestamp: TypeAlias = Annotated[AwareDatetime, AfterValidator(lambda time: time.astimezone(UTC))]

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

# The slots of a pydantic model, set one by one where `model_construct` skips its validation.
_set_dict = object.__setattr__
_set_fields_set = BaseModel.__dict__["__pydantic_fields_set__"].__set__
_set_extra = BaseModel.__dict__["__pydantic_extra__"].__set__
_set_private = BaseModel.__dict__["__pydantic_private__"].__set__


class Value(BaseModel):
    """What the schema's values share: frozen, closed, and able to forget where they came from."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", defer_build=True, hide_input_in_errors=True
    )
    _service_fields: ClassVar[frozenset[str]] = frozenset({"raw"})
    _construct_fields: ClassVar[tuple[dict[str, Any], set[str]]]

    # pydantic's mypy plugin gives each model a narrower signature of its own.
    @classmethod
    def model_construct(  # type: ignore[override]
        cls, _fields_set: set[str] | None = None, **values: Any
    ) -> Self:
        """Makes a value from fields that are known to be right, without looking at them.

        As pydantic's, but several times faster, and all values count their fields as set. It is for
        adapters, which have checked what they read; anything else calls the class.
        """
        try:
            defaults, names = cls.__dict__["_construct_fields"]
        except KeyError:
            defaults, names = cls._prepare_construct()
        made = cls.__new__(cls)
        if len(values) < len(names):
            values = {**defaults, **values}
        _set_dict(made, "__dict__", values)
        _set_fields_set(made, names)
        _set_extra(made, None)
        _set_private(made, None)
        return made

    @classmethod
    def _prepare_construct(cls) -> tuple[dict[str, Any], set[str]]:
        fields = cls.model_fields
        cls._construct_fields = (
            {
                name: info.default
                for name, info in fields.items()
                if info.default is not PydanticUndefined
            },
            set(fields),
        )
        return cls._construct_fields

    def portable(self) -> dict[str, JSON]:
        """Returns the value as plain data without `raw` and the service's own ids, at all depths.

        What is left means the same in any store; it is what `fingerprint` compares.
        """
        return {
            name: _portable(getattr(self, name))
            for name in type(self).model_fields
            if name not in self._service_fields
        }


def _portable(value: object) -> JSON:
    if isinstance(value, Value):
        return value.portable()
    if isinstance(value, tuple):
        return [_portable(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value


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


class Source(Value):
    """A place that an answer draws on.

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
    raw: JSON = Field(default=None, repr=False)


class TextPart(Value):
    """Text, as a rule Markdown, exactly as the service holds it."""

    kind: Literal["text"] = "text"
    text: str


class ReasoningPart(Value):
    """What the model thought before it answered."""

    kind: Literal["reasoning"] = "reasoning"
    text: str


class ToolCallPart(Value):
    """A call of a tool; `arguments` is JSON text as the model wrote it, perhaps broken."""

    _service_fields: ClassVar = frozenset({"id"})
    kind: Literal["tool_call"] = "tool_call"
    id: str | None = None
    name: str
    arguments: str = ""


class ToolResultPart(Value):
    """What a tool answered to the call with the same `id`."""

    _service_fields: ClassVar = frozenset({"id"})
    kind: Literal["tool_result"] = "tool_result"
    id: str | None = None
    content: str = ""


class FilePart(Value):
    """A file that was given or made; `url` may expire, or be one that only the service reads."""

    kind: Literal["file"] = "file"
    name: str | None = None
    url: str | None = None
    media_type: str | None = None

    def portable(self) -> dict[str, JSON]:
        """As for every value, without the query of `url`: services sign it anew on each read."""
        plain = super().portable()
        return plain if self.url is None else plain | {"url": self.url.partition("?")[0]}


class InteractionOption(Value):
    """One choice of an interaction: `value` is what an answer sends."""

    value: str
    label: str | None = None


class InteractionField(Value):
    """One field of a form; `value` is what was filled in."""

    key: str
    label: str | None = None
    required: bool = False
    value: JSON = None


class InteractionPart(Value):
    """A question that a running flow put to its user: a choice, a form, a payment.

    Attributes:
        type: The service's own word for it, such as ``"userSelect"``.
        answered: Whether it has been answered; the flow waits as long as it has not.
        answer: The chosen option's value; None for a form, whose fields hold their values.
    """

    kind: Literal["interaction"] = "interaction"
    type: str
    prompt: str | None = None
    options: tuple[InteractionOption, ...] = ()
    fields: tuple[InteractionField, ...] = ()
    answered: bool = False
    answer: str | None = None


class OtherPart(Value):
    """A piece that the schema has no word for, whole.

    Attributes:
        type: The service's own word for it, when it has one.
        data: What the service holds.
    """

    kind: Literal["other"] = "other"
    type: str | None = None
    data: JSON = None

    @model_validator(mode="before")
    @classmethod
    def _wrap_unknown_kind(cls, value: JSON) -> JSON:
        if isinstance(value, Mapping) and value.get("kind", "other") != "other":
            return {"type": str(value["kind"]), "data": dict(value)}
        return value


_KINDS: Final = frozenset(
    {"text", "reasoning", "tool_call", "tool_result", "file", "interaction", "other"}
)


def _kind_of(part: JSON) -> str:
    kind = part.get("kind") if isinstance(part, Mapping) else getattr(part, "kind", None)
    return kind if isinstance(kind, str) and kind in _KINDS else "other"


Part: TypeAlias = Annotated[
    Annotated[TextPart, Tag("text")]
    | Annotated[ReasoningPart, Tag("reasoning")]
    | Annotated[ToolCallPart, Tag("tool_call")]
    | Annotated[ToolResultPart, Tag("tool_result")]
    | Annotated[FilePart, Tag("file")]
    | Annotated[InteractionPart, Tag("interaction")]
    | Annotated[OtherPart, Tag("other")],
    Discriminator(_kind_of),
]
"""One piece of a message; an unknown ``kind`` is read as `OtherPart`, whole."""

_MARK: Final = re.compile(
    r"\[(?P<id>[0-9a-f]{24})\]\((?:CITE|QUOTE)\)|\[(?P<numbers>\d{1,4}(?:\s*,\s*\d{1,4})*)\](?![(\[:])"
    r"|\[(?P<adjoining>\d{1,4})\](?=\[\d)"
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

    id: str = Field(default_factory=lambda: secrets.token_hex(16), min_length=1)
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
            for mark in re.findall(
                r"[0-9a-f]+", found["id"] or found["numbers"] or found["adjoining"]
            ):
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
    """

    limit: int | None = None
    cursor: str | None = None
    order: Order = "oldest_first"


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
