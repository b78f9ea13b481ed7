"""A small HTTP service and its adapter, both right: what the mutants over HTTP spoil."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar
from urllib.parse import unquote

from convostore.adapters import Traits, paginate
from convostore.http import HTTPAdapter, HTTPFlow, Request, Response, path
from convostore.models import Conversation, Listing, Message, Page, TextPart, Transcript

_JSON = {"content-type": "application/json"}


class SampleService:
    """Holds chats; answers ``GET /chats``, and ``GET``, ``POST`` and ``DELETE /chats/{id}``."""

    def __init__(self) -> None:
        self._chats: dict[str, Transcript] = {}

    def seed(self, transcripts: Sequence[Transcript]) -> None:
        """Puts conversations in."""
        self._chats.update({each.conversation_id: each for each in transcripts})

    def handle(self, request: Request) -> Response:
        """Answers one request."""
        if request.path == "/chats":
            return _reply(200, {"chats": [_chat(each) for each in self._chats.values()]})
        chat_id = unquote(request.path.removeprefix("/chats/"))
        if chat_id not in self._chats:
            return _reply(404, {"message": "no such chat"})
        if request.method == "DELETE":
            del self._chats[chat_id]
            return _reply(200, {})
        if request.method == "POST":
            return _reply(200, {})
        chat = self._chats[chat_id]
        rows = [[each.id, each.role, each.text] for each in chat.messages]
        return _reply(200, {"chat": _chat(chat), "messages": rows})


def _reply(status: int, body: object) -> Response:
    return Response(status, _JSON, json.dumps(body).encode())


def _chat(transcript: Transcript) -> dict[str, object]:
    title = transcript.conversation.title if transcript.conversation else None
    return {"id": transcript.conversation_id, "title": title}


class SampleAdapter(HTTPAdapter):
    """Reads and deletes what a `SampleService` holds."""

    name: ClassVar[str] = "sample"
    traits = Traits(paging="whole")

    def list_conversations(self, listing: Listing) -> HTTPFlow[Page[Conversation]]:
        reply = yield Request("GET", "/chats")
        found = reply.read(lambda body: [Conversation(**chat) for chat in body["chats"]])
        return paginate(found, listing, key=lambda each: each.id)

    def get_conversation(self, conversation_id: str) -> HTTPFlow[Conversation]:
        reply = yield Request("GET", path("/chats/{}", conversation_id))
        return reply.read(lambda body: Conversation(**body["chat"]))

    def list_messages(self, conversation_id: str, listing: Listing) -> HTTPFlow[Page[Message]]:
        reply = yield Request("GET", path("/chats/{}", conversation_id))
        messages = [
            Message(id=row, role=role, parts=(TextPart(text=text),))
            for row, role, text in reply.json()["messages"]
        ]
        return paginate(messages, listing, key=lambda each: each.id)

    def delete_conversation(self, conversation_id: str) -> HTTPFlow[None]:
        reply = yield Request("DELETE", path("/chats/{}", conversation_id))
        reply.json()
