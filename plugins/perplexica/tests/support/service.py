"""A stand-in of the service that speaks any of its shapes, built from the contract.

It answers turns as well: what is asked decides what is answered, see `answer_to`.
"""

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
            "content": message.text,
            "messageId": message.id,
            "role": message.role,
            "metadata": json.dumps({"createdAt": iso(message.created_at)}),
        }
        for number, message in enumerate(messages)
    ]


def rows_b(messages: Sequence[Message]) -> list[Row]:
    rows: list[Row] = []
    for message in messages:
        common = {"chatId": "c", "createdAt": js(message.created_at)}
        if message.role == "assistant":
            rows.append(
                common
                | {"role": "source", "messageId": f"s-{message.id}", "content": None, "sources": []}
            )
        rows.append(
            common
            | {
                "role": message.role,
                "messageId": message.id,
                "content": message.text,
                "sources": [],
            }
        )
    return rows


def rows_c(messages: Sequence[Message]) -> list[Row]:
    rows: list[Row] = []
    for message in messages:
        if message.role == "user":
            rows.append(
                {
                    "messageId": message.id,
                    "query": message.text,
                    "createdAt": iso(message.created_at),
                    "responseBlocks": [],
                    "status": "answering",
                }
            )
        else:
            block = {"id": f"b-{message.id}", "type": "text", "data": message.text}
            rows[-1] |= {"responseBlocks": [block], "status": "completed"}
    return rows


SHAPES: dict[str, Callable[[Sequence[Message]], list[Row]]] = {
    "A": rows_a,
    "B": rows_b,
    "C": rows_c,
}


MODELS = {"chat_model": "provider/some/model", "embedding_model": "provider/embedding"}
"""The options that a store needs to let it answer."""

SOURCES = [{"metadata": {"title": "Tides", "url": "https://example.org/tides"}}]
_TIME = "2026-11-20T21:02:18.484Z"
_PIECE = 24


def answer_to(question: str) -> tuple[str, str]:
    """Return the thoughts, which only 1.12 shows, and the text."""
    thought = f"Looking into: {question}" if question.startswith("think") else ""
    return thought, f"You asked: {question} That I know[1]."


def fails(question: str) -> bool:
    """Return whether the model fails midway: the stream then breaks off, and nothing is stored."""
    return question.startswith("fail")


def pieces_of(text: str) -> list[str]:
    return [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]


def lines(*rows: Row) -> bytes:
    return b"".join([json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows])


def streamed_lines(question: str, answer_id: str) -> list[Row]:
    """Return what 1.10 and 1.11 stream."""
    rows = [{"type": "sources", "data": [{"pageContent": "p", **SOURCES[0]}]}]
    rows += [{"type": "message", "data": item} for item in pieces_of(answer_to(question)[1])]
    rows = [row | {"messageId": answer_id} for row in rows]
    return rows[:3] if fails(question) else [*rows, {"type": "messageEnd"}]


def blocks_of(question: str) -> list[Row]:
    """Return the blocks that 1.12 stores."""
    thought, said = answer_to(question)
    steps: list[Row] = [{"id": "s", "type": "searching", "searching": [question]}]
    if thought:
        steps.insert(0, {"id": "r", "type": "reasoning", "reasoning": thought})
    found = [{"content": "p", **SOURCES[0]}]
    steps.append({"id": "f", "type": "search_results", "reading": found})
    return [
        {"id": "research", "type": "research", "data": {"subSteps": steps}},
        {"id": "source", "type": "source", "data": found},
        {"id": "text", "type": "text", "data": said},
    ]


def streamed_blocks(question: str) -> list[Row]:
    """Return what 1.12 streams: each update has the whole value so far."""
    research, source, text = blocks_of(question)
    steps, said = research["data"]["subSteps"], text["data"]
    rows: list[Row] = [{"type": "block", "block": research | {"data": {"subSteps": []}}}]
    rows += [
        _update("research", "/data/subSteps", steps[: place + 1]) for place, _ in enumerate(steps)
    ]
    rows += [{"type": "block", "block": source}, {"type": "researchComplete"}]
    rows.append({"type": "block", "block": text | {"data": ""}})
    ends = [*range(_PIECE, len(said), _PIECE), len(said), len(said)]
    rows += [_update("text", "/data", said[:end]) for end in ends]
    return rows[:-3] if fails(question) else [*rows, {"type": "messageEnd"}]


def _update(block_id: str, path: str, value: object) -> Row:
    patch = [{"op": "replace", "path": path, "value": value}]
    return {"type": "updateBlock", "blockId": block_id, "patch": patch}


class ChatsService:
    """Answers as the real program does: newest inserted first, everything in one answer.

    Attributes:
        received: The bodies of the turns, as they came.
        reads_until_stored: How many times an answer is still missing when its chat is read.
    """

    def __init__(self, shape: str) -> None:
        self._shape = shape
        self._chats: dict[str, Row] = {}
        self.received: list[Row] = []
        self.reads_until_stored = 0
        self._late: list[Callable[[], None]] = []

    def seed(self, transcripts: Sequence[Transcript]) -> None:
        for transcript in transcripts:
            assert transcript.conversation is not None
            conversation = transcript.conversation
            rows = SHAPES[self._shape](transcript.messages)
            self._add(
                transcript.conversation_id, conversation.title, js(conversation.created_at), rows
            )

    def _add(self, chat_id: str, title: str | None, time: str | None, rows: list[Row]) -> None:
        chat = {"id": chat_id, "title": title, "createdAt": time}
        of_this_shape = {"sources": ["web"]} if self._shape == "C" else {"focusMode": "webSearch"}
        self._chats[chat_id] = {"chat": chat | of_this_shape | {"files": []}, "messages": rows}

    def chat(self, chat_id: str) -> Row:
        """Return the row of a chat, as it is kept."""
        chat: Row = self._chats[chat_id]["chat"]
        return chat

    def handle(self, request: Request) -> Response:
        if request.path == "/api/chats":
            newest_first = list(self._chats.values())[::-1]
            return self._reply(200, {"chats": [item["chat"] for item in newest_first]})
        if not request.path.startswith("/api/chats/"):
            return self._other(request)
        chat_id = unquote(request.path.removeprefix("/api/chats/"))
        if chat_id not in self._chats:
            return self._reply(404, {"message": "Chat not found"})
        if request.method == "DELETE":
            del self._chats[chat_id]
            return self._reply(200, {"message": "Chat deleted successfully"})
        reply = self._reply(200, self._chats[chat_id])
        self._come_nearer()
        return reply

    def _come_nearer(self) -> None:
        """Store an answer once it was requested often enough."""
        self.reads_until_stored = max(0, self.reads_until_stored - 1)
        if not self.reads_until_stored:
            while self._late:
                self._late.pop(0)()

    def _other(self, request: Request) -> Response:
        match request.method, request.path:
            case "POST", "/api/chat":
                return self._chat(dict(request.json))
            case "POST", "/api/suggestions":
                asked = len(request.json["chatHistory"])
                return self._reply(200, {"suggestions": ["Why?", f"What of these {asked}?"]})
            case "GET", "/api/models" if self._shape == "A":
                return self._reply(200, {"chatModelProviders": {}, "embeddingModelProviders": {}})
            case "POST", path if path.startswith("/api/reconnect/") and self._shape == "C":
                return self._reply(404, {"message": "Session not found"})
        return Response(404, {"content-type": "text/html"}, b"<!DOCTYPE html><html></html>")

    def _chat(self, body: Row) -> Response:
        self.received.append(body)
        message = body["message"]
        chat_id, turn_id, question = message["chatId"], message["messageId"], message["content"]
        if chat_id not in self._chats:
            self._add(chat_id, question, _TIME, [])
        rows = self._chats[chat_id]["messages"]
        common = {"chatId": chat_id, "messageId": turn_id, "createdAt": _TIME}
        if self._shape == "C":
            row = common | {"query": question, "backendId": f"{turn_id}-backend"}
            rows.append(row | {"responseBlocks": [], "status": "answering"})
            stored = {"responseBlocks": blocks_of(question), "status": "completed"}
            self._store(question, lambda: rows[-1].update(stored))
            return self._stream(streamed_blocks(question))
        answer_id = f"{turn_id}a"
        rows += self._rows(common | {"role": "user", "content": question}, None)
        answer = common | {"messageId": answer_id, "role": "assistant"}
        answer["content"] = answer_to(question)[1]
        sources = [{"pageContent": "p", **SOURCES[0]}]
        self._store(question, lambda: rows.extend(self._rows(answer, sources)))
        return self._stream(streamed_lines(question, answer_id))

    def _rows(self, row: Row, sources: list[Row] | None) -> list[Row]:
        """Return a message's row as 1.10 or 1.11 stores it."""
        if self._shape == "A":
            metadata: Row = {"createdAt": row["createdAt"]}
            if sources is not None:
                metadata["sources"] = sources
            return [
                {name: row[name] for name in row if name != "createdAt"}
                | {"metadata": json.dumps(metadata)}
            ]
        before = {"role": "source", "content": None, "sources": sources}
        of_sources = [row | before | {"messageId": f"{row['messageId']}s"}]
        return [*(of_sources if sources is not None else []), row | {"sources": []}]

    def _store(self, question: str, store: Callable[[], None]) -> None:
        if fails(question):
            return
        if self.reads_until_stored:
            self._late.append(store)
        else:
            store()

    def _reply(self, status: int, body: Row) -> Response:
        return Response(status, JSON_TYPE, json.dumps(body).encode())

    def _stream(self, rows: list[Row]) -> Response:
        return Response(200, {"content-type": "text/event-stream"}, lines(*rows))
