"""Completions, streamed or whole, parsed into typed events. No I/O, and no record is parsed.

Events are read by their names, never by a version: the tail comes in two orders, data without a
name belongs to the answer, and unknown events stay whole. Only its last node shows that a run
failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from convostore.adapters import Decoder, ReplyAccumulator
from convostore.errors import ProtocolError, UnavailableError
from convostore.http import EventStream, Request, Response, ServerSentEvent
from convostore.models import (
    JSON,
    InteractionRequested,
    OtherEvent,
    ReasoningDelta,
    ReplyEvent,
    RunDetailsReported,
    RunStep,
    StatusChanged,
    TextDelta,
    TitleChanged,
    ToolCallArgumentsDelta,
    ToolCallStarted,
    ToolResultDelta,
    VariablesUpdated,
)
from convostore.parsing import Row, decode_json, non_empty_text

from ..api.envelope import failed_run, stream_error
from ..schema.interactions import read_interaction
from ..schema.records import read_error, read_run_steps

_ANSWERS: Final = frozenset({"", "answer", "fastAnswer"})
"""Names of the answer's events; without details they have none."""
_END: Final = b"[DONE]"
_EVENT: Final = "an event of the stream"


class CompletionDecoder(Decoder[bytes]):
    """Decoder of one streamed completion, of v1 or v2, with details or without.

    Args:
        request: The request, named in errors.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._frames = EventStream()
        self._ended = False
        self._last_step: RunStep | None = None

    def feed(self, chunk: bytes) -> Iterator[ReplyEvent]:
        return self._events(self._frames.feed(chunk))

    def _events(self, frames: Iterable[ServerSentEvent]) -> Iterator[ReplyEvent]:
        for name, data in frames:
            if name not in _ANSWERS:
                yield from self._side_event(name, data)
            elif data == _END:
                self._ended = True
            else:
                yield from _deltas(name, decode_json(data, _EVENT))

    def close(self) -> Iterator[ReplyEvent]:
        """Return the events of an unfinished last frame, and check that the stream is complete.

        Raises:
            StoreError: The run failed, or the stream broke off before its end mark.
        """
        yield from self._remainder()
        # The failure first: a run that failed may also lack its end mark.
        if self._last_step is not None and self._last_step.error is not None:
            raise failed_run(self._last_step.error)
        if not self._ended:
            raise UnavailableError(
                "the stream ended without its end mark [DONE]: the service may still be at work on "
                "the answer, and get_reply reads what it stores"
            )

    def _remainder(self) -> Sequence[ReplyEvent]:
        """Return the events of a last frame without an empty line; none of one that was cut."""
        try:
            return list(self._events(self._frames.close()))
        except ProtocolError:
            return ()

    def _side_event(self, name: str, data: bytes) -> Iterator[ReplyEvent]:
        """Parse an event that is not part of the answer's text."""
        if name == "error":
            raise stream_error(self._request, _json_or_text(data))
        body = decode_json(data, _EVENT)
        read = _READERS.get(name)
        events = read(body) if read is not None else None
        if events is None:
            yield OtherEvent.model_construct(kind="other", type=name, data=body)
            return
        for event in events:
            if isinstance(event, RunDetailsReported):
                self._note(name, event.steps[-1])
            yield event

    def _note(self, name: str, last: RunStep) -> None:
        """Keep the last node that is inside no other: it is the one that shows a failure."""
        if name == "flowResponses" or non_empty_text(last.raw, "parentId") is None:
            self._last_step = last


def _json_or_text(data: bytes) -> JSON:
    """Decode an error's data: JSON as a rule, else plain text."""
    try:
        return decode_json(data, _EVENT)
    except ProtocolError:
        return data.decode("utf-8", "replace")


def _deltas(name: str, body: JSON) -> Sequence[ReplyEvent]:
    """Parse a chunk in OpenAI's format into deltas: none, text, reasoning, or both."""
    try:
        delta = body["choices"][0]["delta"]
        text, reasoning = delta.get("content"), delta.get("reasoning_content")
    except (LookupError, TypeError, AttributeError):
        return (OtherEvent.model_construct(kind="other", type=name or None, data=body),)
    if reasoning is None and type(text) is str:  # as nearly all of them are
        return (TextDelta(text=text),) if text else ()
    pieces = (ReasoningDelta, reasoning), (TextDelta, text)
    if not all(piece is None or isinstance(piece, str) for _, piece in pieces):
        return (OtherEvent.model_construct(kind="other", type=name or None, data=body),)
    return [kind(text=piece) for kind, piece in pieces if piece]


_Reader: TypeAlias = Callable[[JSON], Sequence[ReplyEvent] | None]
"""Parses an event's data into events of the schema; None for another shape."""


def _status(body: JSON) -> Sequence[ReplyEvent] | None:
    name, status = non_empty_text(body, "name"), non_empty_text(body, "status")
    if name is None or status is None:
        return None
    return (StatusChanged.model_construct(kind="status_changed", name=name, status=status),)


def _title(body: JSON) -> Sequence[ReplyEvent] | None:
    title = non_empty_text(body, "title")
    if title is None:
        return None
    return (TitleChanged.model_construct(kind="title_changed", title=title),)


def _variables(body: JSON) -> Sequence[ReplyEvent] | None:
    if not isinstance(body, dict):
        return None
    return (VariablesUpdated.model_construct(kind="variables_updated", variables=body),)


def _interaction(body: JSON) -> Sequence[ReplyEvent] | None:
    part = read_interaction(body.get("interactive") if isinstance(body, dict) else None)
    if part is None:
        return None
    return (InteractionRequested.model_construct(kind="interaction_requested", interaction=part),)


def _tool(read: Callable[[str, Row], list[ReplyEvent]]) -> _Reader:
    """Make a reader of tool events; one without an id belongs to no call and is not read."""

    def reader(body: JSON) -> Sequence[ReplyEvent] | None:
        tool: JSON = body.get("tool") if isinstance(body, dict) else None
        call_id = non_empty_text(tool, "id")
        return None if call_id is None else read(call_id, tool)

    return reader


def _call(call_id: str, tool: Row) -> list[ReplyEvent]:
    name = non_empty_text(tool, "toolName") or non_empty_text(tool, "functionName") or ""
    started = ToolCallStarted.model_construct(kind="tool_call_started", id=call_id, name=name)
    return [started, *_arguments(call_id, tool), *_result(call_id, tool)]


def _arguments(call_id: str, tool: Row) -> list[ReplyEvent]:
    arguments = non_empty_text(tool, "params")
    if arguments is None:
        return []
    return [
        ToolCallArgumentsDelta.model_construct(
            kind="tool_call_arguments_delta", id=call_id, arguments=arguments
        )
    ]


def _result(call_id: str, tool: Row) -> list[ReplyEvent]:
    content = non_empty_text(tool, "response")
    if content is None:
        return []
    return [ToolResultDelta.model_construct(kind="tool_result_delta", id=call_id, content=content)]


def _nodes(body: JSON) -> Sequence[ReplyEvent] | None:
    """Parse the nodes of a run: a list, or an object by number, as 4.14.7 writes it."""
    if isinstance(body, dict) and all(map(str.isdecimal, body)):
        body = list(body.values())
    return _run_details(body) if isinstance(body, list) else None


def _node(body: JSON) -> Sequence[ReplyEvent] | None:
    return _run_details([body]) if isinstance(body, dict) else None


def _run_details(rows: list[JSON]) -> Sequence[ReplyEvent]:
    steps = read_run_steps(rows)
    if not steps:
        return ()
    return (RunDetailsReported.model_construct(kind="run_details_reported", steps=steps),)


_READERS: Final[dict[str, _Reader]] = {
    "flowNodeStatus": _status,
    "chatTitle": _title,
    "updateVariables": _variables,
    "interactive": _interaction,
    "toolCall": _tool(_call),
    "toolParams": _tool(_arguments),
    "toolResponse": _tool(_result),
    "flowResponses": _nodes,
    "flowNodeResponse": _node,
}


def read_completion(response: Response) -> ReplyAccumulator:
    """Parse a whole completion, except for its text, which is in the record.

    Raises:
        ProtocolError: The body is not a completion.
        StoreError: The run failed.
    """
    body = response.json()
    if not isinstance(body, dict) or "choices" not in body:
        raise ProtocolError(
            "the answer is not a completion: it has no field 'choices': check the base URL",
            excerpt=response.excerpt,
        )
    accumulator = ReplyAccumulator()
    for events in (
        _title(body),
        _variables(body.get("newVariables")),
        _nodes(body.get("responseData")),
    ):
        for event in events or ():
            accumulator.add(event)
    last_error = accumulator.run_details[-1].error if accumulator.run_details else None
    if (error := read_error(body.get("error")) or last_error) is not None:
        raise failed_run(error)
    return accumulator


def nest_steps(steps: Sequence[RunStep]) -> tuple[RunStep, ...]:
    """Put nodes that were reported one by one into the nodes that they belong to.

    A node whose parent is not in the run stays where it is; if parents form a cycle, all nodes do.
    """
    places = {step.id: place for place, step in reversed([*enumerate(steps)]) if step.id}
    parents = [places.get(non_empty_text(step.raw, "parentId") or "") for step in steps]
    inner: dict[int | None, list[int]] = {None: []}
    for place, parent in enumerate(parents):
        inner.setdefault(None if parent == place else parent, []).append(place)
    order = list(inner[None])
    for place in order:
        order += inner.get(place, ())
    if len(order) < len(steps):
        return tuple(steps)
    trees: dict[int, RunStep] = {}
    for place in reversed(order):
        children = tuple([trees[child] for child in inner.get(place, ())])
        step = steps[place]
        trees[place] = (
            step.model_copy(update={"steps": step.steps + children}) if children else step
        )
    return tuple([trees[root] for root in inner[None]])
