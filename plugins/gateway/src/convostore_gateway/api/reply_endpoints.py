"""Endpoints of the native API that ask a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from convostore.adapters import TURN_ARGUMENTS, Operation
from convostore.dialects import StreamedResponse
from convostore.errors import InvalidError
from convostore.models import JSON, Reply
from convostore.store import AsyncConversationStore, AsyncReplyStream

from .. import schema
from .endpoint import CONVERSATION, EVENTS, Call, Endpoint
from .responses import HEADERS, NativeEncoder


async def _reply(call: Call) -> Reply | StreamedResponse:
    body = call.body_as(schema.ReplyBody)
    turn = (body.conversation_id, body.content)
    options = _options(body.options)
    new: dict[str, Any] = {  # arguments and options are of many types
        "turn_id": body.turn_id,
        "owner": body.owner,
        "metadata": body.metadata,
        **options,
    }
    if call.wants_events:
        return _stream(lambda store: store.stream_reply(*turn, **new))
    return await call.store.reply(*turn, **new)


async def _answer(call: Call) -> Reply | StreamedResponse:
    body = call.body_as(schema.AnswerBody)
    options = _options(body.options)
    if call.wants_events:
        return _stream(
            lambda store: store.stream_answer(body.conversation_id, body.answer, **options)
        )
    return await call.store.answer(body.conversation_id, body.answer, **options)


async def _resume(call: Call) -> StreamedResponse:
    return _stream(lambda store: store.resume_reply(**call.ids))


def _options(options: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """Return a turn's options.

    Raises:
        InvalidError: One has the name of an argument of the store's method.
    """
    arguments = TURN_ARGUMENTS & options.keys()
    if arguments:
        raise InvalidError(f"{min(arguments)!r} must not be an option: it is a field of the body")
    return options


def _stream(begin: Callable[[AsyncConversationStore], AsyncReplyStream]) -> StreamedResponse:
    return StreamedResponse(begin=begin, encoder=NativeEncoder(), headers=HEADERS)


_REPLY: Final = f"{CONVERSATION}/replies/{{turn_id}}"
_JSON_OR_EVENTS: Final = ("application/json", EVENTS)

REPLYING: Final = (
    Endpoint(
        method="POST",
        template="/v1/replies",
        operation=Operation.REPLY,
        summary="Send a user's turn; the reply is returned whole or streamed.",
        handle=_reply,
        body=schema.ReplyBody,
        answers=Reply,
        media_types=_JSON_OR_EVENTS,
        may_conflict=True,
    ),
    Endpoint(
        method="POST",
        template="/v1/answers",
        operation=Operation.ANSWER,
        summary="Answer the question of a flow; the reply is returned whole or streamed.",
        handle=_answer,
        body=schema.AnswerBody,
        answers=Reply,
        media_types=_JSON_OR_EVENTS,
        may_conflict=True,
    ),
    Endpoint(
        method="GET",
        template=_REPLY,
        operation=Operation.GET_REPLY,
        summary="Return the reply to an earlier turn.",
        handle=lambda call: call.store.get_reply(**call.ids),
        answers=Reply,
        may_conflict=True,
    ),
    Endpoint(
        method="POST",
        template=f"{_REPLY}/resume",
        operation=Operation.RESUME_REPLY,
        summary="Stream a reply in progress from its beginning.",
        handle=_resume,
        answers={"type": "string"},
        media_types=(EVENTS,),
        may_conflict=True,
    ),
)
