"""EchoAdapter: the memory store with a model that repeats what the user says.

It is the reference of a store with `reply`, for the contract kit and for applications' tests;
`echo://name` shares the conversations of `memory://name`. A turn that begins with ``think`` makes
it reason first, ``choose a b`` makes it ask for one of these words, ``fill in a b`` for a form with
these keys, and ``fail`` makes the reply fail. No real service may be imitated here.
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
"""The last chunk of a complete stream."""


class EchoDecoder(Decoder[ReplyEvent | str]):
    """A decoder of chunks that are events already."""

    def __init__(self) -> None:
        self._ended = False

    def feed(self, chunk: ReplyEvent | str) -> Iterable[ReplyEvent]:
        if isinstance(chunk, str):
            self._ended = True
            return ()
        return (chunk,)

    def close(self) -> Iterable[ReplyEvent]:
        if not self._ended:
            raise UnavailableError("the reply broke off: call get_reply for its outcome")
        return ()


class EchoAdapter(MemoryAdapter):
    """An adapter that keeps conversations in this process and replies in them; see the module."""

    name: ClassVar[str] = "echo"

    def stream_reply(self, turn: Turn) -> Flow[Call, object, Stream[Call, object]]:
        return self._stream(turn.conversation_id, turn.turn_id, lambda: self._take(turn))

    def stream_answer(self, answer: Answer) -> Flow[Call, object, Stream[Call, object]]:
        messages = yield from self._messages(answer.conversation_id)
        question = messages[-1] if messages else None
        interaction = pending_interaction(question) if question else None
        if question is None or interaction is None:
            raise ConflictError("no question is open in this conversation: read its last message")
        answered = _fill_in(interaction, answer.answer)
        turn_id = question.id.removesuffix(_ANSWER)
        return (
            yield from self._stream(
                answer.conversation_id,
                turn_id,
                lambda: self._go_on(answer.conversation_id, question, answered),
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
        return tuple(f"Why {item.text}?" for item in messages[-2:] if item.role == "user")

    def _stream(
        self, conversation_id: str, turn_id: str, request: Call
    ) -> Flow[Call, object, Stream[Call, object]]:
        yield from ()
        return Stream(
            request=request,
            decoder=EchoDecoder(),
            finish=lambda accumulator: self._stored(conversation_id, turn_id, accumulator),
            turn_id=turn_id,
            message_id=f"{turn_id}{_ANSWER}",
        )

    def _take(self, turn: Turn) -> list[ReplyEvent | str]:
        """Store a turn with its whole answer, like a service that continues without its client."""
        question = Message(id=turn.turn_id, role="user", parts=turn.content, status="complete")
        events = [*_events(question.text)]
        failed = question.text == "fail"
        answer = Message(
            id=f"{turn.turn_id}{_ANSWER}",
            role="assistant",
            parts=_accumulate(events),
            status="failed" if failed else "complete",
        )
        new = NewConversation(
            id=turn.conversation_id,
            title=question.text or None,
            owner=turn.owner,
            metadata=turn.metadata,
        )
        if turn.conversation_id not in self._shelf.kept:
            _run_now(self.create_conversation(new))
        _run_now(self.append_messages(turn.conversation_id, [question, answer], ANY))
        return [*events] if failed else [*events, _END]

    def _go_on(
        self, conversation_id: str, question: Message, answered: InteractionPart
    ) -> list[ReplyEvent | str]:
        events = [TextDelta(text=f"You said {answered.answer or _field_values(answered)}.")]
        parts = (*question.parts[:-1], answered, *_accumulate(events))
        message = question.model_copy(update={"parts": parts})
        messages = _run_now(self._messages(conversation_id))
        after = messages[-2].id if len(messages) > 1 else None
        _run_now(self.replace_messages(conversation_id, [message], after, question.id))
        return [*events, _END]

    def _stored(
        self, conversation_id: str, turn_id: str, accumulator: ReplyAccumulator
    ) -> Flow[Call, object, Reply]:
        messages = {item.id: item for item in (yield from self._messages(conversation_id))}
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
_CHUNK: Final = 7
"""Characters in a delta of the answer."""


def _run_now(flow: Flow[Call, object, T]) -> T:
    """Run a flow within a call, which holds the memory's lock."""
    return run(flow, lambda call: call())


def _events(text: str) -> Iterator[ReplyEvent]:
    """Yield the events that answer a text."""
    command, _, rest = text.partition(" ")
    words = rest.split()
    if command == "choose" and words:
        options = tuple([InteractionOption(value=word) for word in words])
        choice = InteractionPart(type="userSelect", prompt="Which one?", options=options)
        yield InteractionRequested(interaction=choice)
        return
    if command == "fill" and words[:1] == ["in"] and words[1:]:
        fields = tuple([InteractionField(key=word, required=True) for word in words[1:]])
        form = InteractionPart(type="userInput", prompt="Fill in", fields=fields)
        yield InteractionRequested(interaction=form)
        return
    if command == "think":
        yield ReasoningDelta(text="What was I told")
        yield ReasoningDelta(text="?")
        text = rest
    answer = f"You said: {text}"
    for start in range(0, len(answer), _CHUNK):
        yield TextDelta(text=answer[start : start + _CHUNK])


def _accumulate(events: Iterable[ReplyEvent]) -> tuple[Part, ...]:
    accumulator = ReplyAccumulator()
    for event in events:
        accumulator.add(event)
    return accumulator.parts


def _fill_in(interaction: InteractionPart, answer: AnswerContent) -> InteractionPart:
    """Return an interaction with its answer.

    Raises:
        InvalidError: The answer does not fit.
    """
    if isinstance(answer, str):
        if answer not in {option.value for option in interaction.options}:
            choices = ", ".join(repr(option.value) for option in interaction.options) or "none"
            raise InvalidError(f"answer must be one of the options ({choices}), got {answer!r}")
        return interaction.model_copy(update={"answered": True, "answer": answer})
    keys = {field.key for field in interaction.fields}
    if not interaction.fields or set(answer) != keys:
        raise InvalidError(
            f"answer must have the fields of the form ({', '.join(sorted(keys)) or 'none'}), "
            f"got {', '.join(sorted(answer)) or 'none'}"
        )
    fields = tuple(
        [field.model_copy(update={"value": answer[field.key]}) for field in interaction.fields]
    )
    return interaction.model_copy(update={"answered": True, "fields": fields})


def _field_values(form: InteractionPart) -> str:
    return ", ".join(f"{field.key} is {field.value}" for field in form.fields)


def _texts(message: Message) -> list[TextPart]:
    return [part for part in message.parts if isinstance(part, TextPart)]
