"""ReplyAccumulator: builds a reply from its events while they arrive.

The result equals the stored answer in text, reasoning and parts; ids, and what only the service
knows, come from reading the stored answer. No I/O and no field of a service may be here.
"""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any, ClassVar, Final, TypeAlias

from ..errors import ProtocolError
from ..models import (
    JSON,
    InteractionRequested,
    Message,
    Part,
    PartAdded,
    PartsReplaced,
    ReasoningDelta,
    ReasoningPart,
    Reply,
    ReplyEvent,
    RunDetailsReported,
    RunStep,
    Source,
    SourcesFound,
    TextDelta,
    TextPart,
    TitleChanged,
    ToolCallArgumentsDelta,
    ToolCallPart,
    ToolCallStarted,
    ToolResultDelta,
    ToolResultPart,
    Usage,
    UsageReported,
    VariablesUpdated,
)

_LARGEST: Final = 64 * 2**20
_Kind: TypeAlias = type[TextPart | ReasoningPart | ToolCallPart | ToolResultPart]
_GROWS: Final[dict[type, str]] = {
    TextPart: "text",
    ReasoningPart: "text",
    ToolCallPart: "arguments",
    ToolResultPart: "content",
}
"""The field of each part that arrives in deltas."""


def with_whole_characters(text: str) -> str:
    """Join the surrogate pairs in a text, so that no character is split into two halves."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


class _Growing:
    """A part that may still grow; `part` is cached until it does.

    Attributes:
        kind: The class of the part.
        fixed: The fields that do not arrive in deltas.
        result: The result of a tool call, which follows the call.
    """

    def __init__(self, kind: _Kind, **fixed: str) -> None:
        self.kind = kind
        self.fixed = fixed
        self.result: _Growing | None = None
        self._text = StringIO()
        self._has_halves = False
        self._part: Part | None = None

    def add(self, delta: str) -> None:
        self._text.write(delta)
        self._part = None
        # Services cut text in the middle of surrogate pairs.
        if "\udc00" <= delta[:1] <= "\udfff":
            self._has_halves = True

    def rename(self, name: str) -> None:
        self.fixed["name"] = name
        self._part = None

    @property
    def part(self) -> Part:
        if self._part is None:
            text = self._text.getvalue()
            if self._has_halves:
                text = with_whole_characters(text)
            make: Any = self.kind.model_construct  # Any: each kind has arguments of its own
            self._part = make(**self.fixed, **{_GROWS[self.kind]: text})
        return self._part


class ReplyAccumulator:
    """A reply as far as it has arrived, built from its events.

    Args:
        largest: The maximum number of characters of all parts together.

    Attributes:
        title: The latest title that was reported; None if there was none.
        variables: The latest variables that were reported; None if there were none.
        usage: The latest usage that was reported; None if there was none.
    """

    def __init__(self, *, largest: int = _LARGEST) -> None:
        self._largest = largest
        self._size = 0
        self._pieces: list[_Growing | Part] = []
        self._calls: dict[str, _Growing] = {}
        self._results: dict[str, _Growing] = {}
        self._sources: list[Source] = []
        self._run_details: list[RunStep] = []
        self.title: str | None = None
        self.variables: dict[str, JSON] | None = None
        self.usage: Usage | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        """The answer's parts so far."""
        parts: list[Part] = []
        for piece in self._pieces:
            if not isinstance(piece, _Growing):
                parts.append(piece)
                continue
            parts.append(piece.part)
            if piece.result is not None:
                parts.append(piece.result.part)
        return tuple(parts)

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources found so far."""
        return tuple(self._sources)

    @property
    def run_details(self) -> tuple[RunStep, ...]:
        """The steps reported so far."""
        return tuple(self._run_details)

    def add(self, event: ReplyEvent) -> None:
        """Add the next event.

        Raises:
            ProtocolError: The reply is larger than any service's.
        """
        add = self._ADD_BY_TYPE.get(type(event))
        if add is not None:
            add(self, event)

    def _grow(self, kind: type[TextPart | ReasoningPart], text: str) -> None:
        if not text:
            return
        last = self._pieces[-1] if self._pieces else None
        if not isinstance(last, _Growing) or last.kind is not kind:
            last = self._begin(kind)
        self._lengthen(last, text)

    def _lengthen(self, part: _Growing, delta: str) -> None:
        self._size += len(delta)
        if self._size > self._largest:
            raise ProtocolError(f"the reply is longer than {self._largest:,} characters")
        part.add(delta)

    def _begin(self, kind: _Kind, **fixed: str) -> _Growing:
        part = _Growing(kind, **fixed)
        self._pieces.append(part)
        return part

    def _call(self, call_id: str) -> _Growing:
        """Return the tool call with an id; begin one that was not announced."""
        call = self._calls.get(call_id)
        if call is None:
            call = self._calls[call_id] = self._begin(ToolCallPart, id=call_id, name="")
        return call

    def _add_text(self, event: TextDelta) -> None:
        self._grow(TextPart, event.text)

    def _add_reasoning(self, event: ReasoningDelta) -> None:
        self._grow(ReasoningPart, event.text)

    def _start_tool_call(self, event: ToolCallStarted) -> None:
        self._call(event.id).rename(event.name)

    def _add_arguments(self, event: ToolCallArgumentsDelta) -> None:
        self._lengthen(self._call(event.id), event.arguments)

    def _add_result(self, event: ToolResultDelta) -> None:
        result = self._results.get(event.id)
        if result is None:
            result = self._results[event.id] = _Growing(ToolResultPart, id=event.id)
            self._call(event.id).result = result
        self._lengthen(result, event.content)

    def _add_part(self, event: PartAdded) -> None:
        self._pieces.append(event.part)

    def _replace_parts(self, event: PartsReplaced) -> None:
        self._pieces, self._calls, self._results = [], {}, {}
        self._size = 0
        for part in event.parts:
            self._add_whole(part)

    def _add_whole(self, part: Part) -> None:
        """Add a whole part so that more of it may still arrive."""
        match part:
            case TextPart() | ReasoningPart():
                self._lengthen(self._begin(type(part)), part.text)
            case ToolCallPart(id=str(call_id), name=name, arguments=arguments):
                call = self._begin(ToolCallPart, id=call_id, name=name)
                self._lengthen(call, arguments)
                self._calls[call_id] = call
            case ToolResultPart(id=str(call_id), content=content):
                result = self._begin(ToolResultPart, id=call_id)
                self._lengthen(result, content)
                self._results[call_id] = result
            case _:
                self._pieces.append(part)

    def _add_interaction(self, event: InteractionRequested) -> None:
        self._pieces.append(event.interaction)

    def _add_sources(self, event: SourcesFound) -> None:
        self._sources += event.sources

    def _add_run_details(self, event: RunDetailsReported) -> None:
        self._run_details += event.steps

    def _set_title(self, event: TitleChanged) -> None:
        self.title = event.title

    def _set_variables(self, event: VariablesUpdated) -> None:
        self.variables = event.variables

    def _set_usage(self, event: UsageReported) -> None:
        self.usage = event.usage

    def reply(
        self,
        *,
        conversation_id: str,
        turn_id: str | None,
        message: Message,
        question: Message | None,
    ) -> Reply:
        """Return the finished reply: the stored messages, and what only the events reported."""
        return Reply(
            conversation_id=conversation_id,
            turn_id=turn_id,
            message=message,
            question=question,
            title=self.title,
            variables=self.variables,
            run_details=self.run_details,
            usage=self.usage,
        )

    # Any: each method takes the one class of event that it is filed under.
    _ADD_BY_TYPE: ClassVar[dict[type, Callable[[ReplyAccumulator, Any], None]]] = {
        TextDelta: _add_text,
        ReasoningDelta: _add_reasoning,
        ToolCallStarted: _start_tool_call,
        ToolCallArgumentsDelta: _add_arguments,
        ToolResultDelta: _add_result,
        PartAdded: _add_part,
        PartsReplaced: _replace_parts,
        InteractionRequested: _add_interaction,
        SourcesFound: _add_sources,
        RunDetailsReported: _add_run_details,
        TitleChanged: _set_title,
        VariablesUpdated: _set_variables,
        UsageReported: _set_usage,
    }
