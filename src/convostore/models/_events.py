"""The events that a streamed reply arrives in, one class each.

An event says what is new. Text and reasoning grow by deltas: one of another kind, or any other
piece between, begins a new part; `drafts` puts them together again. No service's spelling and no
decoding may live here.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from ._base import JSON, Value
from ._conversations import RunStep
from ._messages import Source
from ._parts import InteractionPart, Part
from ._replies import Reply, Usage


class TextDelta(Value):
    """More of the answer's text."""

    kind: Literal["text_delta"] = "text_delta"
    text: str


class ReasoningDelta(Value):
    """More of what the model thinks before it answers."""

    kind: Literal["reasoning_delta"] = "reasoning_delta"
    text: str


class ToolCallStarted(Value):
    """A tool is being called."""

    kind: Literal["tool_call_started"] = "tool_call_started"
    id: str
    name: str


class ToolCallArgumentsDelta(Value):
    """More of a call's arguments, which are JSON text when they are whole."""

    kind: Literal["tool_call_arguments_delta"] = "tool_call_arguments_delta"
    id: str
    arguments: str


class ToolResultDelta(Value):
    """More of what a tool answered to the call of this id."""

    kind: Literal["tool_result_delta"] = "tool_result_delta"
    id: str
    content: str


class PartAdded(Value):
    """A piece of the answer that comes whole: a file, or one that the schema has no word for."""

    kind: Literal["part_added"] = "part_added"
    part: Part


class PartsReplaced(Value):
    """The service took back what it had said: these are the answer's parts so far."""

    kind: Literal["parts_replaced"] = "parts_replaced"
    parts: tuple[Part, ...]


class SourcesFound(Value):
    """More sources, behind those that were found before."""

    kind: Literal["sources_found"] = "sources_found"
    sources: tuple[Source, ...]


class StatusChanged(Value):
    """What is at work now.

    Attributes:
        name: The step's name, such as that of a node of a flow.
        status: The service's own word for how it stands, such as ``"running"``.
    """

    kind: Literal["status_changed"] = "status_changed"
    name: str
    status: str


class InteractionRequested(Value):
    """The flow asks its user and waits: `answer` goes on."""

    kind: Literal["interaction_requested"] = "interaction_requested"
    interaction: InteractionPart


class TitleChanged(Value):
    """The conversation has a new title."""

    kind: Literal["title_changed"] = "title_changed"
    title: str


class VariablesUpdated(Value):
    """All variables of the conversation as they are now."""

    kind: Literal["variables_updated"] = "variables_updated"
    variables: dict[str, JSON]


class RunDetailsReported(Value):
    """Steps of the run that are done, behind those that were reported before."""

    kind: Literal["run_details_reported"] = "run_details_reported"
    steps: tuple[RunStep, ...]


class UsageReported(Value):
    """What the reply cost so far."""

    kind: Literal["usage_reported"] = "usage_reported"
    usage: Usage


class ReplyFinished(Value):
    """The last event: the reply as it is stored."""

    kind: Literal["reply_finished"] = "reply_finished"
    reply: Reply


class OtherEvent(Value):
    """What the schema has no word for, whole.

    Attributes:
        type: The service's own word for it, when it has one.
        data: What the service sent.
    """

    kind: Literal["other"] = "other"
    type: str | None = None
    data: JSON = None


ReplyEvent: TypeAlias = Annotated[
    TextDelta
    | ReasoningDelta
    | ToolCallStarted
    | ToolCallArgumentsDelta
    | ToolResultDelta
    | PartAdded
    | PartsReplaced
    | SourcesFound
    | StatusChanged
    | InteractionRequested
    | TitleChanged
    | VariablesUpdated
    | RunDetailsReported
    | UsageReported
    | ReplyFinished
    | OtherEvent,
    Field(discriminator="kind"),
]
"""One event of a streamed reply."""
