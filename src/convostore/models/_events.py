"""The events of a streamed reply, one class each.

An event reports what is new. Text and reasoning arrive as deltas: a delta of another kind, or any
other event that adds a part, begins a new part; `ReplyAccumulator` joins them. No field of a
service and no decoding may be here.
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
    """More of the model's reasoning before it answers."""

    kind: Literal["reasoning_delta"] = "reasoning_delta"
    text: str


class ToolCallStarted(Value):
    """A tool is being called."""

    kind: Literal["tool_call_started"] = "tool_call_started"
    id: str
    name: str


class ToolCallArgumentsDelta(Value):
    """More of a tool call's arguments, which are JSON once they are complete."""

    kind: Literal["tool_call_arguments_delta"] = "tool_call_arguments_delta"
    id: str
    arguments: str


class ToolResultDelta(Value):
    """More of the result of the tool call with this id."""

    kind: Literal["tool_result_delta"] = "tool_result_delta"
    id: str
    content: str


class PartAdded(Value):
    """A part that arrives whole: a file, or one that the schema does not model."""

    kind: Literal["part_added"] = "part_added"
    part: Part


class PartsReplaced(Value):
    """The service replaced what it had sent: these are the answer's parts so far."""

    kind: Literal["parts_replaced"] = "parts_replaced"
    parts: tuple[Part, ...]


class SourcesFound(Value):
    """More sources, after those that were reported before."""

    kind: Literal["sources_found"] = "sources_found"
    sources: tuple[Source, ...]


class StatusChanged(Value):
    """A step of the run changed its status.

    Attributes:
        name: The step's name, such as that of a node of a flow.
        status: The service's own word, such as ``"running"``.
    """

    kind: Literal["status_changed"] = "status_changed"
    name: str
    status: str


class InteractionRequested(Value):
    """The flow asks its user and waits; a store's `answer` continues it."""

    kind: Literal["interaction_requested"] = "interaction_requested"
    interaction: InteractionPart


class TitleChanged(Value):
    """The conversation has a new title."""

    kind: Literal["title_changed"] = "title_changed"
    title: str


class VariablesUpdated(Value):
    """All variables of the conversation, with their present values."""

    kind: Literal["variables_updated"] = "variables_updated"
    variables: dict[str, JSON]


class RunDetailsReported(Value):
    """Finished steps of the run, after those that were reported before."""

    kind: Literal["run_details_reported"] = "run_details_reported"
    steps: tuple[RunStep, ...]


class UsageReported(Value):
    """The cost of the reply so far."""

    kind: Literal["usage_reported"] = "usage_reported"
    usage: Usage


class ReplyFinished(Value):
    """The last event, with the reply as it is stored."""

    kind: Literal["reply_finished"] = "reply_finished"
    reply: Reply


class OtherEvent(Value):
    """An event that the schema does not model.

    Attributes:
        type: The service's own word for it; None if it has none.
        data: The service's own object.
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
