"""A store that a model answers: any adapter that can create and append, and a model beside it.

What is asked and what is answered is stored in the store like all else, so that a turn is found
again by its id. No path and no field of the model's API here.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, TypeAlias, TypeVar

from pydantic import SecretStr

from convostore.adapter import Adapter, AsyncTransport, Operation, Transport
from convostore.config import adapter_of
from convostore.drafts import Draft
from convostore.errors import (
    ConfigError,
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
    Conversation,
    Listing,
    Message,
    NewConversation,
    Page,
    Transcript,
)
from convostore.options import checked_options
from convostore.reading import Row
from convostore.replies import PartialReply, Reply
from convostore.store import AsyncConversationStore, ConversationStore
from convostore.turns import Stream, Turn

from .upstream_asking import QUESTION, History, body_of, row_of
from .upstream_decoding import ChatCompletionDecoder
from .upstream_options import UpstreamOptions, UpstreamReplyOptions
from .upstream_service import ModelService, Question, ajoined, joined

T = TypeVar("T")

AnyFlow: TypeAlias = Flow[Any, Any, T]  # Any: requests and replies are the store's own

_NEEDED: Final = (Operation.CREATE_CONVERSATION, Operation.APPEND_MESSAGES)
_ANSWERED: Final = frozenset({Operation.REPLY, Operation.STREAM_REPLY, Operation.GET_REPLY})
_OF_THE_STORES_OWN: Final = frozenset(
    {Operation.ANSWER, Operation.STREAM_ANSWER, Operation.RESUME_REPLY}
)
"""What goes on with replies that the store made itself: there are none."""
_PAGE: Final = 100
_LONGEST_TITLE: Final = 80
_LOST_AFTER: Final = 3600.0
"""Seconds after which a question without an answer is one that nobody answers any more."""


class UpstreamAdapter(Adapter[Any, Any]):
    """A store's adapter, which answers as well: by a model.

    Args:
        store: Whose operations all others are.
        options: Where the model is asked.

    Raises:
        ConfigError: The store cannot create conversations and append messages.
    """

    Options = UpstreamOptions
    ReplyOptions = UpstreamReplyOptions

    def __init__(self, store: Adapter[Any, Any], options: UpstreamOptions) -> None:
        super().__init__(store.dsn, options)
        missing = [each.value for each in _NEEDED if each not in store.offers]
        if missing:
            raise ConfigError(
                f"{store.label} cannot be answered by a model, which needs a store that offers "
                f"{' and '.join(missing)}: mirror it into one of your own, such as sqlite:///"
            )
        self._store = store
        self._model = ModelService(options)
        vars(self)["name"] = store.name  # for errors and cursors it is the same store
        self.traits = store.traits
        self.offers = (store.offers - _OF_THE_STORES_OWN) | _ANSWERED

    @property
    def label(self) -> str:
        return self._store.label

    def transport(self) -> Transport[Any, Any]:
        return joined(self._store, self._model)

    def async_transport(self) -> AsyncTransport[Any, Any]:
        return ajoined(self._store, self._model)

    def surround(self, flow: AnyFlow[T]) -> AnyFlow[T]:
        return self._store.surround(flow)

    def failure(self, request: Any, reply: Any) -> StoreError | None:
        if isinstance(request, Question):
            return self._model.failure(request.request, reply)
        return self._store.failure(request, reply)

    def redact(self, error: StoreError) -> None:
        self._store.redact(error)
        self._model.redact(error)

    def new_conversation_id(self) -> str:
        return self._store.new_conversation_id()

    def new_turn_id(self) -> str:
        return self._store.new_turn_id()

    # What is abstract in an adapter; all other operations follow the class.

    def list_conversations(self, listing: Listing) -> AnyFlow[Page[Conversation]]:
        return self._store.list_conversations(listing)

    def get_conversation(self, conversation_id: str) -> AnyFlow[Conversation]:
        return self._store.get_conversation(conversation_id)

    def list_messages(self, conversation_id: str, listing: Listing) -> AnyFlow[Page[Message]]:
        return self._store.list_messages(conversation_id, listing)

    def read_transcript(
        self, conversation_id: str, known: Conversation | None = None
    ) -> AnyFlow[Transcript]:
        return self._store.read_transcript(conversation_id, known)

    # Answering

    def stream_reply(self, turn: Turn) -> AnyFlow[Stream[Any, Any]]:
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
        row = row_of(asked) or {"role": "user", "content": ""}
        before = yield from self._before(turn)
        question, *_ = yield from self._store.append_messages(turn.conversation_id, [asked], ANY)
        body = body_of(model, [*before, row], self.options, turn.options)
        decoder = ChatCompletionDecoder(model)
        answering = _Answering(self._store, turn, question, decoder)
        return Stream(
            request=Question(self._model.completion(body), decoder, answering.keep),
            decoder=decoder,
            finish=answering.finish,
            turn_id=turn.turn_id,
        )

    def get_reply(self, conversation_id: str, turn_id: str) -> AnyFlow[Reply]:
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

    def _model_of(self, turn: UpstreamReplyOptions) -> str:
        model: str | None = self.options.model or turn.model
        if model is None:
            raise InvalidError("no model is named: pass model with the turn")
        return model

    def _before(self, turn: Turn) -> AnyFlow[list[Row]]:
        """What the model is told before the turn; afterwards the conversation is there.

        A transaction may write when its first query does: an append, of nothing as yet.
        """
        options: UpstreamReplyOptions = turn.options
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
        history = History(self.options)
        cursor: str | None = None
        while not history.is_full:
            page = yield from self._newest(
                turn.conversation_id, cursor, self.options.history_messages
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
        limit = min(most, _PAGE, self.traits.max_page or _PAGE)
        listing = Listing(
            limit=None if self.traits.paging == "whole" else limit,
            cursor=cursor,
            order="newest_first",
        )
        return self._store.list_messages(conversation_id, listing)


def _delegated(operation: Operation) -> Callable[..., AnyFlow[Any]]:
    def delegated(self: UpstreamAdapter, *args: Any, **options: Any) -> AnyFlow[Any]:
        flow: AnyFlow[Any] = getattr(self._store, operation.value)(*args, **options)
        return flow

    return delegated


for _operation in Operation:
    if _operation not in _ANSWERED | _OF_THE_STORES_OWN | vars(UpstreamAdapter).keys():
        setattr(UpstreamAdapter, _operation.value, _delegated(_operation))


class _Answering:
    """What becomes of one answer: the flows that store it."""

    def __init__(
        self,
        store: Adapter[Any, Any],
        turn: Turn,
        question: Message,
        decoder: ChatCompletionDecoder,
    ) -> None:
        self._store = store
        self._turn = turn
        self._question = question
        self._decoder = decoder

    def finish(self, draft: Draft) -> AnyFlow[Reply]:
        stored = yield from self._put()
        return draft.reply(
            conversation_id=self._turn.conversation_id,
            turn_id=self._turn.turn_id,
            message=stored,
            question=self._question,
        )

    def keep(self) -> AnyFlow[None]:
        """Stores what has come, of an answer that was left or broke off."""
        yield from self._store.surround(self._put())

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


def open_answered(
    target: str | Adapter[Any, Any],
    upstream_url: str,
    *,
    model: str | None = None,
    api_key: str | SecretStr | None = None,
    **options: object,
) -> ConversationStore:
    """Opens a store that a model answers; nothing is asked yet.

    Args:
        target: A DSN, the name of a profile, or an adapter.
        upstream_url: The base address of an API that is OpenAI's, such as
            ``http://localhost:11434/v1``.
        model: The model of every turn; None leaves it to the turns.
        api_key: Sent to the model's server.
        **options: Others of `UpstreamOptions`; those of the store stand in its DSN.

    Raises:
        ConfigError: The target or an option is wrong, or the store cannot create and append.
        PluginError: The store's plugin is installed but did not load.
    """
    adapter = _adapter(target, {"url": upstream_url, "model": model, "api_key": api_key} | options)
    return ConversationStore(adapter, adapter.transport())


def aopen_answered(
    target: str | Adapter[Any, Any],
    upstream_url: str,
    *,
    model: str | None = None,
    api_key: str | SecretStr | None = None,
    **options: object,
) -> AsyncConversationStore:
    """As `open_answered`, for asyncio: a plain call."""
    adapter = _adapter(target, {"url": upstream_url, "model": model, "api_key": api_key} | options)
    return AsyncConversationStore(adapter, adapter.async_transport())


def _adapter(target: str | Adapter[Any, Any], options: dict[str, object]) -> UpstreamAdapter:
    checked = checked_options(
        UpstreamOptions, options, lambda complaint: ConfigError(f"upstream: {complaint}")
    )
    return UpstreamAdapter(adapter_of(target) if isinstance(target, str) else target, checked)
