"""The parts of a message: text, reasoning, tool calls, files, interactions, and others.

No field of a service may be here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal, TypeAlias

from pydantic import Discriminator, Tag, model_validator

from ._base import JSON, Value


class TextPart(Value):
    """Text, usually Markdown, exactly as the service stores it."""

    kind: Literal["text"] = "text"
    text: str


class ReasoningPart(Value):
    """The model's reasoning before it answered."""

    kind: Literal["reasoning"] = "reasoning"
    text: str


class ToolCallPart(Value):
    """A tool call; `arguments` is JSON as the model wrote it, which may be invalid."""

    _service_fields: ClassVar = frozenset({"id"})
    kind: Literal["tool_call"] = "tool_call"
    id: str | None = None
    name: str
    arguments: str = ""


class ToolResultPart(Value):
    """The result of the tool call with the same `id`."""

    _service_fields: ClassVar = frozenset({"id"})
    kind: Literal["tool_result"] = "tool_result"
    id: str | None = None
    content: str = ""


class FilePart(Value):
    """A file that was uploaded or generated.

    Attributes:
        url: The URL, which may expire, or be readable by the service only.
        media_type: The media type; a range such as ``"image/*"`` if the service reports no more.
    """

    kind: Literal["file"] = "file"
    name: str | None = None
    url: str | None = None
    media_type: str | None = None

    def portable(self) -> dict[str, JSON]:
        """Return the plain data, without the query of `url`: services sign it on each read."""
        plain = super().portable()
        return plain if self.url is None else plain | {"url": self.url.partition("?")[0]}


class InteractionOption(Value):
    """One option of an interaction; an answer sends its `value`."""

    value: str
    label: str | None = None


class InteractionField(Value):
    """One field of a form.

    Attributes:
        type: The service's own word for the kind of field, such as ``"numberInput"``.
        options: The values to choose from; empty for a field that accepts any value.
        value: The value that was entered.
    """

    key: str
    label: str | None = None
    type: str | None = None
    required: bool = False
    options: tuple[InteractionOption, ...] = ()
    value: JSON = None


class InteractionPart(Value):
    """A question of a running flow to its user: a choice, a form, a payment.

    Attributes:
        type: The service's own word for it, such as ``"userSelect"``.
        answered: Whether it has been answered; until then the flow waits.
        answer: The value of the chosen option; None for a form, whose fields hold the values.
    """

    kind: Literal["interaction"] = "interaction"
    type: str
    prompt: str | None = None
    options: tuple[InteractionOption, ...] = ()
    fields: tuple[InteractionField, ...] = ()
    answered: bool = False
    answer: str | None = None


class OtherPart(Value):
    """A part that the schema does not model.

    Attributes:
        type: The service's own word for it; None if it has none.
        data: The service's own object.
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
"""One part of a message; one of an unknown ``kind`` becomes an `OtherPart`."""
