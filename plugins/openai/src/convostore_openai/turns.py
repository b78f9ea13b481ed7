"""Turns of a store that a model answers: as flows over the store, what is stored and found again.

The question is stored first, the answer when it has come; a turn's id is its answer's.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, TypeAlias, TypeVar

from convostore.adapters import Adapter, ReplyAccumulator, Stream, Turn
from convostore.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    StoreError,
    UnavailableError,
)
from convostore.flow import Flow
from convostore.models import (
    ANY,
    AnyTip,
    Listing,
    Message,
    NewConversation,
    Page,
    PartialReply,
    Reply,
)
from convostore.parsing import Row

from .decoder import ChatCompletionDecoder
from .options import ModelOptions, ModelReplyOptions
from .requests import QUESTION, History, body_of, row_of
from .service import ModelService, Question

T = TypeVar("T")

AnyFlow: TypeAlias = Flow[Any, Any, T]  # Any: requests and replies are the store's own

_PAGE: Final = 100
_LONGEST_TITLE: Final = 80
_LOST_AFTER: Final = 3600.0
"""Seconds after which a question without an answer is one that nobody answers any more."""


class Turns:
    """The turns of one store.

    Args:
        store: Where questions and answers are kept.
        service: Where the model is asked.
        options: Which model, and what it is told.
    """

    def __init__(self, store: Adapter, service: ModelService, options: ModelOptions) -> None:
        self._store = store
        self._service = service
        self._options = options

    def stream(self, turn: Turn) -> AnyFlow[Stream]:
        """Stores the question, and describes how the model is asked.

        Raises:
            ConflictError: The turn's id is taken.
            InvalidError: No model is named, or the turn says nothing that a model can be told.
        """
        model = self._model_of(turn.options)
        asked = Message(
            id=turn.turn_id + QUESTION,
            role="user",
            parts=turn.content,
            created_at=datetime.now(UTC),
        )
        row = row_of(asked)
        if row is None:
            raise InvalidError("the turn says nothing that a model can be told")
        before = yield from self._before(turn)
        question, *_ = yield from self._store.append_messages(turn.conversation_id, [asked], ANY)
        body = body_of(model, [*before, row], self._options, turn.options)
        decoder = ChatCompletionDecoder(model)
        answering = _Answering(self._store, turn, question, decoder)
        return Stream(
            request=Question(
                self._service.completion(body), decoder, answering.keep, answering.kept
            ),
            decoder=decoder,
            finish=answering.finish,
            turn_id=turn.turn_id,
        )

    def get(self, conversation_id: str, turn_id: str) -> AnyFlow[Reply]:
        answer, question = yield from self._found(conversation_id, turn_id)
        if answer is None:
            raise _missing(turn_id, question)
        if answer.status == "failed" and not _is_finished(answer):
            error = UnavailableError(f"the reply to the turn {turn_id!r} failed", retryable=False)
            error.partial = PartialReply(
                conversation_id=conversation_id, turn_id=turn_id, parts=answer.parts
            )
            raise error
        return Reply(
            conversation_id=conversation_id, turn_id=turn_id, message=answer, question=question
        )

    def _model_of(self, turn: ModelReplyOptions) -> str:
        model: str | None = self._options.model or turn.model
        if model is None:
            raise InvalidError("no model is named: pass model with the turn")
        return model

    def _before(self, turn: Turn) -> AnyFlow[list[Row]]:
        """What the model is told before the turn; afterwards the conversation is there.

        A transaction may write when its first query does: an append, of nothing as yet.
        """
        options: ModelReplyOptions = turn.options
        given = None if options.context is None else list(options.context)
        if turn.begins:
            yield from self._create(turn)
            return given or []
        try:
            yield from self._store.append_messages(turn.conversation_id, [], ANY)
        except NotFoundError:
            yield from self._create(turn)
            return given or []
        return (yield from self._history(turn)) if given is None else given

    def _create(self, turn: Turn) -> AnyFlow[None]:
        new = NewConversation(
            id=turn.conversation_id, title=_title(turn), created_at=datetime.now(UTC)
        )
        try:
            yield from self._store.create_conversation(new)
        except ConflictError:
            if turn.begins:
                raise  # else another turn has begun it meanwhile

    def _history(self, turn: Turn) -> AnyFlow[list[Row]]:
        history = History(self._options)
        cursor: str | None = None
        while not history.is_full:
            page = yield from self._newest(
                turn.conversation_id, cursor, self._options.history_messages
            )
            if any(each.id == turn.turn_id for each in page.items):
                raise ConflictError(f"the turn's id {turn.turn_id!r} is taken: choose another")
            history.take(page.items)
            cursor = page.cursor
            if cursor is None:
                break
        return history.rows()

    def _found(
        self, conversation_id: str, turn_id: str
    ) -> AnyFlow[tuple[Message | None, Message | None]]:
        """A turn's answer and its question, which stands before it."""
        answer: Message | None = None
        cursor: str | None = None
        while True:
            page = yield from self._newest(conversation_id, cursor)
            for message in page.items:
                if message.id == turn_id and message.role == "assistant":
                    answer = message
                elif message.id == turn_id + QUESTION:
                    return answer, message
            cursor = page.cursor
            if cursor is None:
                return answer, None

    def _newest(
        self, conversation_id: str, cursor: str | None, most: int = _PAGE
    ) -> AnyFlow[Page[Message]]:
        limit = min(most, _PAGE, self._store.traits.max_page or _PAGE)
        listing = Listing(
            limit=None if self._store.traits.paging == "whole" else limit,
            cursor=cursor,
            order="newest_first",
        )
        return self._store.list_messages(conversation_id, listing)


class _Answering:
    """What becomes of one answer: the flows that store it."""

    def __init__(
        self,
        store: Adapter,
        turn: Turn,
        question: Message,
        decoder: ChatCompletionDecoder,
    ) -> None:
        self._store = store
        self._turn = turn
        self._question = question
        self._decoder = decoder
        self._stored: Message | None = None

    def finish(self, accumulator: ReplyAccumulator) -> AnyFlow[Reply]:
        stored = self._stored or (yield from self._put())
        return accumulator.reply(
            conversation_id=self._turn.conversation_id,
            turn_id=self._turn.turn_id,
            message=stored,
            question=self._question,
        )

    def keep(self) -> AnyFlow[Message]:
        """Stores what has come, be it all, or of an answer that was left or broke off."""
        return self._store.wrap(self._put())

    def kept(self, stored: Message) -> None:
        """Takes what `keep` stored, so that `finish` need not."""
        self._stored = stored

    @cached_property
    def _answer(self) -> Message:
        """Made once: a transaction may be carried out again, and must store the same."""
        return self._decoder.answer(self._turn.turn_id, created_at=datetime.now(UTC))

    @cached_property
    def _renamed(self) -> Message:
        return self._answer.model_copy(update={"id": secrets.token_hex(16)})

    def _put(self) -> AnyFlow[Message]:
        """Behind the question or, where others wrote meanwhile, behind what they wrote.

        Where another message has the turn's id, the answer gets one of its own: it may have cost.
        """
        for after in (self._question.id, ANY):
            with suppress(ConflictError):
                return (yield from self._append(self._answer, after))
        return (yield from self._append(self._renamed, ANY))

    def _append(self, answer: Message, after: str | AnyTip) -> AnyFlow[Message]:
        stored = yield from self._store.append_messages(self._turn.conversation_id, [answer], after)
        return stored[0]


def _missing(turn_id: str, question: Message | None) -> StoreError:
    """The error of a turn that has no answer in the store."""
    if question is None:
        return NotFoundError(f"no turn {turn_id!r} arrived")
    asked = question.created_at
    if asked is not None and (datetime.now(UTC) - asked).total_seconds() < _LOST_AFTER:
        return ConflictError(f"the reply to the turn {turn_id!r} is still being made")
    return UnavailableError(f"the reply to the turn {turn_id!r} never came", retryable=False)


def _is_finished(answer: Message) -> bool:
    """Whether the model itself ended an answer, if only because it may say no more."""
    return isinstance(answer.raw, dict) and "finish_reason" in answer.raw


def _title(turn: Turn) -> str | None:
    """The question's first line, shortened."""
    text = Message(role="user", parts=turn.content).text.strip()
    line = " ".join(text.splitlines()[0].split()) if text else ""
    if len(line) > _LONGEST_TITLE:
        line = line[: _LONGEST_TITLE - 1].rstrip() + "…"
    return line or None
