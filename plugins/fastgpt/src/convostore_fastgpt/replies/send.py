"""Turns and answers sent to an app: what the store's replies are made with.

What is sent is sent once, and its conversation read before and after. How a stream is read stands
in `decoding`, which answers fit in `answers`, how a record is found and judged in `stored`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from convostore.adapters import Answer, Stream, Turn
from convostore.errors import ConflictError, InvalidError, StoreError
from convostore.http import HTTPFlow, Request, Response
from convostore.models import (
    JSON,
    InteractionPart,
    Listing,
    Message,
    PartialReply,
    Reply,
    pending_interaction,
)
from convostore.parsing import Row

from ..api.endpoints import COMPLETIONS, COMPLETIONS_V2, UNSTORED, Service
from ..options import FastGPTReplyOptions
from ..schema.interactions import innermost
from ..schema.records import data_id_of
from .answers import answering_text, asks_for_a_new_turn
from .decoder import CompletionDecoder, read_completion
from .lookup import IsIt, ListMessages, StoredReplies, bears
from .requests import body, content_of


@dataclass(frozen=True, slots=True)
class _Asked:
    """An interaction that waits for its answer.

    Attributes:
        message: The record that it ends.
        part: What is asked.
        row: The same as the service holds it.
    """

    message: Message
    part: InteractionPart
    row: Row


class Replies:
    """Sends turns and answers to one app.

    Args:
        service: Whom to ask.
        list_messages: Reads a conversation's messages, as the store does.
        newest: Reads the newest message of one, without asking whether there is such a one.
        chat: Names a conversation in what is asked; refuses one that is not the store's.
        new_turn_id: Chooses the id of a turn.
        user: Who asks, where a turn does not say.
        patience: Seconds that a record may take to be there once its answer was whole.
    """

    def __init__(
        self,
        service: Service,
        list_messages: ListMessages,
        newest: Callable[[str], HTTPFlow[Sequence[Message]]],
        chat: Callable[[str], dict[str, JSON]],
        new_turn_id: Callable[[], str],
        *,
        user: str | None,
        patience: float,
    ) -> None:
        self._service = service
        self._list_messages = list_messages
        self._newest = newest
        self._chat = chat
        self._new_turn_id = new_turn_id
        self._user = user
        self._stored = StoredReplies(list_messages, patience)

    def stream_reply(self, turn: Turn) -> HTTPFlow[Stream[Request, Response]]:
        request = yield from self._turn(turn, stream=True)
        return self._stream(request, turn.conversation_id, turn.turn_id, bears(turn.turn_id))

    def reply(self, turn: Turn) -> HTTPFlow[Reply]:
        request = yield from self._turn(turn, stream=False)
        draft = read_completion((yield request))
        made = bears(turn.turn_id)
        return (yield from self._stored.finish(turn.conversation_id, turn.turn_id, made, draft))

    def stream_answer(self, answer: Answer) -> HTTPFlow[Stream[Request, Response]]:
        asked = yield from self._asked(answer.conversation_id)
        new_id = self._new_turn_id()
        request = yield from self._answer(answer, asked, new_id, stream=True)
        turn_id, made = _of_answer(asked, new_id)
        return self._stream(request, answer.conversation_id, turn_id, made)

    def answer(self, answer: Answer) -> HTTPFlow[Reply]:
        asked = yield from self._asked(answer.conversation_id)
        new_id = self._new_turn_id()
        request = yield from self._answer(answer, asked, new_id, stream=False)
        chat_id = answer.conversation_id
        turn_id, made = _of_answer(asked, new_id)
        try:
            draft = read_completion((yield request))
            return (yield from self._stored.finish(chat_id, turn_id, made, draft))
        except StoreError as error:
            error.partial = PartialReply(conversation_id=chat_id, turn_id=turn_id)
            raise

    def get_reply(self, conversation_id: str, turn_id: str) -> HTTPFlow[Reply]:
        return self._stored.get(conversation_id, turn_id)

    # What is sent

    def _turn(self, turn: Turn, *, stream: bool) -> HTTPFlow[Request]:
        options: FastGPTReplyOptions = turn.options
        content = content_of(turn.content)
        if not turn.begins:
            yield from self._refuse_while_asked(turn.conversation_id)
        by_variables = content == "" and options.variables is not None
        messages = None if by_variables else [{"role": "user", "content": content}]
        return (
            yield from self._completion(
                turn.conversation_id, turn.turn_id, messages, options, stream=stream
            )
        )

    def _refuse_while_asked(self, conversation_id: str) -> HTTPFlow[None]:
        """Keeps a turn from being taken for the answer of a question that waits.

        Raises:
            ConflictError: One waits.
        """
        _require_stored(conversation_id)
        asked = _asking((yield from self._newest(conversation_id)))
        if asked is not None and not asks_for_a_new_turn(asked.row):
            raise ConflictError(
                f"the flow waits for the answer of a question in {conversation_id!r}, and would "
                "take the turn for it: use answer or stream_answer"
            )

    def _answer(
        self, answer: Answer, asked: _Asked, turn_id: str, *, stream: bool
    ) -> HTTPFlow[Request]:
        content = answering_text(asked.part, asked.row, answer.answer)
        messages = [{"role": "user", "content": content}]
        return self._completion(
            answer.conversation_id, turn_id, messages, answer.options, stream=stream
        )

    def _completion(
        self,
        conversation_id: str,
        turn_id: str,
        messages: list[dict[str, JSON]] | None,
        options: FastGPTReplyOptions,
        *,
        stream: bool,
    ) -> HTTPFlow[Request]:
        _require_stored(conversation_id)
        chat = self._chat(conversation_id)
        scope = yield from self._service.scope()
        fields = body(
            messages,
            stream=stream,
            detail=options.detail,
            turn_id=turn_id,
            variables=options.variables,
            custom_uid=options.custom_uid or self._user,
            metadata=options.metadata,
            retain_citations=options.retain_citations,
        )
        endpoint = COMPLETIONS_V2 if options.api_version == "v2" else COMPLETIONS
        return endpoint.request({**scope, **chat, **fields})

    def _asked(self, conversation_id: str) -> HTTPFlow[_Asked]:
        """What waits for an answer.

        Raises:
            ConflictError: Nothing does.
        """
        _require_stored(conversation_id)
        newest = Listing(limit=1, order="newest_first")
        page = yield from self._list_messages(conversation_id, newest)
        asked = _asking(page.items)
        if asked is None:
            raise ConflictError(
                f"nothing waits for an answer in {conversation_id!r}: it was answered, or another "
                "turn was sent"
            )
        return asked

    def _stream(
        self, request: Request, conversation_id: str, turn_id: str, made: IsIt
    ) -> Stream[Request, Response]:
        return Stream(
            request=request,
            decoder=CompletionDecoder(request),
            finish=lambda draft: self._stored.finish(conversation_id, turn_id, made, draft),
            turn_id=turn_id,
        )


def _asking(newest: Sequence[Message]) -> _Asked | None:
    """What the newest message, if there is one, waits for."""
    for message in newest:
        part = pending_interaction(message)
        if part is not None:
            return _Asked(message, part, _interaction(message))
    return None


def _require_stored(conversation_id: str) -> None:
    if conversation_id == UNSTORED:
        raise InvalidError(f"under the id {UNSTORED!r} the service stores nothing: take another")


def _of_answer(asked: _Asked, new_id: str) -> tuple[str, IsIt]:
    """The id of the turn that an answer belongs to, and what tells that it was taken in.

    As a rule the record that asked goes on: it shows the answer, and what the flow added.
    """
    is_new, before = bears(new_id), asked.message
    if asks_for_a_new_turn(asked.row):
        return new_id, is_new

    def went_on(message: Message) -> bool:
        changed = message.id == before.id and _value(message) != _value(before)
        return changed or is_new(message)

    return data_id_of(before.id) or new_id, went_on


def _value(message: Message) -> JSON:
    return message.raw.get("value") if isinstance(message.raw, dict) else None


def _interaction(message: Message) -> Row:
    """The interaction that a record ends with, as the service holds it."""
    value = _value(message)
    for item in reversed(value if isinstance(value, list) else []):
        if isinstance(item, dict) and item.get("interactive"):
            return innermost(item["interactive"])
    return {}
