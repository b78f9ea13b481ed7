"""An adapter that answers: the memory store with a model that says again what it was told.

It shows what a store with `reply` does, to the kit and to the tests of applications; `echo://name`
answers in the store that `memory://name` is. What it is told decides what it does: after ``think``
it reasons first, after ``choose a b`` it asks for one of these words, after ``fill in a b`` for a
form of these keys, and after ``fail`` it breaks off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, Final, TypeVar

from ..errors import ConflictError, InvalidError, NotFoundError, UnavailableError
from ..flow import Flow, run
from ..models import (
    ANY,
    InteractionField,
    InteractionOption,
    InteractionPart,
    InteractionRequested,
    Listing,
    Message,
    NewConversation,
    Part,
    ReasoningDelta,
    Reply,
    ReplyEvent,
    TextDelta,
    TextPart,
    pending_interaction,
)
from ._accumulator import ReplyAccumulator
from ._turns import Answer, AnswerContent, Decoder, Stream, Turn
from .memory import Call, MemoryAdapter

__all__ = ["EchoAdapter", "EchoDecoder"]

T = TypeVar("T")

_END: Final = "the end"
"""The piece of a stream that says that it was whole."""


class EchoDecoder(Decoder[ReplyEvent | str]):
    """Reads pieces that are events already."""

    def __init__(self) -> None:
        self._ended = False

    def feed(self, chunk: ReplyEvent | str) -> Iterable[ReplyEvent]:
        if isinstance(chunk, str):
            self._ended = True
            return ()
        return (chunk,)

    def close(self) -> Iterable[ReplyEvent]:
        if not self._ended:
            raise UnavailableError("the reply broke off: get_reply tells what became of it")
        return ()


class EchoAdapter(MemoryAdapter):
    """Keeps conversations in this process, and answers in them; see the module."""

    name: ClassVar[str] = "echo"

    def stream_reply(self, turn: Turn) -> Flow[Call, object, Stream[Call, object]]:
        return self._stream(turn.conversation_id, turn.turn_id, lambda: self._take(turn))

    def stream_answer(self, answer: Answer) -> Flow[Call, object, Stream[Call, object]]:
        messages = yield from self._messages(answer.conversation_id)
        asking = messages[-1] if messages else None
        asked = pending_interaction(asking) if asking else None
        if asking is None or asked is None:
            raise ConflictError("nothing waits for an answer in this conversation")
        filled = _filled(asked, answer.answer)
        turn_id = asking.id.removesuffix(_ANSWER)
        return (
            yield from self._stream(
                answer.conversation_id,
                turn_id,
                lambda: self._go_on(answer.conversation_id, asking, filled),
            )
        )

    def get_reply(self, conversation_id: str, turn_id: str) -> Flow[Call, object, Reply]:
        return self._stored(conversation_id, turn_id, ReplyAccumulator())

    def resume_reply(
        self, conversation_id: str, turn_id: str
    ) -> Flow[Call, object, Stream[Call, object]]:
        reply = yield from self.get_reply(conversation_id, turn_id)
        events = [TextDelta(text=part.text) for part in _texts(reply.message)]
        return (yield from self._stream(conversation_id, turn_id, lambda: [*events, _END]))

    def suggest_questions(self, conversation_id: str) -> Flow[Call, object, tuple[str, ...]]:
        messages = yield from self._messages(conversation_id)
        return tuple(f"Why {each.text}?" for each in messages[-2:] if each.role == "user")

    def _stream(
        self, conversation_id: str, turn_id: str, request: Call
    ) -> Flow[Call, object, Stream[Call, object]]:
        yield from ()
        return Stream(
            request=request,
            decoder=EchoDecoder(),
            finish=lambda accumulator: self._stored(conversation_id, turn_id, accumulator),
            turn_id=turn_id,
        )

    def _take(self, turn: Turn) -> list[ReplyEvent | str]:
        """Takes a turn in and answers at once, as a service that goes on whoever listens."""
        question = Message(id=turn.turn_id, role="user", parts=turn.content, status="complete")
        events = [*_events(question.text)]
        failed = question.text == "fail"
        answer = Message(
            id=f"{turn.turn_id}{_ANSWER}",
            role="assistant",
            parts=_folded(events),
            status="failed" if failed else "complete",
        )
        new = NewConversation(id=turn.conversation_id, title=question.text or None)
        if turn.conversation_id not in self._shelf.kept:
            _at_once(self.create_conversation(new))
        _at_once(self.append_messages(turn.conversation_id, [question, answer], ANY))
        return [*events] if failed else [*events, _END]

    def _go_on(
        self, conversation_id: str, asking: Message, filled: InteractionPart
    ) -> list[ReplyEvent | str]:
        events = [TextDelta(text=f"You said {filled.answer or _said(filled)}.")]
        parts = (*asking.parts[:-1], filled, *_folded(events))
        answered = asking.model_copy(update={"parts": parts})
        messages = _at_once(self._messages(conversation_id))
        after = messages[-2].id if len(messages) > 1 else None
        _at_once(self.replace_messages(conversation_id, [answered], after))
        return [*events, _END]

    def _stored(
        self, conversation_id: str, turn_id: str, accumulator: ReplyAccumulator
    ) -> Flow[Call, object, Reply]:
        messages = {each.id: each for each in (yield from self._messages(conversation_id))}
        answer = messages.get(f"{turn_id}{_ANSWER}")
        if answer is None:
            raise NotFoundError(f"no turn {turn_id!r} arrived in {conversation_id!r}")
        if answer.status == "failed":
            raise UnavailableError(f"the reply to the turn {turn_id!r} failed", retryable=False)
        return accumulator.reply(
            conversation_id=conversation_id,
            turn_id=turn_id,
            message=answer,
            question=messages.get(turn_id),
        )

    def _messages(self, conversation_id: str) -> Flow[Call, object, tuple[Message, ...]]:
        page = yield from self.list_messages(conversation_id, Listing())
        return page.items


_ANSWER: Final = "/answer"
_PIECE: Final = 7
"""Characters that the echo says at a time."""


def _at_once(flow: Flow[Call, object, T]) -> T:
    """Carries a flow out within a call, which holds the memory's lock."""
    return run(flow, lambda call: call())


def _events(text: str) -> Iterator[ReplyEvent]:
    """What the echo answers to a text."""
    command, _, rest = text.partition(" ")
    words = rest.split()
    if command == "choose" and words:
        options = tuple([InteractionOption(value=each) for each in words])
        asked = InteractionPart(type="userSelect", prompt="Which one?", options=options)
        yield InteractionRequested(interaction=asked)
        return
    if command == "fill" and words[:1] == ["in"] and words[1:]:
        fields = tuple([InteractionField(key=each, required=True) for each in words[1:]])
        asked = InteractionPart(type="userInput", prompt="Fill in", fields=fields)
        yield InteractionRequested(interaction=asked)
        return
    if command == "think":
        yield ReasoningDelta(text="What was I told")
        yield ReasoningDelta(text="?")
        text = rest
    said = f"You said: {text}"
    for start in range(0, len(said), _PIECE):
        yield TextDelta(text=said[start : start + _PIECE])


def _folded(events: Iterable[ReplyEvent]) -> tuple[Part, ...]:
    accumulator = ReplyAccumulator()
    for event in events:
        accumulator.add(event)
    return accumulator.parts


def _filled(asked: InteractionPart, answer: AnswerContent) -> InteractionPart:
    """The interaction as it stands when it is answered.

    Raises:
        InvalidError: The answer does not fit.
    """
    if isinstance(answer, str):
        if answer not in {option.value for option in asked.options}:
            raise InvalidError(f"{answer!r} is none of the options")
        return asked.model_copy(update={"answered": True, "answer": answer})
    keys = {field.key for field in asked.fields}
    if not asked.fields or set(answer) != keys:
        raise InvalidError(f"the form has the fields {', '.join(sorted(keys)) or 'none'}")
    fields = tuple(
        [field.model_copy(update={"value": answer[field.key]}) for field in asked.fields]
    )
    return asked.model_copy(update={"answered": True, "fields": fields})


def _said(filled: InteractionPart) -> str:
    return ", ".join(f"{field.key} is {field.value}" for field in filled.fields)


def _texts(message: Message) -> list[TextPart]:
    return [part for part in message.parts if isinstance(part, TextPart)]
