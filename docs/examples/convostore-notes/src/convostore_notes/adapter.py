"""The adapter of `notes://`: which request each operation is, and what a refusal means."""

from pydantic import SecretStr

from convostore.adapter import Traits
from convostore.errors import NotFoundError, ProtocolError, StoreError
from convostore.flow import Flow
from convostore.http import HTTPAdapter, HTTPOptions, Request, Response, path, status_error
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
        error = status_error(request, response)
        if isinstance(error, NotFoundError) and error.detail is None:
            return ProtocolError(f"{error}, but not by Notes: check the base URL")
        return error

    def list_conversations(self, listing: Listing) -> Flow[Request, Response, Page[Conversation]]:
        reply = yield Request("GET", "/threads", query=_query(listing))
        return wire.read_page(reply, wire.thread)

    def get_conversation(self, conversation_id: str) -> Flow[Request, Response, Conversation]:
        reply = yield Request("GET", path("/threads/{}", conversation_id))
        return wire.read(reply, wire.thread)

    def list_messages(
        self, conversation_id: str, listing: Listing
    ) -> Flow[Request, Response, Page[Message]]:
        entries = path("/threads/{}/entries", conversation_id)
        reply = yield Request("GET", entries, query=_query(listing))
        return wire.read_page(reply, wire.entry)

    def delete_conversation(self, conversation_id: str) -> Flow[Request, Response, None]:
        reply = yield Request("DELETE", path("/threads/{}", conversation_id), idempotent=True)
        reply.json()


def _query(listing: Listing) -> tuple[tuple[str, str], ...]:
    after = (("after", listing.cursor),) if listing.cursor else ()
    return (("limit", str(listing.limit)), ("order", listing.order), *after)
