"""The adapter of `notes://`: the requests of each operation, and the parsing of their answers."""

from collections.abc import Callable
from typing import Any

from pydantic import SecretStr

from convostore import Conversation, Listing, Message, Page, Traits
from convostore.http import HTTPAdapter, HTTPFlow, HTTPOptions, Request, path
from convostore.parsing import Row, read_time


class NotesOptions(HTTPOptions):
    api_key: SecretStr


class Notes(HTTPAdapter):
    name = "notes"
    Options = NotesOptions
    traits = Traits(paging="native", updated_at="content", max_page=100)

    def authorization(self) -> str:
        return f"Bearer {self.options.api_key.get_secret_value()}"

    def list_conversations(self, listing: Listing) -> HTTPFlow[Page[Conversation]]:
        reply = yield Request("GET", "/threads", query=_query(listing))
        return reply.read(lambda body: _page(body, _thread))

    def get_conversation(self, conversation_id: str) -> HTTPFlow[Conversation]:
        reply = yield Request("GET", path("/threads/{}", conversation_id))
        return reply.read(_thread)

    def list_messages(self, conversation_id: str, listing: Listing) -> HTTPFlow[Page[Message]]:
        entries = path("/threads/{}/entries", conversation_id)
        reply = yield Request("GET", entries, query=_query(listing))
        return reply.read(lambda body: _page(body, _entry))

    def delete_conversation(self, conversation_id: str) -> HTTPFlow[None]:
        reply = yield Request("DELETE", path("/threads/{}", conversation_id))
        reply.json()


def _query(listing: Listing) -> tuple[tuple[str, str], ...]:
    after = (("after", listing.cursor),) if listing.cursor else ()
    return (("limit", str(listing.limit)), ("order", listing.order), *after)


def _page(body: Row, read: Callable[[Row], Any]) -> Page[Any]:
    return Page(items=tuple(map(read, body["items"])), cursor=body["next"])


def _thread(row: Row) -> Conversation:
    times: Row = {"created_at": read_time(row["created"]), "updated_at": read_time(row["changed"])}
    return Conversation(id=row["id"], title=row["subject"], **times, raw=row)


def _entry(row: Row) -> Message:
    message = Message.user if row["by"] == "me" else Message.assistant
    return message(row["text"], id=row["id"], created_at=read_time(row["at"]), raw=row)
