"""Sending turns and answers to an app, for all operations that make replies.

A turn is sent once, and its conversation is read before and after it. Streams are parsed in
`decoder`, answers are validated in `answers`, records are found and judged in `lookup`.
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
from .answers import asks_for_a_new_turn, encode_answer
from .decoder import CompletionDecoder, read_completion
from .lookup import IsReply, ListMessages, StoredReplies, has_data_id
from .requests import completion_body, encode_content


@dataclass(frozen=True, slots=True)
class _Pending:
    """An interaction that waits for its answer.

    Attributes:
        message: The record that ends with it.
        part: The interaction.
        row: The interaction as the service stores it.
    """

    message: Message
    part: InteractionPart
    row: Row


class Replies:
    """Turns and answers of one app.

    Args:
        service: The endpoints.
        list_messages: The adapter's `list_messages`.
        newest: Returns the newest message of a conversation, or nothing for an absent one.
        chat: Returns the field that names a conversation; raises for one that is not the store's.
        new_turn_id: Returns an id for a turn.
        user: Name of the asking user where a turn has none.
        patience: Seconds to wait for the record of an answer that has ended.
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
        return self._stream(request, turn.conversation_id, turn.turn_id, has_data_id(turn.turn_id))

    def reply(self, turn: Turn) -> HTTPFlow[Reply]:
        request = yield from self._turn(turn, stream=False)
        accumulator = read_completion((yield request))
        is_reply = has_data_id(turn.turn_id)
        return (
            yield from self._stored.finish(
                turn.conversation_id, turn.turn_id, is_reply, accumulator
            )
        )

    def stream_answer(self, answer: Answer) -> HTTPFlow[Stream[Request, Response]]:
        pending = yield from self._pending(answer.conversation_id)
        new_id = self._new_turn_id()
        request = yield from self._answer(answer, pending, new_id, stream=True)
        turn_id, is_reply = _of_answer(pending, new_id)
        return self._stream(request, answer.conversation_id, turn_id, is_reply)

    def answer(self, answer: Answer) -> HTTPFlow[Reply]:
        pending = yield from self._pending(answer.conversation_id)
        new_id = self._new_turn_id()
        request = yield from self._answer(answer, pending, new_id, stream=False)
        chat_id = answer.conversation_id
        turn_id, is_reply = _of_answer(pending, new_id)
        try:
            accumulator = read_completion((yield request))
            return (yield from self._stored.finish(chat_id, turn_id, is_reply, accumulator))
        except StoreError as error:
            error.partial = PartialReply(conversation_id=chat_id, turn_id=turn_id)
            raise

    def get_reply(self, conversation_id: str, turn_id: str) -> HTTPFlow[Reply]:
        return self._stored.get(conversation_id, turn_id)

    # Requests

    def _turn(self, turn: Turn, *, stream: bool) -> HTTPFlow[Request]:
        options: FastGPTReplyOptions = turn.options
        content = encode_content(turn.content)
        if not turn.begins:
            yield from self._refuse_while_pending(turn.conversation_id)
        # A plugin app has no messages: its variables are the turn.
        by_variables = content == "" and options.variables is not None
        messages = None if by_variables else [{"role": "user", "content": content}]
        return (
            yield from self._completion(
                turn.conversation_id, turn.turn_id, messages, options, stream=stream
            )
        )

    def _refuse_while_pending(self, conversation_id: str) -> HTTPFlow[None]:
        """Refuse a turn that the service would take for the answer to a pending question.

        Raises:
            ConflictError: A question is pending.
        """
        _require_stored(conversation_id)
        pending = _pending_in((yield from self._newest(conversation_id)))
        if pending is not None and not asks_for_a_new_turn(pending.row):
            raise ConflictError(
                f"the flow is waiting for an answer in {conversation_id!r} and would take this "
                "turn for it: use answer or stream_answer"
            )

    def _answer(
        self, answer: Answer, pending: _Pending, turn_id: str, *, stream: bool
    ) -> HTTPFlow[Request]:
        content = encode_answer(pending.part, pending.row, answer.answer)
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
        fields = completion_body(
            messages,
            stream=stream,
            detail=options.detail,
            turn_id=turn_id,
            variables=options.variables,
            custom_uid=options.custom_uid or self._user,
            metadata=options.turn_metadata,
            retain_citations=options.retain_citations,
        )
        endpoint = COMPLETIONS_V2 if options.api_version == "v2" else COMPLETIONS
        return endpoint.request({**scope, **chat, **fields})

    def _pending(self, conversation_id: str) -> HTTPFlow[_Pending]:
        """Return the interaction that waits for an answer.

        Raises:
            ConflictError: None does.
        """
        _require_stored(conversation_id)
        newest = Listing(limit=1, order="newest_first")
        page = yield from self._list_messages(conversation_id, newest)
        pending = _pending_in(page.items)
        if pending is None:
            raise ConflictError(
                f"no question is open in {conversation_id!r}: it was answered, or another "
                "turn was sent"
            )
        return pending

    def _stream(
        self, request: Request, conversation_id: str, turn_id: str, is_reply: IsReply
    ) -> Stream[Request, Response]:
        return Stream(
            request=request,
            decoder=CompletionDecoder(request),
            finish=lambda accumulator: self._stored.finish(
                conversation_id, turn_id, is_reply, accumulator
            ),
            turn_id=turn_id,
        )


def _pending_in(newest: Sequence[Message]) -> _Pending | None:
    """Return the interaction with which the newest message, if there is one, ends."""
    for message in newest:
        part = pending_interaction(message)
        if part is not None:
            return _Pending(message, part, _interaction(message))
    return None


def _require_stored(conversation_id: str) -> None:
    if conversation_id == UNSTORED:
        raise InvalidError(
            f"conversation_id must not be {UNSTORED!r}, under which the service stores nothing: "
            "pass another id"
        )


def _of_answer(pending: _Pending, new_id: str) -> tuple[str, IsReply]:
    """Return the id of the turn that an answer belongs to, and a test for its record.

    As a rule the record that asked continues: it then has the answer, and what the flow added.
    """
    is_new, before = has_data_id(new_id), pending.message
    if asks_for_a_new_turn(pending.row):
        return new_id, is_new

    def continues(message: Message) -> bool:
        changed = message.id == before.id and _value(message) != _value(before)
        return changed or is_new(message)

    return data_id_of(before.id) or new_id, continues


def _value(message: Message) -> JSON:
    return message.raw.get("value") if isinstance(message.raw, dict) else None


def _interaction(message: Message) -> Row:
    """Return the interaction that a record ends with, as the service stores it."""
    value = _value(message)
    for item in reversed(value if isinstance(value, list) else []):
        if isinstance(item, dict) and item.get("interactive"):
            return innermost(item["interactive"])
    return {}
