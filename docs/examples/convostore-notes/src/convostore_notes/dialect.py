"""The dialect of `notes://`: the answers of Notes, from any store."""

from collections.abc import Callable

from convostore.dialects import Dialect, DialectFlow, IncomingRequest
from convostore.errors import InvalidError, NotFoundError, StoreError
from convostore.http import Response, status_of
from convostore.models import JSON, Conversation, Listing, Message, Page
from convostore.serialization import to_json
from convostore.store import ask


class NotesDialect(Dialect):
    name = "notes"

    def serves(self, request: IncomingRequest) -> bool:
        return request.path == "/threads" or request.path.startswith("/threads/")

    def handle(self, request: IncomingRequest) -> DialectFlow[Response]:
        match request.method, request.segments:
            case "GET", ("threads",):
                listing = _listing(request)
                page = yield from ask(
                    lambda store: store.list_conversations(
                        limit=listing.limit or 50, cursor=listing.cursor
                    )
                )
                return _answer(200, _page(page, _thread))
            case "GET", ("threads", thread_id):
                conversation = yield from ask(lambda store: store.get_conversation(thread_id))
                return _answer(200, _thread(conversation))
            case "GET", ("threads", thread_id, "entries"):
                listing = _listing(request)
                entries = yield from ask(
                    lambda store: store.list_messages(
                        thread_id,
                        limit=listing.limit or 50,
                        cursor=listing.cursor,
                        order=listing.order,
                    )
                )
                return _answer(200, _page(entries, _entry))
            case "DELETE", ("threads", thread_id):
                yield from ask(lambda store: store.get_conversation(thread_id))
                yield from ask(lambda store: store.delete_conversation(thread_id))
                return _answer(200, {"deleted": thread_id})
            case _:
                raise NotFoundError("there is nothing of that address")

    def failed(self, request: IncomingRequest, error: StoreError) -> Response:
        status = status_of(error)
        # A failure of the store behind may name its hosts and files: these stay inside.
        return _answer(status, {"message": str(error) if status < 500 else "it failed inside"})


def _listing(request: IncomingRequest) -> Listing:
    limit = request.parameters.get("limit", "50")
    if not limit.isascii() or not limit.isdecimal() or len(limit) > 4:
        raise InvalidError("limit is a number of at most four digits")
    newest_first = request.parameters.get("order") == "newest_first"
    return Listing(
        limit=int(limit),
        cursor=request.parameters.get("after"),
        order="newest_first" if newest_first else "oldest_first",
    )


def _page(page: Page[JSON], row: Callable[[JSON], JSON]) -> JSON:
    return {"items": [row(each) for each in page.items], "next": page.cursor}


def _thread(conversation: Conversation) -> JSON:
    created, changed = conversation.created_at, conversation.last_active_at
    return {
        "id": conversation.id,
        "subject": conversation.title,
        "created": created and created.isoformat(),
        "changed": changed and changed.isoformat(),
    }


def _entry(message: Message) -> JSON:
    return {
        "id": message.id,
        "by": "me" if message.role == "user" else "bot",
        "text": message.text,
        "at": message.created_at and message.created_at.isoformat(),
    }


def _answer(status: int, body: JSON) -> Response:
    return Response(status, {"content-type": "application/json"}, to_json(body).encode())
