"""The decoder of a model's response, streamed or whole, into typed events; no I/O.

It reads OpenAI's chat completions in the variants of their many servers. A stream ends with a
reason to finish or with its end mark; one that has neither was cut off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from convostore.adapters import Decoder, ReplyAccumulator
from convostore.errors import ProtocolError, RateLimitError, StoreError, UnavailableError
from convostore.http import EventStream, ServerSentEvent
from convostore.models import (
    JSON,
    Message,
    OtherEvent,
    ReasoningDelta,
    ReplyEvent,
    TextDelta,
    ToolCallArgumentsDelta,
    ToolCallStarted,
    Usage,
    UsageReported,
)
from convostore.parsing import Row, decode_json, non_empty_text
from convostore.serialization import to_json

_END: Final = b"[DONE]"
_EXCERPT: Final = 200
_LARGEST: Final = 64 * 2**20
"""Bytes of a response that is not streamed."""
_BLANK: Final = b"\xef\xbb\xbf \t\r\n"
_BEGINNINGS: Final = frozenset({b"{", b"[", b"<"})
"""The first bytes of responses that are not streamed."""
_CUT: Final = frozenset({"length", "content_filter"})
"""The reasons to finish of an answer that is incomplete."""


class ChatCompletionDecoder(Decoder[bytes]):
    """A decoder of one response.

    Args:
        model: The model of the request, where the response names none.

    Attributes:
        accumulator: The reply so far.
        finish_reason: Why the model ended, in its server's word; None while it has not.
    """

    def __init__(self, model: str) -> None:
        self.accumulator = ReplyAccumulator()
        self.finish_reason: str | None = None
        self._model = model
        self._raw: dict[str, JSON] = {}
        self._frames = EventStream()
        self._is_streamed: bool | None = None
        self._body = bytearray()
        self._calls: dict[JSON, str] = {}

    def feed(self, chunk: bytes) -> Iterator[ReplyEvent]:
        if self._is_streamed is None:
            chunk = chunk.lstrip(_BLANK)
            if not chunk:
                return iter(())
            self._is_streamed = chunk[:1] not in _BEGINNINGS
        if self._is_streamed:
            return self._accumulated(self._frame_events(self._frames.feed(chunk)))
        self._body += chunk
        if len(self._body) > _LARGEST:
            raise ProtocolError(f"the model's answer is larger than {_LARGEST:,} bytes")
        return iter(())

    def close(self) -> Iterator[ReplyEvent]:
        """Decode the end of the response.

        Raises:
            StoreError: The response is not complete, or the model failed.
        """
        if self._is_streamed:
            yield from self._accumulated(self._remainder())
        elif self._is_streamed is False:
            yield from self._accumulated(self._whole(decode_json(bytes(self._body))))
        if self.finish_reason is None:
            raise UnavailableError(
                "the model's answer was cut off: it has neither an end mark nor a finish_reason"
            )

    def answer(self, message_id: str, **fields: JSON) -> Message:
        """Return what has arrived as a message: ``failed`` where the answer is incomplete."""
        is_whole = self.finish_reason is not None and self.finish_reason not in _CUT
        finished = {"finish_reason": self.finish_reason} if self.finish_reason else {}
        return Message(
            id=message_id,
            role="assistant",
            parts=self.accumulator.parts,
            status="complete" if is_whole else "failed",
            model=self._model,
            raw=self._raw | finished,
            **fields,
        )

    def _accumulated(self, events: Iterable[ReplyEvent]) -> Iterator[ReplyEvent]:
        for event in events:
            self.accumulator.add(event)
            yield event

    def _frame_events(self, frames: Iterable[ServerSentEvent]) -> Iterator[ReplyEvent]:
        for name, data in frames:
            if data.strip() == _END:
                self.finish_reason = self.finish_reason or "stop"
            elif name == "error":
                raise self._failure(_error_of_event(data))
            else:
                yield from self._chunk(_decoded(data))

    def _remainder(self) -> Iterable[ReplyEvent]:
        """Return the events of a last frame that no empty line ends; none where it was cut."""
        try:
            return list(self._frame_events(self._frames.close()))
        except ProtocolError:
            return ()

    def _whole(self, body: JSON) -> Iterator[ReplyEvent]:
        if not isinstance(body, dict) or not (body.get("choices") or error_in(body)):
            raise ProtocolError(
                "the answer is not a chat completion, which has a field 'choices': check the URL "
                "of the model",
                excerpt=to_json(body)[:_EXCERPT],
            )
        yield from self._chunk(body)
        self.finish_reason = self.finish_reason or "stop"

    def _chunk(self, body: JSON) -> Iterator[ReplyEvent]:
        """Yield the events of a chunk, or of a response that is not streamed."""
        choices = body.get("choices") if isinstance(body, dict) else None
        choice: JSON = choices[0] if isinstance(choices, list) and choices else None
        if isinstance(choice, dict):
            yield from self._delta(choice.get("delta") or choice.get("message"))
            self.finish_reason = non_empty_text(choice, "finish_reason") or self.finish_reason
        if not isinstance(body, dict):
            yield OtherEvent(data=body)
            return
        error = error_in(body) or error_in(choice)
        if error is not None or self.finish_reason == "error":
            raise self._failure(error)
        usage = self._note(body)
        if usage is not None:
            yield UsageReported(usage=usage)
        elif choice is None:
            yield OtherEvent(type=non_empty_text(body, "object"), data=body)

    def _failure(self, error: JSON) -> StoreError:
        self.finish_reason = None  # whatever was reported before: the answer is incomplete
        return model_error(error)

    def _note(self, body: Row) -> Usage | None:
        self._model = non_empty_text(body, "model") or self._model
        if (identity := non_empty_text(body, "id")) is not None:
            self._raw["id"] = identity
        usage = body.get("usage")
        if not isinstance(usage, dict):
            return None
        self._raw["usage"] = usage
        return Usage(
            input_tokens=_count(usage.get("prompt_tokens")),
            output_tokens=_count(usage.get("completion_tokens")),
        )

    def _delta(self, delta: JSON) -> Iterator[ReplyEvent]:
        if not isinstance(delta, dict):
            return
        thought = non_empty_text(delta, "reasoning_content") or non_empty_text(delta, "reasoning")
        if thought is not None:
            yield ReasoningDelta(text=thought)
        yield from _content(delta.get("content"))
        if (refusal := non_empty_text(delta, "refusal")) is not None:
            yield TextDelta(text=refusal)
        calls = delta.get("tool_calls")
        for place, call in enumerate(calls if isinstance(calls, list) else ()):
            yield from self._call(place, call)

    def _call(self, place: int, call: JSON) -> Iterator[ReplyEvent]:
        """Yield the events of a piece of a tool call; only the first has its id and name."""
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            yield OtherEvent(type="tool_call", data=call)
            return
        index = call.get("index")
        key = index if isinstance(index, int) else place
        new_id, call_id = non_empty_text(call, "id"), self._calls.get(key)
        if call_id is None or new_id not in {None, call_id}:
            call_id = self._calls[key] = new_id or f"call_{len(self._calls)}"
            yield ToolCallStarted(id=call_id, name=non_empty_text(function, "name") or "")
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            arguments = to_json(arguments)
        if isinstance(arguments, str) and arguments:
            yield ToolCallArgumentsDelta(id=call_id, arguments=arguments)


def _content(content: JSON) -> Iterator[ReplyEvent]:
    """Yield the events of a delta's content: a text or, of some models, a list of pieces."""
    if isinstance(content, str):
        if content:
            yield TextDelta(text=content)
        return
    for piece in content if isinstance(content, list) else ():
        if (text := non_empty_text(piece, "text")) is not None:
            yield TextDelta(text=text)
        elif isinstance(piece, dict) and piece.get("type") == "thinking":
            yield from _reasoning(piece.get("thinking"))
        else:
            yield OtherEvent(type=non_empty_text(piece, "type"), data=piece)


def _reasoning(thinking: JSON) -> Iterator[ReplyEvent]:
    for event in _content(thinking):
        yield ReasoningDelta(text=event.text) if isinstance(event, TextDelta) else event


def _count(value: JSON) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _decoded(data: bytes) -> JSON:
    try:
        return decode_json(data, "an event of the stream")
    except ProtocolError as error:
        error.excerpt = data[:_EXCERPT].decode("utf-8", "replace")
        raise


def _error_of_event(data: bytes) -> JSON:
    """Return the error of an event, which is JSON as a rule, and else text."""
    try:
        body = _decoded(data)
    except ProtocolError:
        return data.decode("utf-8", "replace")
    return error_in(body) or body


def error_in(body: JSON) -> JSON:
    """Return the error that a body reports, in any of the known ways; None if there is none."""
    if not isinstance(body, dict):
        return None
    if body.get("object") == "error":
        return body
    return body.get("error") or None


def error_text(error: JSON) -> str | None:
    """Return an error's text, shortened."""
    text = (
        error
        if isinstance(error, str)
        else non_empty_text(error, "message") or non_empty_text(error, "detail")
    )
    return text[:_EXCERPT] if text else None


def model_error(error: JSON) -> StoreError:
    """Return the exception for a failure that a model reports within its response."""
    detail = error_text(error)
    message = "the model failed" + (f": {detail}" if detail else "")
    row = error if isinstance(error, dict) else {}
    kinds = {str(row.get(name)) for name in ("code", "status", "type")}
    if "429" in kinds or any("rate_limit" in kind for kind in kinds):
        return RateLimitError(message, detail=detail)
    return UnavailableError(message, detail=detail, retryable=False)
