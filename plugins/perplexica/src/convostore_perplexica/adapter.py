"""The adapter: which request each operation is, and what the service's refusals mean.

Facts from the contract of the real programs, 1.7.0 to 1.12.1: the list and each chat come whole,
there is no access control, a 404 is an absent chat only as JSON, and any trouble inside is a 500.
What answers is loaded when a turn is sent.
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

if TYPE_CHECKING:
    from convostore.adapters import Stream, Turn
    from convostore.models import Reply

    from .api.versions import Generation
    from .replies.history import History
    from .replies.requests import TurnSettings


class Perplexica(HTTPAdapter):
    """Reads and deletes what a Perplexica or Vane keeps, and lets it answer.

    What is read is decided object by object; before the first turn it is asked which version it is.
    """

    name: ClassVar[str] = "perplexica"
    Options: ClassVar[type[AdapterOptions]] = PerplexicaOptions
    ReplyOptions: ClassVar[type[AdapterOptions]] = PerplexicaReplyOptions
    traits = Traits(paging="whole")

    def __init__(self, dsn: DSN, options: Any) -> None:
        super().__init__(dsn, options)
        # The Express versions' own interface was set up with ".../api" as its address.
        self.base_url = self.base_url.removesuffix("/api")
        self._generation: Generation | None = None

    def failure(self, request: Request, response: Response) -> StoreError | None:
        return refusal(request, response)

    def list_conversations(self, listing: Listing) -> HTTPFlow[Page[Conversation]]:
        conversations = yield from self._conversations()
        return paginate(
            conversations, listing, key=lambda each: each.id, what="list of conversations"
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
        return paginate(messages, listing, key=lambda each: each.id, what="list of messages")

    def read_transcript(
        self,
        conversation_id: str,
        known: Conversation | None = None,  # noqa: ARG002  # the same request brings it again
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
        """Deletes each chat that the list shows, one request each: the service has no other way."""
        conversations = yield from self._conversations()
        yield from together([self._delete_listed(each.id) for each in conversations])

    def _delete_listed(self, conversation_id: str) -> HTTPFlow[None]:
        try:
            yield from self.delete_conversation(conversation_id)
        except LookupError:  # deleted by another since the list was read
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
        from .replies import requests
        from .replies.history import History, read_history

        choices = self._choices(turn.options)
        requests.check_turn(turn, choices)
        past = History({}) if turn.begins else (yield from read_history(turn.conversation_id))
        past.refuse_turn_id(turn.turn_id)
        generation = yield from self._found_generation(past)
        request = requests.reply_request(generation, turn, past, choices)
        return self._stream(request, turn.conversation_id, turn.turn_id)

    def get_reply(self, conversation_id: str, turn_id: str) -> HTTPFlow[Reply]:
        from convostore.adapters import ReplyAccumulator

        from .replies.history import read_history
        from .replies.lookup import stored_reply

        past = yield from read_history(conversation_id)
        return stored_reply(past, conversation_id, turn_id, ReplyAccumulator())

    def resume_reply(
        self, conversation_id: str, turn_id: str
    ) -> HTTPFlow[Stream[Request, Response] | Reply]:
        from convostore.adapters import ReplyAccumulator

        from .replies.history import read_history
        from .replies.lookup import stored_reply
        from .replies.requests import resume_request

        past = yield from read_history(conversation_id)
        try:
            return stored_reply(past, conversation_id, turn_id, ReplyAccumulator())
        except ConflictError:
            request = resume_request(past, turn_id)
        return self._stream(request, conversation_id, turn_id)

    def suggest_questions(self, conversation_id: str) -> HTTPFlow[tuple[str, ...]]:
        from .replies import requests
        from .replies.history import history_of

        choices = self._choices(PerplexicaReplyOptions())
        choices.model("chat_model")
        reply = yield Request("GET", path(CHAT_PATH, conversation_id))
        past = history_of(reply.json())
        generation = yield from self._found_generation(past)
        reply = yield requests.suggestions_request(generation, past, choices)
        return reply.read(requests.read_suggestions)

    def _choices(self, options: PerplexicaReplyOptions) -> TurnSettings:
        from .replies.requests import TurnSettings

        return TurnSettings(options, self.options)

    def _stream(
        self, request: Request, conversation_id: str, turn_id: str
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
        )

    def _found_generation(self, past: History) -> HTTPFlow[Generation]:
        """Which versions this is; asked once, unless what it keeps shows it."""
        from .api.versions import Generation, find_generation

        if past.shows_blocks():  # the server may have been upgraded since it was asked
            self._generation = Generation.BLOCKS
        if self._generation is None:
            self._generation = yield from find_generation()
            if self._generation is Generation.SOCKET:
                self.offers = self.offers - _ANSWERING
        return self._generation


_ANSWERING = frozenset({Operation.REPLY, Operation.STREAM_REPLY})
