"""The adapter of `notes://`: which request each operation is, and what a refusal means."""

from pydantic import SecretStr

from convostore.adapter import Traits
from convostore.errors import AuthError, StoreError
from convostore.http import HTTPAdapter, HTTPFlow, HTTPOptions, Request, Response, path
from convostore.models import Conversation, Listing, Message, Page

from . import wire


class NotesOptions(HTTPOptions):
    api_key: SecretStr


class Notes(HTTPAdapter):
    name = "notes"
    Options = NotesOptions
    traits = Traits(paging="native", updated_at="content", max_page=100)

    def authorization(self) -> str:
        return f"Bearer {self.options.api_key.get_secret_value()}"

    def failure(self, request: Request, response: Response) -> StoreError | None:
        if response.status == 402:
            return AuthError("the account's plan has run out: renew it, then try again")
        return super().failure(request, response)

    def list_conversations(self, listing: Listing) -> HTTPFlow[Page[Conversation]]:
        reply = yield Request("GET", "/threads", query=_query(listing))
        return reply.read(wire.threads)

    def get_conversation(self, conversation_id: str) -> HTTPFlow[Conversation]:
        reply = yield Request("GET", path("/threads/{}", conversation_id))
        return reply.read(wire.thread)

    def list_messages(self, conversation_id: str, listing: Listing) -> HTTPFlow[Page[Message]]:
        entries = path("/threads/{}/entries", conversation_id)
        reply = yield Request("GET", entries, query=_query(listing))
        return reply.read(wire.entries)

    def delete_conversation(self, conversation_id: str) -> HTTPFlow[None]:
        reply = yield Request("DELETE", path("/threads/{}", conversation_id), idempotent=True)
        reply.json()


def _query(listing: Listing) -> tuple[tuple[str, str], ...]:
    after = (("after", listing.cursor),) if listing.cursor else ()
    return (("limit", str(listing.limit)), ("order", listing.order), *after)
