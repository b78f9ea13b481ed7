"""Events of a reply encoded as a completion's stream: the inverse of `replies.decoder`. No I/O.

Data for which the service has no event is left to the record. Text that was sent cannot be taken
back; where the stored answer continues it, the rest is sent at the end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, Literal

from convostore.dialects import ReplyEncoder
from convostore.errors import StoreError
from convostore.models import (
    JSON,
    InteractionPart,
    InteractionRequested,
    OtherEvent,
    Part,
    PartsReplaced,
    ReasoningDelta,
    Reply,
    ReplyEvent,
    ReplyFinished,
    RunDetailsReported,
    RunStep,
    StatusChanged,
    TextDelta,
    TextPart,
    TitleChanged,
    ToolCallArgumentsDelta,
    ToolCallStarted,
    ToolResultDelta,
    Usage,
    UsageReported,
    VariablesUpdated,
)
from convostore.parsing import Row
from convostore.serialization import to_json

from .completion_body import added_by, usage_row
from .errors import error_event, refusal
from .render import node_row
from .render_interactions import interaction_row

_PASSED_ON: Final = frozenset(
    {"plan", "planStatus", "stepTitle", "skillCall", "sandboxStatus", "workflowDuration"}
)
"""Events of the service that the schema has no class for."""
_HEAD: Final = '{"id":"","object":"","created":0,"model":"","choices":[{"delta":{"role":"assistant"'
_TAIL: Final = '},"index":0,"finish_reason":null}]}'
_STOP: Final = ',"content":null},"index":0,"finish_reason":"stop"}]'


class CompletionEncoder(ReplyEncoder):
    """Encoder of one streamed completion.

    Args:
        detail: Whether it reports the run, not just the answer.
        version: Version of the endpoint: ``v2`` reports each node by itself.
        with_usage: Whether the last chunk has the tokens that the reply used.
        answering: Whether it continues a message that asked, so that the stored message holds more
            than the stream.
        turn_id: The id that the request chose for the turn, or None.
    """

    def __init__(
        self,
        *,
        detail: bool,
        version: Literal["v1", "v2"] = "v1",
        with_usage: bool = False,
        answering: bool = False,
        turn_id: str | None = None,
    ) -> None:
        self._detail = detail
        self._version = version
        self._with_usage = with_usage
        self._answering = answering
        self._turn_id = turn_id
        self._text: list[str] = []
        self._steps: list[RunStep] = []
        self._has_asked = False
        self._title: str | None = None
        self._variables: JSON = None
        self._usage: Usage | None = None

    def feed(self, event: ReplyEvent) -> bytes:
        write = self._BY_EVENT.get(type(event))
        return b"" if write is None else write(self, event)

    def failed(self, error: StoreError) -> bytes:
        return error_event(refusal(error, with_key=True, turn_id=self._turn_id))

    def idle(self) -> bytes:
        return self._chunk("content", "")

    # Frames

    def _chunk(self, name: Literal["content", "reasoning_content"], text: str) -> bytes:
        return self._frame("answer", f'{_HEAD},"{name}":{json.dumps(text)}{_TAIL}')

    def _frame(self, name: str, data: str) -> bytes:
        """Encode an event; without details only the answer's, and without their name."""
        if self._detail:
            return f"event: {name}\ndata: {data}\n\n".encode("ascii")
        return f"data: {data}\n\n".encode("ascii") if name == "answer" else b""

    def _detail_event(self, name: str, data: JSON) -> bytes:
        return self._frame(name, to_json(data)) if self._detail else b""

    # Events

    def _say(self, event: TextDelta) -> bytes:
        self._text.append(event.text)
        return self._chunk("content", event.text)

    def _think(self, event: ReasoningDelta) -> bytes:
        return self._chunk("reasoning_content", event.text)

    def _call(self, event: ToolCallStarted) -> bytes:
        return self._tool("toolCall", event.id, toolName=event.name, functionName=event.name)

    def _arguments(self, event: ToolCallArgumentsDelta) -> bytes:
        return self._tool("toolParams", event.id, params=event.arguments)

    def _result(self, event: ToolResultDelta) -> bytes:
        return self._tool("toolResponse", event.id, response=event.content)

    def _tool(self, name: str, call_id: str, **fields: str) -> bytes:
        tool = {"id": call_id, "toolName": "", "toolAvatar": "", "params": ""} | fields
        return self._detail_event(name, {"tool": tool, "responseValueId": call_id})

    def _status(self, event: StatusChanged) -> bytes:
        return self._detail_event("flowNodeStatus", {"status": event.status, "name": event.name})

    def _ask(self, event: InteractionRequested) -> bytes:
        return self._interactive(event.interaction)

    def _interactive(self, part: InteractionPart) -> bytes:
        self._has_asked = True
        return self._detail_event("interactive", {"interactive": interaction_row(part)})

    def _entitle(self, event: TitleChanged) -> bytes:
        return self._title_event(event.title)

    def _title_event(self, title: str) -> bytes:
        self._title = title
        return self._detail_event("chatTitle", {"title": title})

    def _vary(self, event: VariablesUpdated) -> bytes:
        return self._variables_event(event.variables)

    def _variables_event(self, variables: JSON) -> bytes:
        self._variables = variables
        return self._detail_event("updateVariables", variables)

    def _report(self, event: RunDetailsReported) -> bytes:
        return self._run_details(event.steps)

    def _run_details(self, steps: Sequence[RunStep]) -> bytes:
        self._steps += steps
        if self._version == "v1":
            return b""
        return b"".join([self._detail_event("flowNodeResponse", node_row(step)) for step in steps])

    def _cost(self, event: UsageReported) -> bytes:
        self._usage = event.usage
        return b""

    def _replace(self, event: PartsReplaced) -> bytes:
        return self._complete_text(event.parts)

    def _pass_on(self, event: OtherEvent) -> bytes:
        if event.type not in _PASSED_ON:
            return b""
        return self._detail_event(event.type, event.data)

    # The end

    def _complete_text(self, parts: Sequence[Part]) -> bytes:
        """Encode what the final text has beyond the text that was sent; nothing if it differs."""
        whole = "".join([part.text for part in parts if isinstance(part, TextPart)])
        sent = "".join(self._text)
        self._text = [sent]
        if len(whole) == len(sent) or not whole.startswith(sent):
            return b""
        return self._say(TextDelta(text=whole[len(sent) :]))

    def _finish(self, event: ReplyFinished) -> bytes:
        reply = event.reply
        pieces = [
            self._unreported(reply),
            self._stop(reply.usage or self._usage),
            self._nodes(),
            self._frame("answer", "[DONE]"),
        ]
        return b"".join(pieces)

    def _unreported(self, reply: Reply) -> bytes:
        """Encode what the reply has and no event reported."""
        pieces = [self._complete_text(added_by(reply, answering=self._answering))]
        if reply.title is not None and self._title is None:
            pieces.append(self._title_event(reply.title))
        if reply.variables is not None and self._variables is None:
            pieces.append(self._variables_event(reply.variables))
        if reply.interaction is not None and not self._has_asked:
            pieces.append(self._interactive(reply.interaction))
        if not self._steps:
            pieces.append(self._run_details(reply.run_details))
        return b"".join(pieces)

    def _stop(self, usage: Usage | None) -> bytes:
        cost = f',"usage":{to_json(usage_row(usage))}' if self._with_usage else ""
        return self._frame("answer", f"{_HEAD}{_STOP}{cost}}}")

    def _nodes(self) -> bytes:
        if self._version == "v2":
            return b""
        rows: list[Row] = [node_row(step) for step in self._steps]
        return self._detail_event("flowResponses", rows)

    _BY_EVENT: ClassVar[dict[type, Callable[[CompletionEncoder, Any], bytes]]] = {
        TextDelta: _say,
        ReasoningDelta: _think,
        ToolCallStarted: _call,
        ToolCallArgumentsDelta: _arguments,
        ToolResultDelta: _result,
        StatusChanged: _status,
        InteractionRequested: _ask,
        TitleChanged: _entitle,
        VariablesUpdated: _vary,
        RunDetailsReported: _report,
        UsageReported: _cost,
        PartsReplaced: _replace,
        OtherEvent: _pass_on,
        ReplyFinished: _finish,
    }
