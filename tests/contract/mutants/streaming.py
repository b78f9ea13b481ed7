"""Mutants of streams: echoes whose replies stream wrongly, and stores that spoil right ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

from convostore.adapters import ReplyAccumulator, Stream, Turn
from convostore.adapters.echo import EchoAdapter
from convostore.adapters.memory import Call
from convostore.errors import InvalidError, StoreError, UnavailableError
from convostore.flow import Flow
from convostore.models import (
    InteractionPart,
    Message,
    PartialReply,
    ReasoningDelta,
    Reply,
    ReplyEvent,
    ReplyFinished,
    TextDelta,
    TextPart,
)

from .registry import MutantStream, in_echo, with_streams

_Pieces = list[ReplyEvent | str]


class _SpoilsPieces(EchoAdapter):
    """Spoils what streams; what is stored is right."""

    def spoil(self, pieces: _Pieces) -> _Pieces:
        raise NotImplementedError

    def _take(self, turn: Turn) -> _Pieces:
        return self.spoil(super()._take(turn))

    def _go_on(self, conversation_id: str, asking: Message, filled: InteractionPart) -> _Pieces:
        return self.spoil(super()._go_on(conversation_id, asking, filled))


# What streams


@in_echo(
    "test_a_streamed_reply_folds_to_the_stored_message",
    "test_a_streamed_answer_folds_to_what_the_flow_added",
)
class DropsADelta(_SpoilsPieces):
    def spoil(self, pieces: _Pieces) -> _Pieces:
        return pieces[1:]


@in_echo("test_a_streamed_reply_folds_to_the_stored_message")
class SwapsTwoDeltas(_SpoilsPieces):
    def spoil(self, pieces: _Pieces) -> _Pieces:
        return [*pieces[1:2], *pieces[:1], *pieces[2:]]


@in_echo("test_what_a_model_thinks_streams_before_its_text")
class ThinksAloud(_SpoilsPieces):
    def spoil(self, pieces: _Pieces) -> _Pieces:
        return [
            TextDelta(text=each.text) if isinstance(each, ReasoningDelta) else each
            for each in pieces
        ]


@in_echo("test_the_last_event_and_no_other_is_the_finished_reply")
class FinishesTwice(_SpoilsPieces):
    def spoil(self, pieces: _Pieces) -> _Pieces:
        message = Message(id="early", role="assistant", parts=())
        early = Reply(conversation_id="c", turn_id=None, message=message)
        return [ReplyFinished(reply=early), *pieces]


@in_echo(
    "test_a_reply_that_breaks_off_raises_with_what_had_arrived",
    "test_a_reply_that_failed_is_a_failure_later",
)
class TakesWhatFailedForAReply(EchoAdapter):
    def _take(self, turn: Turn) -> _Pieces:
        return [*super()._take(turn), "the end"]

    def _stored(
        self, conversation_id: str, turn_id: str, draft: ReplyAccumulator
    ) -> Flow[Call, object, Reply]:
        try:
            return (yield from super()._stored(conversation_id, turn_id, draft))
        except UnavailableError:
            messages = yield from self._messages(conversation_id)
            return draft.reply(
                conversation_id=conversation_id,
                turn_id=turn_id,
                message=messages[-1],
                question=messages[-2],
            )


@in_echo("test_a_whole_reply_and_a_streamed_one_say_the_same")
class AnswersBrieflyWhereNothingStreams(EchoAdapter):
    def reply(self, turn: Turn) -> Flow[Call, object, Reply]:
        yield lambda: self._take(turn)
        stream = yield from self.stream_reply(turn)
        reply = yield from stream.finish(ReplyAccumulator())
        message = reply.message.model_copy(update={"parts": (TextPart(text="yes"),)})
        return reply.model_copy(update={"message": message})


@in_echo("test_a_reply_that_is_over_is_resumed_to_its_end")
class ResumesInTheMiddle(EchoAdapter):
    def resume_reply(
        self, conversation_id: str, turn_id: str
    ) -> Flow[Call, object, Stream[Call, object]]:
        stream = yield from super().resume_reply(conversation_id, turn_id)
        halves = _halved(stream.request)
        return replace(stream, request=halves)


def _halved(request: Call) -> Call:
    def call() -> object:
        pieces: Any = request()
        first, *rest = pieces
        return [TextDelta(text=first.text[len(first.text) // 2 :]), *rest]

    return call


# What a store does around an adapter


@with_streams("test_a_reply_that_breaks_off_raises_with_what_had_arrived")
class LosesWhatHadArrived(MutantStream):
    async def __anext__(self) -> ReplyEvent:
        try:
            return await super().__anext__()
        except StoreError as error:
            error.partial = PartialReply(conversation_id=self.conversation_id, turn_id=self.turn_id)
            raise


@with_streams("test_a_stream_is_used_once")
class SendsAgainWhenEnteredAgain(MutantStream):
    async def __aenter__(self) -> Self:
        self.stream = self.make()
        return await super().__aenter__()


@with_streams("test_a_stream_is_read_while_it_is_open_and_no_other_time")
class EntersWhenRead(MutantStream):
    async def __anext__(self) -> ReplyEvent:
        try:
            return await super().__anext__()
        except InvalidError:
            self.stream = self.make()
            async with self.stream:
                return await super().__anext__()


@with_streams("test_what_is_no_content_is_refused_before_any_request")
class TakesAnythingForAText(MutantStream):
    @staticmethod
    def content(value: object) -> str:
        return str(value)
