"""The contract kit on the adapter, over an in-process stand-in of Notes."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

import pytest

from convostore.http import Request, Response
from convostore.models import Conversation, Message, Transcript
from convostore.testing import Backend, StoreContract, StoreFace, both_faces

Row = dict[str, Any]


class NotesService:
    """Answers as Notes does; a deleted thread keeps its place, so that paging goes on behind it."""

    def __init__(self) -> None:
        self.threads: dict[str, Row] = {}
        self.entries: dict[str, list[Row]] = {}

    def seed(self, transcripts: Sequence[Transcript]) -> None:
        for each in transcripts:
            assert each.conversation is not None
            made = each.conversation.created_at and each.conversation.created_at.isoformat()
            row = {"id": each.conversation_id, "subject": each.conversation.title}
            self.threads[each.conversation_id] = row | {"created": made, "changed": made}
            self.entries[each.conversation_id] = [_entry(message) for message in each.messages]

    def handle(self, request: Request) -> Response:
        _, collection, *ids = (unquote(part) for part in request.path.split("/"))
        if collection != "threads":
            return Response(404, {"content-type": "text/html"}, b"<h1>Not Found</h1>")
        if ids and ids[0] not in self.entries:
            return _json(404, {"message": "there is no such thread"})
        match request.method, ids:
            case "GET", []:
                return _page(list(self.threads.values()), request, shown=self.entries)
            case "GET", [thread_id]:
                return _json(200, self.threads[thread_id])
            case "DELETE", [thread_id]:
                del self.entries[thread_id]
                return _json(200, {"deleted": thread_id})
            case "GET", [thread_id, "entries"]:
                rows = self.entries[thread_id]
                return _page(rows, request, shown={row["id"]: row for row in rows})
            case _:
                return _json(405, {"message": "this cannot be done here"})


def _entry(message: Message) -> Row:
    by = "me" if message.role == "user" else "bot"
    at = message.created_at and message.created_at.isoformat()
    return {"id": message.id, "by": by, "text": message.text, "at": at}


def _page(rows: list[Row], request: Request, shown: dict[str, Any]) -> Response:
    query = dict(request.query)
    rows = rows[::-1] if query["order"] == "newest_first" else rows
    if "after" in query:
        places = [place for place, row in enumerate(rows) if row["id"] == query["after"]]
        if not places:
            return _json(400, {"message": "after names nothing of this list"})
        rows = rows[places[0] + 1 :]
    rows = [row for row in rows if row["id"] in shown]
    items = rows[: int(query["limit"])]
    return _json(200, {"items": items, "next": items[-1]["id"] if len(items) < len(rows) else None})


def _json(status: int, body: Row) -> Response:
    return Response(status, {"content-type": "application/json"}, json.dumps(body).encode())


class TestNotes(StoreContract):
    @pytest.fixture
    def backend(self) -> Backend:
        service = NotesService()
        return Backend(
            "notes+http://notes.test",
            service=service.handle,
            seed=service.seed,
            options={"api_key": "not a real one"},
        )


@both_faces
async def test_a_thread_without_a_subject_has_no_title(face: StoreFace) -> None:
    service = NotesService()
    service.seed([Transcript(conversation_id="t1", conversation=Conversation(id="t1"))])
    store = face.open("notes+http://notes.test", service=service.handle, api_key="not a real one")
    assert (await store.get_conversation("t1")).title is None
