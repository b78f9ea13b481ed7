"""A stand-in of the `/api/chats` service that speaks any of its shapes, built from the contract."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from convostore.http import Request, Response
from convostore.models import Message, Transcript

Row = dict[str, Any]
JSON_TYPE = {"content-type": "application/json"}


def iso(time: datetime | None) -> str | None:
    return time and time.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def js(time: datetime | None) -> str | None:
    return time and time.strftime("%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)")


def rows_a(messages: Sequence[Message]) -> list[Row]:
    return [
        {
            "id": number,
            "content": each.text,
            "messageId": each.id,
            "role": each.role,
            "metadata": json.dumps({"createdAt": iso(each.created_at)}),
        }
        for number, each in enumerate(messages)
    ]


def rows_b(messages: Sequence[Message]) -> list[Row]:
    rows: list[Row] = []
    for each in messages:
        common = {"chatId": "c", "createdAt": js(each.created_at)}
        if each.role == "assistant":
            rows.append(
                common
                | {"role": "source", "messageId": f"s-{each.id}", "content": None, "sources": []}
            )
        rows.append(
            common | {"role": each.role, "messageId": each.id, "content": each.text, "sources": []}
        )
    return rows


def rows_c(messages: Sequence[Message]) -> list[Row]:
    rows: list[Row] = []
    for each in messages:
        if each.role == "user":
            rows.append(
                {
                    "messageId": each.id,
                    "query": each.text,
                    "createdAt": iso(each.created_at),
                    "responseBlocks": [],
                    "status": "answering",
                }
            )
        else:
            block = {"id": f"b-{each.id}", "type": "text", "data": each.text}
            rows[-1] |= {"responseBlocks": [block], "status": "completed"}
    return rows


SHAPES: dict[str, Callable[[Sequence[Message]], list[Row]]] = {
    "A": rows_a,
    "B": rows_b,
    "C": rows_c,
}


class ChatsService:
    """Answers as the real program does: newest inserted first, everything in one answer."""

    def __init__(self, shape: str) -> None:
        self._shape = shape
        self._chats: dict[str, Row] = {}

    def seed(self, transcripts: Sequence[Transcript]) -> None:
        for each in transcripts:
            assert each.conversation is not None
            time = js(each.conversation.created_at)
            chat = {"id": each.conversation_id, "title": each.conversation.title}
            chat |= {"createdAt": time, "focusMode": "webSearch", "files": []}
            rows = SHAPES[self._shape](each.messages)
            self._chats[each.conversation_id] = {"chat": chat, "messages": rows}

    def handle(self, request: Request) -> Response:
        if request.path == "/api/chats":
            newest_first = list(self._chats.values())[::-1]
            return self._reply(200, {"chats": [each["chat"] for each in newest_first]})
        chat_id = unquote(request.path.removeprefix("/api/chats/"))
        if chat_id not in self._chats:
            return self._reply(404, {"message": "Chat not found"})
        if request.method == "DELETE":
            del self._chats[chat_id]
            return self._reply(200, {"message": "Chat deleted successfully"})
        return self._reply(200, self._chats[chat_id])

    def _reply(self, status: int, body: Row) -> Response:
        return Response(status, JSON_TYPE, json.dumps(body).encode())
