"""Messages, with their sources, citations, feedback and problems.

The parts of a message are in `_parts`. No field of a service may be here.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from datetime import datetime
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    NamedTuple,
    Self,
    TypeAlias,
    TypedDict,
    Unpack,
)

from pydantic import AfterValidator, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from .._surrogates import may_hold_pairs, separate_surrogates
from ._base import JSON, Portable, Timestamp, Value, _not_empty
from ._parts import Part, TextPart

Role: TypeAlias = Literal["system", "user", "assistant", "tool", "other"]
"""The author of a message; ``other`` if the service's role is none of these."""
Status: TypeAlias = Literal["complete", "generating", "failed", "unanswered"]
"""The state of a message; only a question is ``unanswered``."""
SourceKind: TypeAlias = Literal["cited", "researched", "quote"]
"""The use of a source: cited by the answer, only read for it, or quoted from a knowledge base."""


class Problem(Value):
    """A field of a row that could not be parsed; the rest of the row was.

    Attributes:
        where: The service's own name of the field, such as ``"metadata"`` or ``"sources[2]"``.
        what: The fault, such as ``"is not JSON"``.
    """

    where: str
    what: str


class Feedback(Value):
    """A user's rating of an answer."""

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
    """A source of an answer.

    Sources are by far the most numerous values. So this is a dataclass with slots, which halves the
    number of objects for the garbage collector.

    Attributes:
        content: The passage that was used.
        score: The relevance; its scale differs from service to service.
        kind: ``cited`` by the answer, only ``researched`` for it, or a ``quote`` from a knowledge
            base.
        mark: The mark that cites it in the answer's text, without brackets: ``"1"`` for ``[1]``.
        raw: The service's own object.
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
        """Make a source from valid fields, without validation; see `Value.model_construct`."""
        source = object.__new__(cls)
        _set(source, "title", title)
        _set(source, "url", url)
        _set(source, "content", content)
        _set(source, "score", score)
        _set(source, "kind", kind)
        _set(source, "mark", mark)
        _set(source, "raw", raw)
        return source


_set = object.__setattr__


_MARK: Final = re.compile(
    r"\[(?P<id>[0-9a-f]{24})\]\((?:CITE|QUOTE)\)"
    r"|\[(?P<numbers>\d{1,4}(?:\s*,\s*\d{1,4})*)\](?!\(|:|\[(?!\d))"  # no link, no reference
)


class Citation(NamedTuple):
    """A citation mark in a message's text; `source` is None if the message lists none for it."""

    start: int
    end: int
    mark: str
    source: Source | None


class MessageFields(TypedDict, total=False):
    """The fields of a `Message` except its role and its parts, as arguments."""

    id: str
    created_at: datetime | None
    stored_at: datetime | None
    sources: Sequence[Source]
    feedback: Feedback | None
    status: Status | None
    model: str | None
    parent_id: str | None
    problems: Sequence[Problem]
    raw: JSON


_NOT_A_TEXT: Final = (
    'A message consists of parts: write Message.user("…"), or parts=[TextPart(text="…")].'
)


def _holds_text(parts: object) -> bool:
    return isinstance(parts, str) or (
        isinstance(parts, list | tuple) and any(isinstance(part, str) for part in parts)
    )


class Message(Value):
    """One message of a conversation.

    `Message.user("…")`, `Message.assistant("…")` and `Message.system("…")` are short ways to write
    one.

    Attributes:
        id: An opaque id, unique in its conversation. By default a new one is chosen, so that
            appending the same value twice stores it once.
        parts: The contents, in the service's order.
        created_at: A time in UTC; None if the service reports none.
        stored_at: The time at which a store of this library stored it, in UTC; None elsewhere.
            Messages that differ in nothing else are equal.
        sources: The sources of an answer; cited ones first, in the order of their marks.
        status: The state of the message; ``unanswered`` for a question that got no answer, None if
            it is not known.
        problems: The fields of the message that could not be parsed.
        raw: The service's own object, or a list of them if several rows form one message.
    """

    _service_fields: ClassVar = frozenset({"raw", "id", "parent_id", "stored_at"})
    _uncompared: ClassVar = frozenset({"stored_at"})

    id: Annotated[str, AfterValidator(_not_empty)] = Field(
        default_factory=lambda: secrets.token_hex(16)
    )
    role: Role
    parts: tuple[Part, ...] = ()
    created_at: Timestamp | None = None
    stored_at: Timestamp | None = None
    sources: tuple[Source, ...] = ()
    feedback: Feedback | None = None
    status: Status | None = None
    model: str | None = None
    parent_id: str | None = None
    problems: tuple[Problem, ...] = ()
    raw: JSON = Field(default=None, repr=False)

    if TYPE_CHECKING:  # pydantic takes any sequence, and makes a tuple of it

        def __init__(
            self, *, role: Role, parts: Sequence[Part] = ..., **fields: Unpack[MessageFields]
        ) -> None: ...

    else:

        def __init__(self, **fields: Any) -> None:
            try:
                super().__init__(**fields)
            except ValidationError as error:
                if {"text", "content"} & fields.keys() or _holds_text(fields.get("parts")):
                    error.add_note(_NOT_A_TEXT)
                raise

        # Without it pydantic would call `__init__` wherever it validates, and read JSON slowly.
        __init__.__pydantic_base_init__ = True

    @classmethod
    def user(cls, content: str | Sequence[Part], **fields: Unpack[MessageFields]) -> Self:
        """Return a message of the user.

        Args:
            content: Its text, or its parts.
            **fields: Further fields, such as `created_at`.

        Raises:
            pydantic.ValidationError: A value is wrong.
        """
        return cls(role="user", parts=_parts_of(content), **fields)

    @classmethod
    def assistant(cls, content: str | Sequence[Part], **fields: Unpack[MessageFields]) -> Self:
        """Return a message of the model, such as an answer; see `user`."""
        return cls(role="assistant", parts=_parts_of(content), **fields)

    @classmethod
    def system(cls, content: str | Sequence[Part], **fields: Unpack[MessageFields]) -> Self:
        """Return a message with instructions for the model; see `user`."""
        return cls(role="system", parts=_parts_of(content), **fields)

    @property
    def text(self) -> str:
        """The text parts, joined with a newline."""
        return "\n".join([part.text for part in self.parts if isinstance(part, TextPart)])

    def citations(self) -> Iterator[Citation]:
        """Yield the citation marks of `text` in order, each with its source.

        Marks are ``[1]``, ``[1, 2]`` (one citation per number) and ``[<24 hex digits>](CITE)``. A
        mark without a source is normal: models invent them.
        """
        sources = {source.mark: source for source in self.sources if source.mark is not None}
        for match in _MARK.finditer(self.text):
            for mark in re.findall(r"[0-9a-f]+", match["id"] or match["numbers"]):
                yield Citation(match.start(), match.end(), mark, sources.get(mark))

    def fingerprint(self) -> str:
        """Return a digest of `portable` without feedback and status.

        Two stores with the same message return the same digest, whatever its id.
        """
        plain = self.portable()
        del plain["feedback"], plain["status"]
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        if may_hold_pairs(text):
            plain = separate_surrogates(plain)
            text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("ascii")).hexdigest()


def _parts_of(content: str | Sequence[Part]) -> Sequence[Part]:
    return (TextPart(text=content),) if isinstance(content, str) else content
