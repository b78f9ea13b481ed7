"""A small HTTP service that answers, and its adapter, both right: what streams over HTTP.

Faults and mutants strike it. A turn is answered with a line of JSON for each piece, and with one
that says that it was the last.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, ClassVar, Final
from urllib.parse import unquote

from convostore.adapters import Answer, Decoder, ReplyAccumulator, Stream, Turn, paginate
from convostore.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    ProtocolError,
    UnavailableError,
)
from convostore.http import HTTPFlow, Lines, Request, Response, path
from convostore.models import (
    JSON,
    Conversation,
    InteractionOption,
    InteractionPart,
    InteractionRequested,
    Listing,
    Message,
    Page,
    Reply,
    ReplyEvent,
    TextDelta,
    TextPart,
    Transcript,
    pending_interaction,
)
from convostore.parsing import decode_json
from convostore.testing import Prompts

from .sample_service import SampleAdapter, SampleService

PROMPTS: Final = Prompts(choice="choose high low", failing="fail")
"""What makes the service ask, and fail."""

_LINES: Final = {"content-type": "application/x-ndjson"}
_ANSWER: Final = "-answer"


class AnsweringService(SampleService):
    """A `SampleService` that also answers ``POST /chats/{id}/turns`` and ``…/answer``."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[str, dict[str, Any]] = {}

    def handle(self, request: Request) -> Response:
        chat_id, _, called = request.path.removeprefix("/chats/").partition("/")
        match called:
            case "turns":
                return self._take(unquote(chat_id), request.json)
            case "answer":
                return self._go_on(unquote(chat_id), request.json)
        response = super().handle(request)
        asked = self._asked.get(unquote(chat_id))
        if asked is None or response.status != 200:
            return response
        return replace(response, content=_dumped(response.json() | {"asked": asked}))

    def _take(self, chat_id: str, turn: JSON) -> Response:
        text = turn["text"]
        question = Message(id=turn["turn"], role="user", parts=(TextPart(text=text),))
        self._put(chat_id, question)
        if text == "fail":
            return _lines([{"say": "You "}, {"say": "said"}, {"failed": "the model is out"}])
        answer = Message(id=f"{turn['turn']}{_ANSWER}", role="assistant", parts=())
        command, _, rest = text.partition(" ")
        if command == "choose":
            self._put(chat_id, answer)
            self._asked[chat_id] = {"options": rest.split(), "answer": None}
            return _lines([{"ask": rest.split()}, {"end": True}])
        return self._say(chat_id, answer, f"You said: {text}")

    def _go_on(self, chat_id: str, answered: JSON) -> Response:
        self._asked[chat_id]["answer"] = answered["choice"]
        return self._say(chat_id, self._chats[chat_id].messages[-1], f"So {answered['choice']}.")

    def _say(self, chat_id: str, answer: Message, said: str) -> Response:
        whole = answer.model_copy(update={"parts": (TextPart(text=said),)})
        self._put(chat_id, whole)
        pieces = [said[start : start + 5] for start in range(0, len(said), 5)]
        return _lines([*[{"say": each} for each in pieces], {"end": True}])

    def _put(self, chat_id: str, message: Message) -> None:
        chat = self._chats.get(chat_id) or Transcript(
            conversation_id=chat_id, conversation=Conversation(id=chat_id), messages=()
        )
        before = [each for each in chat.messages if each.id != message.id]
        self._chats[chat_id] = replace(chat, messages=(*before, message))


def _dumped(body: object) -> bytes:
    return json.dumps(body).encode()


def _lines(pieces: Iterable[object]) -> Response:
    return Response(200, _LINES, b"".join([_dumped(each) + b"\n" for each in pieces]))


class AnsweringDecoder(Decoder[bytes]):
    """Reads a line of JSON for each piece."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._ended = False

    def feed(self, chunk: bytes) -> Iterator[ReplyEvent]:
        for line in self._lines.feed(chunk):
            yield from self._read(line)

    def close(self) -> Iterator[ReplyEvent]:
        yield from self._read(self._lines.close())
        if not self._ended:
            raise UnavailableError("the stream ended before the reply did")

    def _read(self, line: bytes) -> Iterator[ReplyEvent]:
        if not line:
            return
        match decode_json(line, "a line of the stream"):
            case {"say": str(text)}:
                yield TextDelta(text=text)
            case {"ask": [*options]}:
                yield InteractionRequested(interaction=_interaction(options))
            case {"failed": str(why)}:
                raise UnavailableError(f"the reply failed: {why}", detail=why, retryable=False)
            case {"end": True}:
                self._ended = True
            case _:
                raise ProtocolError("a line of the stream has another shape")


class AnsweringAdapter(SampleAdapter):
    """Talks to an `AnsweringService`."""

    name: ClassVar[str] = "answering"

    def list_messages(self, conversation_id: str, listing: Listing) -> HTTPFlow[Page[Message]]:
        messages = yield from self._messages(conversation_id)
        return paginate(messages, listing, key=lambda each: each.id)

    def stream_reply(self, turn: Turn) -> HTTPFlow[Stream[Request, Response]]:
        yield from ()
        text = "\n".join([part.text for part in turn.content if isinstance(part, TextPart)])
        return self._stream("turns", turn.conversation_id, turn.turn_id, {"text": text})

    def stream_answer(self, answer: Answer) -> HTTPFlow[Stream[Request, Response]]:
        messages = yield from self._messages(answer.conversation_id)
        asked = pending_interaction(messages[-1]) if messages else None
        if asked is None:
            raise ConflictError("nothing waits for an answer in this conversation")
        if answer.answer not in [option.value for option in asked.options]:
            raise InvalidError("the answer is none of the options")
        turn_id = messages[-1].id.removesuffix(_ANSWER)
        return self._stream("answer", answer.conversation_id, turn_id, {"choice": answer.answer})

    def get_reply(self, conversation_id: str, turn_id: str) -> HTTPFlow[Reply]:
        return self._stored(conversation_id, turn_id, ReplyAccumulator())

    def _stream(
        self, called: str, conversation_id: str, turn_id: str, body: dict[str, JSON]
    ) -> Stream[Request, Response]:
        return Stream(
            request=Request(
                "POST",
                path(f"/chats/{{}}/{called}", conversation_id),
                json=body | {"turn": turn_id},
                patient=True,
            ),
            decoder=AnsweringDecoder(),
            finish=lambda draft: self._stored(conversation_id, turn_id, draft),
            turn_id=turn_id,
        )

    def _stored(
        self, conversation_id: str, turn_id: str, draft: ReplyAccumulator
    ) -> HTTPFlow[Reply]:
        messages = {each.id: each for each in (yield from self._messages(conversation_id))}
        if turn_id not in messages:
            raise NotFoundError(f"no turn {turn_id!r} arrived in {conversation_id!r}")
        answer = messages.get(f"{turn_id}{_ANSWER}")
        if answer is None:
            raise UnavailableError(f"the reply to the turn {turn_id!r} failed", retryable=False)
        return draft.reply(
            conversation_id=conversation_id,
            turn_id=turn_id,
            message=answer,
            question=messages[turn_id],
        )

    def _messages(self, conversation_id: str) -> HTTPFlow[list[Message]]:
        reply = yield Request("GET", path("/chats/{}", conversation_id))
        return reply.read(lambda body: _messages_of(body["messages"], body.get("asked")))


def _messages_of(rows: JSON, asked: JSON) -> list[Message]:
    messages = [
        Message(id=row, role=role, parts=(TextPart(text=text),) if text else ())
        for row, role, text in rows
    ]
    if asked is None:
        return messages
    parts = (_interaction(asked["options"], asked["answer"]), *messages[-1].parts)
    return [*messages[:-1], messages[-1].model_copy(update={"parts": parts})]


def _interaction(options: JSON, answer: str | None = None) -> InteractionPart:
    return InteractionPart(
        type="choice",
        prompt="Which one?",
        options=tuple([InteractionOption(value=each) for each in options]),
        answered=answer is not None,
        answer=answer,
    )
