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
from dataclasses import field
from typing import (
    Annotated,
    ClassVar,
    Final,
    Literal,
    NamedTuple,
    TypeAlias,
    TypeVar,
)

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass as pydantic_dataclass

from ._base import JSON, Portable, Timestamp, Value, _not_empty
from ._parts import (
    Part,
    TextPart,
)

Role: TypeAlias = Literal["system", "user", "assistant", "tool", "other"]
Status: TypeAlias = Literal["complete", "generating", "failed", "unanswered"]
SourceKind: TypeAlias = Literal["cited", "researched", "quote"]


T = TypeVar("T")


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
