"""The parts of a message: text, reasoning, tools, files, interactions, and what is none of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal, TypeAlias

from pydantic import Discriminator, Tag, model_validator

from ._base import JSON, Value


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
    """A file that was given or made.

    Attributes:
        url: May expire, or be one that only the service reads.
        media_type: A range such as ``"image/*"`` where the service says no more.
    """

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
    """One field of a form.

    Attributes:
        type: The service's own word for how it is filled in, such as ``"numberInput"``.
        options: What may be chosen; empty for a field that takes anything.
        value: What was filled in.
    """

    key: str
    label: str | None = None
    type: str | None = None
    required: bool = False
    options: tuple[InteractionOption, ...] = ()
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
