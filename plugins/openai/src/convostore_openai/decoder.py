"""What a model answers, streamed or whole, to typed events; no I/O.

OpenAI's chat completions in the spellings of those who speak them. A stream ends with a reason to
finish or with its end mark; one that has neither broke off.
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
"""Bytes of an answer that comes whole."""
_BLANK: Final = b"\xef\xbb\xbf \t\r\n"
_BEGINNINGS: Final = frozenset({b"{", b"[", b"<"})
"""How an answer begins that comes whole."""
_CUT: Final = frozenset({"length", "content_filter"})
"""The reasons to finish of an answer that is not all that the model would have said."""


class ChatCompletionDecoder(Decoder[bytes]):
    """Reads one answer.

    Args:
        model: The one that was asked, where the answer names none.

    Attributes:
        accumulator: What has come, put together.
        finish_reason: Why the model ended, in its server's word; None as long as it has not.
    """

    def __init__(self, model: str) -> None:
        self.accumulator = ReplyAccumulator()
        self.finish_reason: str | None = None
        self._model = model
        self._about: dict[str, JSON] = {}
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
            return self._noted(self._told(self._frames.feed(chunk)))
        self._body += chunk
        if len(self._body) > _LARGEST:
            raise ProtocolError(f"the answer has more than {_LARGEST:,} bytes")
        return iter(())

    def close(self) -> Iterator[ReplyEvent]:
        """Takes the end of the answer.

        Raises:
            StoreError: It was not at its end, or the model failed.
        """
        if self._is_streamed:
            yield from self._noted(self._remainder())
        elif self._is_streamed is False:
            yield from self._noted(self._whole(decode_json(bytes(self._body))))
        if self.finish_reason is None:
            raise UnavailableError(
                "the model's answer broke off: it came to no end mark and no reason to finish"
            )

    def answer(self, message_id: str, **fields: JSON) -> Message:
        """What has come as a message: ``failed`` where it is not all that there was to say."""
        is_whole = self.finish_reason is not None and self.finish_reason not in _CUT
        finished = {"finish_reason": self.finish_reason} if self.finish_reason else {}
        return Message(
            id=message_id,
            role="assistant",
            parts=self.accumulator.parts,
            status="complete" if is_whole else "failed",
            model=self._model,
            raw=self._about | finished,
            **fields,
        )

    def _noted(self, events: Iterable[ReplyEvent]) -> Iterator[ReplyEvent]:
        for event in events:
            self.accumulator.add(event)
            yield event

    def _told(self, frames: Iterable[ServerSentEvent]) -> Iterator[ReplyEvent]:
        for name, data in frames:
            if data.strip() == _END:
                self.finish_reason = self.finish_reason or "stop"
            elif name == "error":
                raise self._failed(_said(data))
            else:
                yield from self._chunk(_decoded(data))

    def _remainder(self) -> Iterable[ReplyEvent]:
        """The events of a last frame that no empty line ends; none where it was cut."""
        try:
            return list(self._told(self._frames.close()))
        except ProtocolError:
            return ()

    def _whole(self, body: JSON) -> Iterator[ReplyEvent]:
        if not isinstance(body, dict) or not (body.get("choices") or error_in(body)):
            raise ProtocolError(
                "the answer is no completion: it has no field 'choices': check the address of the "
                "model",
                excerpt=to_json(body)[:_EXCERPT],
            )
        yield from self._chunk(body)
        self.finish_reason = self.finish_reason or "stop"

    def _chunk(self, body: JSON) -> Iterator[ReplyEvent]:
        """The events of a chunk, or of an answer that came whole."""
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
            raise self._failed(error)
        usage = self._note(body)
        if usage is not None:
            yield UsageReported(usage=usage)
        elif choice is None:
            yield OtherEvent(type=non_empty_text(body, "object"), data=body)

    def _failed(self, error: JSON) -> StoreError:
        self.finish_reason = None  # whatever was said before: it is not all
        return failed(error)

    def _note(self, body: Row) -> Usage | None:
        self._model = non_empty_text(body, "model") or self._model
        if (identity := non_empty_text(body, "id")) is not None:
            self._about["id"] = identity
        usage = body.get("usage")
        if not isinstance(usage, dict):
            return None
        self._about["usage"] = usage
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
        """A piece of a call: the first has its id and name, those that follow its place alone."""
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            yield OtherEvent(type="tool_call", data=call)
            return
        index = call.get("index")
        key = index if isinstance(index, int) else place
        given, known = non_empty_text(call, "id"), self._calls.get(key)
        if known is None or given not in {None, known}:
            known = self._calls[key] = given or f"call_{len(self._calls)}"
            yield ToolCallStarted(id=known, name=non_empty_text(function, "name") or "")
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            arguments = to_json(arguments)
        if isinstance(arguments, str) and arguments:
            yield ToolCallArgumentsDelta(id=known, arguments=arguments)


def _content(content: JSON) -> Iterator[ReplyEvent]:
    """The text of a delta: as a rule a text, of some models a list of pieces."""
    if isinstance(content, str):
        if content:
            yield TextDelta(text=content)
        return
    for piece in content if isinstance(content, list) else ():
        if (text := non_empty_text(piece, "text")) is not None:
            yield TextDelta(text=text)
        elif isinstance(piece, dict) and piece.get("type") == "thinking":
            yield from _thought(piece.get("thinking"))
        else:
            yield OtherEvent(type=non_empty_text(piece, "type"), data=piece)


def _thought(thinking: JSON) -> Iterator[ReplyEvent]:
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


def _said(data: bytes) -> JSON:
    """What an error's event says: JSON as a rule, and else text."""
    try:
        body = _decoded(data)
    except ProtocolError:
        return data.decode("utf-8", "replace")
    return error_in(body) or body


def error_in(body: JSON) -> JSON:
    """What an answer tells of an error, in any of the ways that there are; None of none."""
    if not isinstance(body, dict):
        return None
    if body.get("object") == "error":
        return body
    return body.get("error") or None


def told(error: JSON) -> str | None:
    """An error's own text, shortened."""
    text = (
        error
        if isinstance(error, str)
        else non_empty_text(error, "message") or non_empty_text(error, "detail")
    )
    return text[:_EXCERPT] if text else None


def failed(error: JSON) -> StoreError:
    """The error of a model that says in its answer that it failed."""
    detail = told(error)
    message = "the model failed" + (f": {detail}" if detail else "")
    row = error if isinstance(error, dict) else {}
    kinds = {str(row.get(name)) for name in ("code", "status", "type")}
    if "429" in kinds or any("rate_limit" in each for each in kinds):
        return RateLimitError(message, detail=detail)
    return UnavailableError(message, detail=detail, retryable=False)
