"""The endpoint that answers: a turn, or the answer of what a flow asks, sent to any store.

How a reply is written, `encoding` and `whole` say. What the service ignores in a request is ignored
here; what it would obey and the store cannot is refused.
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
from .parameters import Given, checked_app_id
from .parse_turn import answer_in, asks_for_a_new_turn, said_in

Version = Literal["v1", "v2"]

_STREAM_TYPE: Final = {
    "content-type": "text/event-stream;charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}
_SAMPLING: Final = ("temperature", "top_p", "max_tokens")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A completion's request.

    Attributes:
        chat_id: The conversation; None for a new one.
        said: What the last message says.
        before: The messages before it.
        options: What a store's turns may take of the rest, by the names that they have there.
    """

    chat_id: str | None
    turn_id: str | None
    said: str | tuple[Part, ...]
    before: list[JSON]
    stream: bool
    detail: bool
    with_usage: bool
    version: Version
    options: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class _Sending:
    """What is sent to the store.

    Attributes:
        answer: What a waiting interaction is answered with; None for a turn.
    """

    asked: _Asked
    options: Mapping[str, Any]
    answer: AnswerContent | None

    def begin(self, store: AsyncConversationStore) -> AsyncReplyStream:
        asked = self.asked
        if self.answer is not None:
            assert asked.chat_id is not None  # noqa: S101  # it was found in a conversation
            return store.stream_answer(asked.chat_id, self.answer, **self.options)
        return store.stream_reply(asked.chat_id, asked.said, turn_id=asked.turn_id, **self.options)

    async def send(self, store: AsyncConversationStore) -> Reply:
        asked = self.asked
        if self.answer is not None:
            assert asked.chat_id is not None  # noqa: S101  # it was found in a conversation
            return await store.answer(asked.chat_id, self.answer, **self.options)
        return await store.reply(asked.chat_id, asked.said, turn_id=asked.turn_id, **self.options)


def complete(given: Given, version: Version) -> DialectFlow[DialectResponse]:
    """Sends what is said to the store, and answers with its reply, streamed or whole."""
    asked = _read(given, version)
    sending = yield from _prepared(asked)
    if not asked.stream:
        return (yield from _whole(sending))
    encoder = CompletionEncoder(
        detail=asked.detail,
        version=version,
        with_usage=asked.with_usage,
        answering=sending.answer is not None,
        turn_id=asked.turn_id,
    )
    return StreamedResponse(begin=sending.begin, encoder=encoder, headers=_STREAM_TYPE)


# What is asked


def _read(given: Given, version: Version) -> _Asked:
    if given.fields.get("outLinkAuthData") is not None:
        raise invalid_link()
    if (app_id := given.fields.get("appId")) is not None:
        checked_app_id(app_id)
    chat_id = given.text_or_none("chatId")
    if chat_id == UNSTORED:
        raise not_offered(
            f"Under the chatId {UNSTORED} nothing would be stored: here all turns are"
        )
    messages = given.array("messages")
    if not messages:
        raise thrown("messages is empty", of_the_user=True)
    streamed = given.object("stream_options") or {}
    return _Asked(
        chat_id=chat_id or None,
        turn_id=given.text_or_none("responseChatItemId") or None,
        said=said_in(messages[-1], len(messages) - 1),
        before=messages[:-1],
        stream=given.flag("stream") is True,
        detail=given.flag("detail") is True,
        with_usage=streamed.get("include_usage") is True,
        version=version,
        options=_options(given, version),
    )


def _options(given: Given, version: Version) -> dict[str, JSON]:
    """What a store's turns may take, by the names of their options."""
    options: dict[str, JSON] = {
        "variables": given.object("variables"),
        "custom_uid": given.text_or_none("customUid"),
        "metadata": given.object("metadata"),
        "model": given.text_or_none("model"),
        **{name: given.fields.get(name) for name in _SAMPLING},
    }
    there = {name: value for name, value in options.items() if value not in (None, "")}
    retained = given.flag("retainDatasetCite") is True
    return there | {"retain_citations": retained, "api_version": version}


def _prepared(asked: _Asked) -> DialectFlow[_Sending]:
    """What to send, by what the store takes and what it waits for.

    Raises:
        RefusedError: Messages go before the turn, and the store knows none but its own.
    """
    taken = yield from look(lambda store: store.reply_options)
    options: dict[str, Any] = {
        name: value for name, value in asked.options.items() if name in taken
    }
    if asked.chat_id is not None:
        answer = yield from _answer(asked.chat_id, asked.said)
        return _Sending(asked, options, answer)
    if asked.before and "context" in taken:
        options["context"] = asked.before
    elif asked.before and (yield from look(lambda store: store.offers("stream_reply"))):
        raise not_offered(
            "The store that is served here takes no messages before the last one: it has its own. "
            "Send a chatId with the last message alone"
        )
    return _Sending(asked, options, None)


def _answer(chat_id: str, said: str | tuple[Part, ...]) -> DialectFlow[AnswerContent | None]:
    """What a waiting interaction is answered with; None where nothing waits."""
    if not (yield from look(lambda store: store.offers("stream_answer"))):
        return None
    page = yield from newest_page(chat_id, None, 1)
    waiting: InteractionPart | None = pending_interaction(page.items[0]) if page.items else None
    if waiting is None or asks_for_a_new_turn(waiting):
        return None
    return answer_in(waiting, said)


# What is answered


def _whole(sending: _Sending) -> DialectFlow[DialectResponse]:
    """One object; a run that failed is one, too, so that no client sends the turn again."""
    asked = sending.asked
    try:
        reply = yield from ask(sending.send)
    except (UnavailableError, ProtocolError) as error:
        if error.partial is None:
            raise
        return _answered(failed_row(error.partial, detail=asked.detail, version=asked.version))
    return _answered(
        completion_row(
            reply,
            detail=asked.detail,
            version=asked.version,
            answering=sending.answer is not None,
        )
    )


def _answered(body: JSON) -> Response:
    return Response(200, JSON_TYPE, to_json(body).encode("ascii"))
