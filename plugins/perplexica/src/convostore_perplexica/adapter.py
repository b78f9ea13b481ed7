"""The adapter: which request each operation is, and what the service's refusals mean.

Facts from the contract of the real programs, 1.7.0 to 1.12.1: the list and each chat come whole,
there is no access control, a 404 is an absent chat only as JSON, and any trouble inside is a 500.
"""

from __future__ import annotations

from typing import Any, ClassVar

from convostore.adapter import Traits, cut
from convostore.dsn import DSN
from convostore.errors import ProtocolError, StoreError
from convostore.flow import together
from convostore.http import HTTPAdapter, HTTPFlow, Request, Response, path, status_error
from convostore.models import Conversation, Health, Listing, Message, Page, Transcript

from . import wire

_CHATS = "/api/chats"
_CHAT = "/api/chats/{}"


class Perplexica(HTTPAdapter):
    """Reads and deletes what a Perplexica or Vane keeps; decides the shape object by object."""

    name: ClassVar[str] = "perplexica"
    traits = Traits(paging="whole")

    def __init__(self, dsn: DSN, options: Any) -> None:
        super().__init__(dsn, options)
        # The Express versions' own interface was set up with ".../api" as its address.
        self.base_url = self.base_url.removesuffix("/api")

    def failure(self, request: Request, response: Response) -> StoreError | None:
        error = status_error(request, response)
        absent = request.path != _CHATS and error is not None and error.detail is not None
        if response.status == 404 and not absent:
            return ProtocolError(
                f"{request.method} {request.path} was answered 404, but not by this service's list "
                "of chats: check the base URL (releases before 1.7.1 cannot delete)",
                excerpt=response.excerpt,
            )
        return error

    def list_conversations(self, listing: Listing) -> HTTPFlow[Page[Conversation]]:
        conversations = yield from self._conversations()
        return cut(conversations, listing, key=lambda each: each.id, what="list of conversations")

    def _conversations(self) -> HTTPFlow[tuple[Conversation, ...]]:
        reply = yield Request("GET", _CHATS)
        return wire.read_conversations(reply.json())

    def get_conversation(self, conversation_id: str) -> HTTPFlow[Conversation]:
        reply = yield Request("GET", path(_CHAT, conversation_id))
        return wire.read_conversation(reply.json(), conversation_id)

    def list_messages(self, conversation_id: str, listing: Listing) -> HTTPFlow[Page[Message]]:
        reply = yield Request("GET", path(_CHAT, conversation_id))
        messages = wire.read_messages(reply.json())
        return cut(messages, listing, key=lambda each: each.id, what="list of messages")

    def read_transcript(
        self,
        conversation_id: str,
        known: Conversation | None = None,  # noqa: ARG002  # the same request brings it again
    ) -> HTTPFlow[Transcript]:
        reply = yield Request("GET", path(_CHAT, conversation_id))
        body = reply.json()
        return Transcript(
            conversation_id=conversation_id,
            conversation=wire.read_conversation(body, conversation_id),
            messages=wire.read_messages(body),
        )

    def delete_conversation(self, conversation_id: str) -> HTTPFlow[None]:
        reply = yield Request("DELETE", path(_CHAT, conversation_id))
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
        reply = yield Request("GET", _CHATS)
        body = reply.json()
        return Health(
            generation=wire.generation(body),
            detail=f"{len(wire.read_conversations(body))} conversations",
        )
