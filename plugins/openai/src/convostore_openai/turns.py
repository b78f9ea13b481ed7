"""Turns of a store whose replies a model makes, as flows over the store.

The question is stored first, the answer when it has arrived; the id of a turn is its answer's.
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
"""Seconds after which a question without an answer counts as lost."""


class Turns:
    """The turns of one store.

    Args:
        store: The store of questions and answers.
        service: The server of the model.
        options: Which model, and how much of a conversation it gets.
    """

    def __init__(self, store: Adapter, service: ModelService, options: ModelOptions) -> None:
        self._store = store
        self._service = service
        self._options = options

    def stream(self, turn: Turn) -> AnyFlow[Stream]:
        """Store the question and return the stream of the model's answer.

        Raises:
            ConflictError: The turn's id is taken.
            InvalidError: No model is named, or the turn holds nothing for a model.
        """
        model = self._model_of(turn.options)
        message = Message(
            id=turn.turn_id + QUESTION,
            role="user",
            parts=turn.content,
            created_at=datetime.now(UTC),
        )
        row = row_of(message)
        if row is None:
            raise InvalidError(
                "content must hold a text or a file for the model: an empty turn cannot be answered"
            )
        before = yield from self._before(turn)
        question, *_ = yield from self._store.append_messages(turn.conversation_id, [message], ANY)
        body = body_of(model, [*before, row], self._options, turn.options)
        decoder = ChatCompletionDecoder(model)
        answer = _Answer(self._store, turn, question, decoder)
        return Stream(
            request=Question(self._service.completion(body), decoder, answer.store, answer.stored),
            decoder=decoder,
            finish=answer.finish,
            turn_id=turn.turn_id,
            message_id=turn.turn_id,
        )

    def get(self, conversation_id: str, turn_id: str) -> AnyFlow[Reply]:
        answer, question = yield from self._find(conversation_id, turn_id)
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
            raise InvalidError(
                "model must be given: pass model=… with the turn, or when you open the store"
            )
        return model

    def _before(self, turn: Turn) -> AnyFlow[list[Row]]:
        """Return the messages before the turn, and create the conversation if it is not there."""
        options: ModelReplyOptions = turn.options
        context = None if options.context is None else list(options.context)
        if turn.begins:
            yield from self._create(turn)
            return context or []
        try:
            # A transaction may write if its first query does: append, though nothing as yet.
            yield from self._store.append_messages(turn.conversation_id, [], ANY)
        except NotFoundError:
            yield from self._create(turn)
            return context or []
        return (yield from self._history(turn)) if context is None else context

    def _create(self, turn: Turn) -> AnyFlow[None]:
        new = NewConversation(
            id=turn.conversation_id,
            title=_title(turn),
            created_at=datetime.now(UTC),
            owner=turn.owner,
            metadata=turn.metadata,
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
            if any(message.id == turn.turn_id for message in page.items):
                raise ConflictError(
                    f"another message has the turn_id {turn.turn_id!r}: choose another"
                )
            history.add(page.items)
            cursor = page.cursor
            if cursor is None:
                break
        return history.rows()

    def _find(
        self, conversation_id: str, turn_id: str
    ) -> AnyFlow[tuple[Message | None, Message | None]]:
        """Return a turn's answer and its question, which precedes it."""
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


class _Answer:
    """One answer under way, and the flows that store it."""

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
        self._message: Message | None = None

    def finish(self, accumulator: ReplyAccumulator) -> AnyFlow[Reply]:
        message = self._message or (yield from self._put())
        return accumulator.reply(
            conversation_id=self._turn.conversation_id,
            turn_id=self._turn.turn_id,
            message=message,
            question=self._question,
        )

    def store(self) -> AnyFlow[Message]:
        """Store what has arrived: all, or the part of an answer that was left or cut off."""
        return self._store.wrap(self._put())

    def stored(self, message: Message) -> None:
        """Remember what `store` stored, so that `finish` need not."""
        self._message = message

    @cached_property
    def _content(self) -> Message:
        """The message to store, made once: a repeated transaction must store the same."""
        return self._decoder.answer(self._turn.turn_id, created_at=datetime.now(UTC))

    @cached_property
    def _renamed(self) -> Message:
        return self._content.model_copy(update={"id": secrets.token_hex(16)})

    def _put(self) -> AnyFlow[Message]:
        """Append the answer to the question or, where others wrote meanwhile, to what they wrote.

        Where another message has the turn's id, the answer gets a new one rather than being lost:
        it may have cost something.
        """
        for after in (self._question.id, ANY):
            with suppress(ConflictError):
                return (yield from self._append(self._content, after))
        return (yield from self._append(self._renamed, ANY))

    def _append(self, answer: Message, after: str | AnyTip) -> AnyFlow[Message]:
        messages = yield from self._store.append_messages(
            self._turn.conversation_id, [answer], after
        )
        return messages[0]


def _missing(turn_id: str, question: Message | None) -> StoreError:
    """Return the error of a turn that has no answer in the store."""
    if question is None:
        return NotFoundError(f"no turn {turn_id!r} arrived")
    time = question.created_at
    if time is not None and (datetime.now(UTC) - time).total_seconds() < _LOST_AFTER:
        return ConflictError(
            f"the reply to the turn {turn_id!r} is still being generated: ask again later"
        )
    return UnavailableError(
        f"the reply to the turn {turn_id!r} never came: send a new turn", retryable=False
    )


def _is_finished(answer: Message) -> bool:
    """Return whether the model itself ended an answer, if only because of its limits."""
    return isinstance(answer.raw, dict) and "finish_reason" in answer.raw


def _title(turn: Turn) -> str | None:
    """Return the question's first line, shortened."""
    text = Message(role="user", parts=turn.content).text.strip()
    line = " ".join(text.splitlines()[0].split()) if text else ""
    if len(line) > _LONGEST_TITLE:
        line = line[: _LONGEST_TITLE - 1].rstrip() + "…"
    return line or None
