"""Mutants of replies: echoes that answer, stream, store or find again what is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import ConfigDict

from convostore.adapters import AdapterOptions, Answer, ReplyAccumulator, Stream, Turn
from convostore.adapters.echo import EchoAdapter
from convostore.adapters.memory import Call
from convostore.dsn import DSN
from convostore.errors import ConflictError, InvalidError, NotFoundError
from convostore.flow import Flow
from convostore.http import HTTPFlow
from convostore.models import (
    Conversation,
    InteractionPart,
    Listing,
    Message,
    Page,
    Reply,
    ReplyEvent,
    TextPart,
)

from .registry import NAMES, in_echo, over_http
from .replying_service import AnsweringAdapter

_Pieces = list[ReplyEvent | str]


class _SpoilsReplies(EchoAdapter):
    """Spoils what is read again; what streams is right."""

    def spoil(self, reply: Reply) -> Reply:
        raise NotImplementedError

    def _stored(
        self, conversation_id: str, turn_id: str, draft: ReplyAccumulator
    ) -> Flow[Call, object, Reply]:
        return self.spoil((yield from super()._stored(conversation_id, turn_id, draft)))


def _renamed(reply: Reply, **changes: object) -> Reply:
    return reply.model_copy(update={"message": reply.message.model_copy(update=changes)})


# What is stored


@in_echo(
    "test_a_reply_is_what_the_list_of_messages_shows",
    "test_an_answer_takes_feedback_at_once",
    "test_an_answer_is_deleted_at_once",
)
class GivesTheAnswerAnotherId(_SpoilsReplies):
    def spoil(self, reply: Reply) -> Reply:
        return _renamed(reply, id=f"{reply.message.id}-{next(NAMES)}")


@in_echo(
    "test_a_new_conversation_is_in_the_list",
    "test_a_reply_is_what_the_list_of_messages_shows",
)
class StoresNothing(EchoAdapter):
    def _take(self, turn: Turn) -> _Pieces:
        return EchoAdapter(DSN.parse("echo://"), None)._take(turn)

    def _stored(
        self, conversation_id: str, turn_id: str, draft: ReplyAccumulator
    ) -> Flow[Call, object, Reply]:
        yield from ()
        message = Message(id=f"{turn_id}/answer", role="assistant", parts=draft.parts)
        return draft.reply(
            conversation_id=conversation_id, turn_id=turn_id, message=message, question=None
        )


@in_echo("test_a_new_conversation_is_in_the_list")
class HidesWhatTurnsBegin(EchoAdapter):
    def list_conversations(self, listing: Listing) -> Flow[Call, object, Page[Conversation]]:
        page = yield from super().list_conversations(listing)
        return replace(page, items=tuple([each for each in page.items if each.id == "c0000"]))


@in_echo(
    "test_each_turn_adds_a_question_and_its_answer",
    "test_a_reply_is_what_the_list_of_messages_shows",
)
class SendsTwice(EchoAdapter):
    def _take(self, turn: Turn) -> _Pieces:
        super()._take(turn)
        return super()._take(replace(turn, turn_id=f"{turn.turn_id}-again"))


@in_echo("test_a_turn_goes_on_with_a_conversation_that_was_there")
class BeginsEachConversationAnew(EchoAdapter):
    def _take(self, turn: Turn) -> _Pieces:
        kept = self._shelf.kept.get(turn.conversation_id)
        if kept is not None:
            kept.messages.clear()
        return super()._take(turn)


@in_echo("test_hostile_texts_are_asked_as_they_are")
class TidiesQuestions(EchoAdapter):
    def _take(self, turn: Turn) -> _Pieces:
        tidied = tuple(
            [
                TextPart(text=" ".join(part.text.split())) if part.kind == "text" else part
                for part in turn.content
            ]
        )
        return super()._take(replace(turn, content=tidied))


@in_echo("test_what_is_left_early_is_stored_whole")
class StoresWhenAllWasRead(EchoAdapter):
    def stream_reply(self, turn: Turn) -> Flow[Call, object, Stream[Call, object]]:
        stream = yield from super().stream_reply(turn)
        return replace(stream, request=lambda: self._slowly(turn))

    def _slowly(self, turn: Turn) -> Iterable[ReplyEvent | str]:
        later = EchoAdapter(DSN.parse("echo://"), None)._take(turn)
        yield from later[:-1]
        yield from self._take(turn)[-1:]


# Ids and finding again


@in_echo("test_ids_are_known_before_anything_is_sent")
class ChoosesIdsLate(EchoAdapter):
    def stream_reply(self, turn: Turn) -> Flow[Call, object, Stream[Call, object]]:
        return super().stream_reply(replace(turn, turn_id=super().new_turn_id()))


@in_echo("test_ids_are_known_before_anything_is_sent")
class HasOneTurnId(EchoAdapter):
    def new_turn_id(self) -> str:
        return "the turn"


@in_echo("test_a_reply_is_found_by_its_turn_in_a_store_opened_later")
class FindsTheLatestReply(EchoAdapter):
    def get_reply(self, conversation_id: str, turn_id: str) -> Flow[Call, object, Reply]:
        messages = yield from self._messages(conversation_id)
        return (yield from super().get_reply(conversation_id, messages[-2].id))


@in_echo("test_a_turn_that_never_arrived_is_not_found")
class FindsSomeReplyInDoubt(EchoAdapter):
    def get_reply(self, conversation_id: str, turn_id: str) -> Flow[Call, object, Reply]:
        try:
            return (yield from super().get_reply(conversation_id, turn_id))
        except NotFoundError:
            messages = yield from self._messages(conversation_id)
            return (yield from super().get_reply(conversation_id, messages[0].id))


@in_echo("test_a_turn_that_never_arrived_is_not_found")
class FindsRepliesOfOtherConversations(EchoAdapter):
    def get_reply(self, conversation_id: str, turn_id: str) -> Flow[Call, object, Reply]:
        for each in (conversation_id, *self._shelf.kept):
            try:
                return (yield from super().get_reply(each, turn_id))
            except NotFoundError:
                continue
        raise NotFoundError("it is nowhere")


class _Remembers(EchoAdapter):
    """Finishes with the reply to a turn that it remembers."""

    def __init__(self, dsn: DSN, options: object) -> None:
        super().__init__(dsn, options)
        self.turns: list[Turn] = []

    def remembered(self) -> Turn:
        raise NotImplementedError

    def stream_reply(self, turn: Turn) -> Flow[Call, object, Stream[Call, object]]:
        self.turns.append(turn)
        stream = yield from super().stream_reply(turn)
        return replace(stream, finish=self._finish)

    def _finish(self, draft: ReplyAccumulator) -> Flow[Call, object, Reply]:
        turn = self.remembered()
        return self._stored(turn.conversation_id, turn.turn_id, draft)


@in_echo("test_replies_side_by_side_do_not_mix")
class AnswersAsToTheFirst(_Remembers):
    def remembered(self) -> Turn:
        return self.turns[0]


@in_echo("test_two_streams_are_read_in_turn")
class AnswersAsToTheLatest(_Remembers):
    def remembered(self) -> Turn:
        return self.turns[-1]


# Sending


@over_http("test_a_request_that_changes_something_is_never_repeated")
class RepeatsTurns(AnsweringAdapter):
    def reply(self, turn: Turn) -> HTTPFlow[Reply]:
        stream = yield from self.stream_reply(turn)
        yield replace(stream.request, idempotent=True)
        return (yield from stream.finish(ReplyAccumulator()))


# Refusal, and what comes next


@in_echo("test_an_unknown_option_is_refused_before_any_request")
class TakesAnyOption(EchoAdapter):
    class AnyOption(AdapterOptions):
        model_config = ConfigDict(frozen=True, extra="ignore")

    ReplyOptions: ClassVar[type[AdapterOptions]] = AnyOption


@in_echo("test_suggested_questions_are_texts_and_change_nothing")
class SuggestsNothing(EchoAdapter):
    def suggest_questions(self, conversation_id: str) -> Flow[Call, object, tuple[str, ...]]:
        yield from super().suggest_questions(conversation_id)
        return ("",)


# Answers


@in_echo("test_a_flow_that_asks_waits")
class ForgetsThatItAsked(_SpoilsReplies):
    def spoil(self, reply: Reply) -> Reply:
        parts = [
            part.model_copy(update={"answered": True}) if part.kind == "interaction" else part
            for part in reply.message.parts
        ]
        return _renamed(reply, parts=tuple(parts))


@in_echo("test_an_answer_goes_on_with_the_flow")
class AnswersInANewMessage(EchoAdapter):
    def _go_on(self, conversation_id: str, asking: Message, filled: InteractionPart) -> _Pieces:
        pieces = super()._go_on(conversation_id, asking, filled)
        self._at_end(conversation_id, asking.model_copy(update={"id": "answer to the answer"}))
        return pieces

    def _at_end(self, conversation_id: str, message: Message) -> None:
        self._shelf[conversation_id].put([message])


@in_echo("test_an_answer_that_does_not_fit_changes_nothing")
class TakesAnyAnswer(EchoAdapter):
    def stream_answer(self, answer: Answer) -> Flow[Call, object, Stream[Call, object]]:
        try:
            return (yield from super().stream_answer(answer))
        except InvalidError:
            messages = yield from self._messages(answer.conversation_id)
            asked: Any = messages[-1].parts[-1]
            filled_in = {each.key: "x" for each in asked.fields}
            fitting = asked.options[0].value if asked.options else filled_in
            return (yield from super().stream_answer(replace(answer, answer=fitting)))


@in_echo("test_an_answer_that_nothing_waits_for_is_a_conflict")
class TakesAnswersForTurns(EchoAdapter):
    def stream_answer(self, answer: Answer) -> Flow[Call, object, Stream[Call, object]]:
        try:
            return (yield from super().stream_answer(answer))
        except ConflictError:
            said = (TextPart(text=str(answer.answer)),)
            turn = Turn(
                conversation_id=answer.conversation_id,
                turn_id=self.new_turn_id(),
                content=said,
                options=answer.options,
            )
            return (yield from self.stream_reply(turn))


@in_echo("test_an_answer_is_found_by_the_turn_that_asked")
class GivesAnswersATurnOfTheirOwn(EchoAdapter):
    def stream_answer(self, answer: Answer) -> Flow[Call, object, Stream[Call, object]]:
        stream = yield from super().stream_answer(answer)
        return replace(stream, turn_id=self.new_turn_id())
