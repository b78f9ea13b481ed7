"""The completion endpoint: a turn, or the answer to a pending interaction, sent to any store.

Replies are encoded in `encoder` and `completion_body`. Parameters that the service ignores are
ignored here; requests that the service would carry out and the store cannot are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from convostore.adapters import AnswerContent
from convostore.dialects import DialectFlow, DialectResponse, StreamedResponse
from convostore.errors import ProtocolError, UnavailableError
from convostore.http import Response
from convostore.models import JSON, InteractionPart, Part, Reply, pending_interaction
from convostore.serialization import to_json
from convostore.store import AsyncConversationStore, AsyncReplyStream, ask, look

from ..api.endpoints import UNSTORED
from .completion_body import completion_row, failed_row
from .encoder import CompletionEncoder
from .errors import JSON_TYPE, invalid_link, not_offered, thrown
from .find_records import newest_page
from .parameters import Parameters, checked_app_id
from .parse_turn import asks_for_a_new_turn, parse_answer, parse_content

Version = Literal["v1", "v2"]

_STREAM_TYPE: Final = {
    "content-type": "text/event-stream;charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}
_SAMPLING: Final = ("temperature", "top_p", "max_tokens")


@dataclass(frozen=True, slots=True)
class _Request:
    """The parsed request of a completion.

    Attributes:
        chat_id: Id of the conversation; None for a new one.
        turn_id: Id that the client chose for the turn, or None.
        content: Content of the last message.
        before: The messages before it.
        options: Options of the turn, by the names that stores have for them.
    """

    chat_id: str | None
    turn_id: str | None
    content: str | tuple[Part, ...]
    before: list[JSON]
    stream: bool
    detail: bool
    with_usage: bool
    version: Version
    options: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class _Call:
    """A call of the store.

    Attributes:
        answer: Answer to the pending interaction; None for a turn.
    """

    request: _Request
    options: Mapping[str, Any]
    answer: AnswerContent | None

    def begin(self, store: AsyncConversationStore) -> AsyncReplyStream:
        request = self.request
        if self.answer is not None:
            assert request.chat_id is not None  # noqa: S101  # the question was found in a conversation
            return store.stream_answer(request.chat_id, self.answer, **self.options)
        return store.stream_reply(
            request.chat_id, request.content, turn_id=request.turn_id, **self.options
        )

    async def send(self, store: AsyncConversationStore) -> Reply:
        request = self.request
        if self.answer is not None:
            assert request.chat_id is not None  # noqa: S101  # the question was found in a conversation
            return await store.answer(request.chat_id, self.answer, **self.options)
        return await store.reply(
            request.chat_id, request.content, turn_id=request.turn_id, **self.options
        )


def complete(params: Parameters, version: Version) -> DialectFlow[DialectResponse]:
    """Send the turn or the answer to the store, and return its reply, streamed or whole."""
    request = _read(params, version)
    call = yield from _prepare(request)
    if not request.stream:
        return (yield from _whole(call))
    encoder = CompletionEncoder(
        detail=request.detail,
        version=version,
        with_usage=request.with_usage,
        answering=call.answer is not None,
        turn_id=request.turn_id,
    )
    return StreamedResponse(begin=call.begin, encoder=encoder, headers=_STREAM_TYPE)


# The request


def _read(params: Parameters, version: Version) -> _Request:
    if params.fields.get("outLinkAuthData") is not None:
        raise invalid_link()
    if (app_id := params.fields.get("appId")) is not None:
        checked_app_id(app_id)
    chat_id = params.text_or_none("chatId")
    if chat_id == UNSTORED:
        raise not_offered(f"chatId must not be {UNSTORED}: here every turn is stored")
    messages = params.array("messages")
    if not messages:
        raise thrown("messages is empty", of_the_user=True)
    stream_options = params.object("stream_options") or {}
    return _Request(
        chat_id=chat_id or None,
        turn_id=params.text_or_none("responseChatItemId") or None,
        content=parse_content(messages[-1], len(messages) - 1),
        before=messages[:-1],
        stream=params.flag("stream") is True,
        detail=params.flag("detail") is True,
        with_usage=stream_options.get("include_usage") is True,
        version=version,
        options=_options(params, version),
    )


def _options(params: Parameters, version: Version) -> dict[str, JSON]:
    """Return the options of a turn that the request sets, by their names in stores."""
    options: dict[str, JSON] = {
        "variables": params.object("variables"),
        "custom_uid": params.text_or_none("customUid"),
        "turn_metadata": params.object("metadata"),
        "model": params.text_or_none("model"),
        **{name: params.fields.get(name) for name in _SAMPLING},
    }
    options = {name: value for name, value in options.items() if value not in (None, "")}
    retained = params.flag("retainDatasetCite") is True
    return options | {"retain_citations": retained, "api_version": version}


def _prepare(request: _Request) -> DialectFlow[_Call]:
    """Decide which call to make, by the store's options and its pending interaction.

    Raises:
        RefusedError: Messages precede the turn, and the store accepts none but its own.
    """
    known = yield from look(lambda store: store.reply_options)
    options: dict[str, Any] = {
        name: value for name, value in request.options.items() if name in known
    }
    # Of a known conversation the store has the earlier messages: those of the request are ignored.
    if request.chat_id is not None:
        answer = yield from _answer(request.chat_id, request.content)
        return _Call(request, options, answer)
    if request.before and "context" in known:
        options["context"] = request.before
    elif request.before and (yield from look(lambda store: store.offers("stream_reply"))):
        raise not_offered(
            "The store that is served here accepts no messages before the last: it has its own. "
            "Send a chatId with the last message alone"
        )
    return _Call(request, options, None)


def _answer(chat_id: str, content: str | tuple[Part, ...]) -> DialectFlow[AnswerContent | None]:
    """Parse the answer to the pending interaction; None where none is pending."""
    if not (yield from look(lambda store: store.offers("stream_answer"))):
        return None
    page = yield from newest_page(chat_id, None, 1)
    pending: InteractionPart | None = pending_interaction(page.items[0]) if page.items else None
    if pending is None or asks_for_a_new_turn(pending):
        return None
    return parse_answer(pending, content)


# The response


def _whole(call: _Call) -> DialectFlow[DialectResponse]:
    """Return one object, even for a failed run, so that no client sends the turn again."""
    request = call.request
    try:
        reply = yield from ask(call.send)
    except (UnavailableError, ProtocolError) as error:
        if error.partial is None:
            raise
        return _response(failed_row(error.partial, detail=request.detail, version=request.version))
    return _response(
        completion_row(
            reply,
            detail=request.detail,
            version=request.version,
            answering=call.answer is not None,
        )
    )


def _response(body: JSON) -> Response:
    return Response(200, JSON_TYPE, to_json(body).encode("ascii"))
