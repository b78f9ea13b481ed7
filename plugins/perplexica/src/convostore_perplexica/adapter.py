"""Perplexica's adapter: the requests that each operation sends, and in which order.

The facts are from the contract of the real servers, 1.7.0 to 1.12.1: the list and each chat arrive
whole, there is no access control, a 404 is an absent chat only in JSON, and any fault of the server
is a 500. Paths and errors belong in `api`, parsing in `schema`, turns in `replies`, which is
imported when a turn is sent.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, ClassVar

from convostore.adapters import AdapterOptions, Operation, Traits, paginate
from convostore.dsn import DSN
from convostore.errors import ConflictError, StoreError
from convostore.flow import together
from convostore.http import HTTPAdapter, HTTPFlow, Request, Response, path
from convostore.models import Conversation, Health, Listing, Message, Page, Transcript

from .api.errors import refusal
from .api.paths import CHAT_PATH, CHATS_PATH
from .options import PerplexicaOptions, PerplexicaReplyOptions
from .schema import chats
from .schema.turn_rows import answer_id_of

if TYPE_CHECKING:
    from convostore.adapters import Stream, Turn
    from convostore.models import Reply

    from .api.versions import Generation
    from .replies.history import History
    from .replies.requests import TurnSettings


class Perplexica(HTTPAdapter):
    """Chats of a Perplexica or Vane server, and turns that it answers.

    Each object is parsed by its keys; only before the first turn is the server's version detected.
    """

    name: ClassVar[str] = "perplexica"
    Options: ClassVar[type[AdapterOptions]] = PerplexicaOptions
    ReplyOptions: ClassVar[type[AdapterOptions]] = PerplexicaReplyOptions
    traits = Traits(paging="whole")

    def __init__(self, dsn: DSN, options: Any) -> None:
        super().__init__(dsn, options)
        # The web page of the Express versions was configured with ".../api" as the address.
        self.base_url = self.base_url.removesuffix("/api")
        self._generation: Generation | None = None

    def failure(self, request: Request, response: Response) -> StoreError | None:
        return refusal(request, response)

    def list_conversations(self, listing: Listing) -> HTTPFlow[Page[Conversation]]:
        conversations = yield from self._conversations()
        return paginate(
            conversations, listing, key=lambda chat: chat.id, what="list of conversations"
        )

    def _conversations(self) -> HTTPFlow[tuple[Conversation, ...]]:
        reply = yield Request("GET", CHATS_PATH)
        return chats.read_conversations(reply.json())

    def get_conversation(self, conversation_id: str) -> HTTPFlow[Conversation]:
        reply = yield Request("GET", path(CHAT_PATH, conversation_id))
        return chats.read_conversation(reply.json(), conversation_id)

    def list_messages(self, conversation_id: str, listing: Listing) -> HTTPFlow[Page[Message]]:
        reply = yield Request("GET", path(CHAT_PATH, conversation_id))
        messages = chats.read_messages(reply.json())
        return paginate(messages, listing, key=lambda message: message.id, what="list of messages")

    def read_transcript(
        self,
        conversation_id: str,
        known: Conversation | None = None,  # noqa: ARG002  # the same request returns it again
    ) -> HTTPFlow[Transcript]:
        reply = yield Request("GET", path(CHAT_PATH, conversation_id))
        body = reply.json()
        return Transcript(
            conversation_id=conversation_id,
            conversation=chats.read_conversation(body, conversation_id),
            messages=chats.read_messages(body),
        )

    def delete_conversation(self, conversation_id: str) -> HTTPFlow[None]:
        reply = yield Request("DELETE", path(CHAT_PATH, conversation_id))
        reply.json()

    def clear_conversations(self) -> HTTPFlow[None]:
        """Delete each listed chat with a request: the service has no other way."""
        conversations = yield from self._conversations()
        yield from together([self._delete_listed(chat.id) for chat in conversations])

    def _delete_listed(self, conversation_id: str) -> HTTPFlow[None]:
        try:
            yield from self.delete_conversation(conversation_id)
        except LookupError:  # another client deleted it since the list was read
            return

    def check(self) -> HTTPFlow[Health]:
        reply = yield Request("GET", CHATS_PATH)
        body = reply.json()
        return Health(
            generation=chats.generation(body),
            detail=f"{len(chats.read_conversations(body))} conversations",
        )

    def new_conversation_id(self) -> str:
        return secrets.token_hex(20)

    def new_turn_id(self) -> str:
        return secrets.token_hex(7)

    def stream_reply(self, turn: Turn) -> HTTPFlow[Stream[Request, Response]]:
        from .api.versions import Generation
        from .replies import requests
        from .replies.history import History, read_history

        settings = self._settings(turn.options)
        requests.check_turn(turn, settings)  # before anything is sent
        history = History({}) if turn.begins else (yield from read_history(turn.conversation_id))
        history.refuse_turn_id(turn.turn_id)
        generation = yield from self._find_generation(history)
        request = requests.reply_request(generation, turn, history, settings)
        named = answer_id_of(turn.turn_id) if generation is Generation.BLOCKS else None
        return self._stream(request, turn.conversation_id, turn.turn_id, named)

    def get_reply(self, conversation_id: str, turn_id: str) -> HTTPFlow[Reply]:
        from convostore.adapters import ReplyAccumulator

        from .replies.history import read_history
        from .replies.lookup import stored_reply

        history = yield from read_history(conversation_id)
        return stored_reply(history, conversation_id, turn_id, ReplyAccumulator())

    def resume_reply(
        self, conversation_id: str, turn_id: str
    ) -> HTTPFlow[Stream[Request, Response] | Reply]:
        from convostore.adapters import ReplyAccumulator

        from .replies.history import read_history
        from .replies.lookup import stored_reply
        from .replies.requests import resume_request

        history = yield from read_history(conversation_id)
        try:
            return stored_reply(history, conversation_id, turn_id, ReplyAccumulator())
        except ConflictError:
            request = resume_request(history, turn_id)
        return self._stream(request, conversation_id, turn_id, answer_id_of(turn_id))

    def suggest_questions(self, conversation_id: str) -> HTTPFlow[tuple[str, ...]]:
        from .replies import requests
        from .replies.history import parse_history

        settings = self._settings(PerplexicaReplyOptions())
        settings.model("chat_model")
        reply = yield Request("GET", path(CHAT_PATH, conversation_id))
        history = parse_history(reply.json())
        generation = yield from self._find_generation(history)
        reply = yield requests.suggestions_request(generation, history, settings)
        return reply.read(requests.read_suggestions)

    def _settings(self, options: PerplexicaReplyOptions) -> TurnSettings:
        from .replies.requests import TurnSettings

        return TurnSettings(options, self.options)

    def _stream(
        self, request: Request, conversation_id: str, turn_id: str, message_id: str | None
    ) -> Stream[Request, Response]:
        from convostore.adapters import Stream

        from .replies.decoder import ChatDecoder
        from .replies.lookup import finish

        decoder = ChatDecoder()
        return Stream(
            request=request,
            decoder=decoder,
            finish=lambda accumulator: finish(
                conversation_id,
                turn_id,
                accumulator,
                decoder.answer_id,
                patience=self.options.timeout,
            ),
            turn_id=turn_id,
            message_id=message_id,
        )

    def _find_generation(self, history: History) -> HTTPFlow[Generation]:
        """Return the server's generation, detected once, or shown by the conversation itself."""
        from .api.versions import Generation, find_generation

        if history.has_blocks():  # the server may have been upgraded since the detection
            self._generation = Generation.BLOCKS
        if self._generation is None:
            self._generation = yield from find_generation()
            # Only now is it known that turns need a WebSocket: from here on they are not offered.
            if self._generation is Generation.SOCKET:
                self.offers = self.offers - _REPLYING
        return self._generation


_REPLYING = frozenset({Operation.REPLY, Operation.STREAM_REPLY})
