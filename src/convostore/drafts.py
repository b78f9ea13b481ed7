"""Draft: a reply that is arriving, put together out of its events.

What is put together equals the stored answer in text, reasoning and parts; ids and what only the
service knows come from reading it again. No I/O and no service's spelling here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from .events import (
    InteractionRequested,
    PartAdded,
    PartsReplaced,
    ReasoningDelta,
    ReplyEvent,
    RunDetailsReported,
    SourcesFound,
    TextDelta,
    TitleChanged,
    ToolCallArgumentsDelta,
    ToolCallStarted,
    ToolResultDelta,
    UsageReported,
    VariablesUpdated,
)
from .models import (
    Message,
    Part,
    ReasoningPart,
    RunStep,
    Source,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from .replies import Reply, Usage
from .values import JSON


class _Growing:
    """A text or a reasoning part of which more may come."""

    def __init__(self, kind: type[TextPart | ReasoningPart]) -> None:
        self.kind = kind
        self.pieces: list[str] = []

    def parts(self) -> list[Part]:
        text = "".join(self.pieces)
        self.pieces = [text]
        if self.kind is TextPart:
            return [TextPart.model_construct(kind="text", text=text)]
        return [ReasoningPart.model_construct(kind="reasoning", text=text)]


class _Call:
    """A call of a tool, and what it answered."""

    def __init__(self, call_id: str, name: str) -> None:
        self.id = call_id
        self.name = name
        self.arguments: list[str] = []
        self.content: list[str] = []

    def parts(self) -> list[Part]:
        call = ToolCallPart(id=self.id, name=self.name, arguments="".join(self.arguments))
        if not self.content:
            return [call]
        return [call, ToolResultPart(id=self.id, content="".join(self.content))]


class Draft:
    """A reply that is arriving: the events that came, put together.

    Attributes:
        sources: Those found so far.
        run_details: The steps reported so far.
        title: The newest that was told; None when none was.
        variables: The newest that were told; None when none were.
        usage: The newest that was told; None when none was.
    """

    def __init__(self) -> None:
        self._pieces: list[_Growing | _Call | Part] = []
        self._calls: dict[str, _Call] = {}
        self.sources: tuple[Source, ...] = ()
        self.run_details: tuple[RunStep, ...] = ()
        self.title: str | None = None
        self.variables: dict[str, JSON] | None = None
        self.usage: Usage | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        """The answer's parts so far."""
        found: list[Part] = []
        for piece in self._pieces:
            found += piece.parts() if isinstance(piece, _Growing | _Call) else [piece]
        return tuple(found)

    def add(self, event: ReplyEvent) -> None:
        """Takes the next event."""
        add = _ADDING.get(type(event))
        if add is not None:
            add(self, event)

    def _grow(self, kind: type[TextPart | ReasoningPart], text: str) -> None:
        last = self._pieces[-1] if self._pieces else None
        if not isinstance(last, _Growing) or last.kind is not kind:
            last = _Growing(kind)
            self._pieces.append(last)
        last.pieces.append(text)

    def _call(self, call_id: str, name: str = "") -> _Call:
        """The call of that id; one that nothing announced is begun here."""
        call = self._calls.get(call_id)
        if call is None:
            call = self._calls[call_id] = _Call(call_id, name)
            self._pieces.append(call)
        return call

    def _text(self, event: TextDelta) -> None:
        self._grow(TextPart, event.text)

    def _reasoning(self, event: ReasoningDelta) -> None:
        self._grow(ReasoningPart, event.text)

    def _started(self, event: ToolCallStarted) -> None:
        self._call(event.id).name = event.name

    def _arguments(self, event: ToolCallArgumentsDelta) -> None:
        self._call(event.id).arguments.append(event.arguments)

    def _result(self, event: ToolResultDelta) -> None:
        self._call(event.id).content.append(event.content)

    def _part(self, event: PartAdded) -> None:
        self._pieces.append(event.part)

    def _replaced(self, event: PartsReplaced) -> None:
        self._pieces = []
        self._calls = {}
        for part in event.parts:
            self._take(part)

    def _take(self, part: Part) -> None:
        """Takes a part in such a way that more of it may come."""
        if isinstance(part, TextPart | ReasoningPart):
            self._pieces.append(_Growing(type(part)))
            self._grow(type(part), part.text)
        elif isinstance(part, ToolCallPart) and part.id is not None:
            call = self._call(part.id, part.name)
            call.arguments.append(part.arguments)
        elif isinstance(part, ToolResultPart) and part.id in self._calls:
            self._call(part.id).content.append(part.content)
        else:
            self._pieces.append(part)

    def _interaction(self, event: InteractionRequested) -> None:
        self._pieces.append(event.interaction)

    def _sources(self, event: SourcesFound) -> None:
        self.sources += event.sources

    def _steps(self, event: RunDetailsReported) -> None:
        self.run_details += event.steps

    def _title(self, event: TitleChanged) -> None:
        self.title = event.title

    def _variables(self, event: VariablesUpdated) -> None:
        self.variables = event.variables

    def _usage(self, event: UsageReported) -> None:
        self.usage = event.usage

    def reply(
        self,
        *,
        conversation_id: str,
        turn_id: str | None,
        message: Message,
        question: Message | None,
    ) -> Reply:
        """The finished reply: what the service stored, with what only the events told."""
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


_ADDING: Final[dict[type, Callable[[Draft, Any], None]]] = {
    TextDelta: Draft._text,  # noqa: SLF001  # its own methods, by the class of the event
    ReasoningDelta: Draft._reasoning,  # noqa: SLF001
    ToolCallStarted: Draft._started,  # noqa: SLF001
    ToolCallArgumentsDelta: Draft._arguments,  # noqa: SLF001
    ToolResultDelta: Draft._result,  # noqa: SLF001
    PartAdded: Draft._part,  # noqa: SLF001
    PartsReplaced: Draft._replaced,  # noqa: SLF001
    InteractionRequested: Draft._interaction,  # noqa: SLF001
    SourcesFound: Draft._sources,  # noqa: SLF001
    RunDetailsReported: Draft._steps,  # noqa: SLF001
    TitleChanged: Draft._title,  # noqa: SLF001
    VariablesUpdated: Draft._variables,  # noqa: SLF001
    UsageReported: Draft._usage,  # noqa: SLF001
}
