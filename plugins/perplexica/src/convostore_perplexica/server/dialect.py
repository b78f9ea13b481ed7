"""Perplexica's dialect: `/api/chats` over any store, as Perplexica 1.10 on Express answered it.

List, read and delete are all that the service has at these paths. It has no access control either:
the answers to a missing or refused token are ours, in its style. No row is encoded here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from itertools import count
from typing import ClassVar, Final, TypeVar
from urllib.parse import unquote

from convostore.dialects import Dialect, DialectFlow, DialectResponse, IncomingRequest
from convostore.errors import (
    AuthError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    ProtocolError,
    StoreError,
    UnsupportedError,
)
from convostore.http import Response
from convostore.parsing import Row
from convostore.store import AsyncConversationStore, ask

from ..api.paths import CHATS_PATH
from .express import json_response, malformed_path, unknown_route
from .render import chat_row, encode_json, message_row

T = TypeVar("T")

_PATH: Final = re.compile(re.escape(CHATS_PATH) + "(?:/([^/]+))?/?")
_NOT_ENCODED: Final = re.compile("%(?![0-9A-Fa-f]{2})")
_AT_A_TIME: Final = 100
"""Rows that are encoded before other tasks get their turn."""
_LARGE: Final = 2**18
"""Characters of a body from which on it is encoded in a thread."""


class PerplexicaDialect(Dialect):
    """The dialect of `/api/chats` and all paths below it."""

    name: ClassVar[str] = "perplexica"

    def serves(self, request: IncomingRequest) -> bool:
        return request.path == CHATS_PATH or request.path.startswith(f"{CHATS_PATH}/")

    def handle(self, request: IncomingRequest) -> DialectFlow[DialectResponse]:
        if request.method == "OPTIONS":
            return Response(204, {"allow": "GET, HEAD, DELETE"})
        match = _PATH.fullmatch(request.path)
        if match is None:
            return unknown_route(request)
        try:
            chat_id = _decode_id(match[1] or "")
        except ValueError:
            return malformed_path(request)
        match request.method:
            case "GET" | "HEAD":
                return (yield from _read(request, chat_id) if chat_id else _list(request))
            case "DELETE" if chat_id:  # never the list: a lost id must delete nothing
                return (yield from _delete(request, chat_id))
        return unknown_route(request)

    def failed(self, request: IncomingRequest, error: StoreError) -> Response:
        match error:
            case UnsupportedError():
                return unknown_route(request)  # like the releases that could not delete
            case ForbiddenError():
                status, text, challenge = 403, "This token may not do that", _INSUFFICIENT
            case AuthError(adapter=None):  # not an error about the backend's credential
                status, text, challenge = 401, "A valid token is needed", _BEARER
            case NotFoundError():
                status, text, challenge = 404, "Chat not found", {}
            case InvalidError():
                status, text, challenge = 400, "Invalid request", {}
            case _:
                status, text, challenge = 500, "An error has occurred.", {}
        return _message(request, status, text, challenge)


_BEARER: Final = {"www-authenticate": "Bearer"}
_INSUFFICIENT: Final = {"www-authenticate": 'Bearer error="insufficient_scope"'}


def _decode_id(segment: str) -> str:
    """Decode an id in a path.

    Raises:
        ValueError: It is not percent-encoded UTF-8.
    """
    if _NOT_ENCODED.search(segment):
        raise ValueError("invalid percent-encoding")
    return unquote(segment, errors="strict")


def _list(request: IncomingRequest) -> DialectFlow[Response]:
    return (yield from ask(lambda store: _chats(request, store)))


def _read(request: IncomingRequest, chat_id: str) -> DialectFlow[Response]:
    return (yield from ask(lambda store: _chat(request, store, chat_id)))


def _delete(request: IncomingRequest, chat_id: str) -> DialectFlow[Response]:
    """Delete a chat that exists, even one that cannot be parsed.

    Raises:
        NotFoundError: It does not exist.
    """
    # A store counts an absent chat as deleted; the service answers 404.
    with suppress(ProtocolError):
        yield from ask(lambda store: store.get_conversation(chat_id))
    yield from ask(lambda store: store.delete_conversation(chat_id))
    return _message(request, 200, "Chat deleted successfully")


def _message(
    request: IncomingRequest, status: int, text: str, headers: dict[str, str] | None = None
) -> Response:
    return json_response(request, status, encode_json({"message": text}), headers)


async def _chats(request: IncomingRequest, store: AsyncConversationStore) -> Response:
    chats = await _encode_rows(store.conversations(), chat_row)
    return await _list_response(request, '{"chats":', chats)


async def _chat(request: IncomingRequest, store: AsyncConversationStore, chat_id: str) -> Response:
    chat = encode_json(chat_row(await store.get_conversation(chat_id)))
    numbers = count(1)
    messages = await _encode_rows(
        store.messages(chat_id), lambda message: message_row(message, next(numbers), chat_id)
    )
    return await _list_response(request, f'{{"chat":{chat},"messages":', messages)


async def _encode_rows(items: AsyncIterator[T], row: Callable[[T], Row]) -> list[str]:
    """Encode each item as JSON; other tasks of the event loop run in between."""
    rows: list[str] = []
    async for item in items:
        rows.append(encode_json(row(item)))
        if len(rows) % _AT_A_TIME == 0:
            await asyncio.sleep(0)
    return rows


async def _list_response(request: IncomingRequest, before: str, rows: list[str]) -> Response:
    """Make a response that ends in a list; a large one is encoded in a thread."""

    def answer() -> Response:
        return json_response(request, 200, f"{before}[{','.join(rows)}]}}")

    is_large = sum(map(len, rows)) > _LARGE
    return await asyncio.to_thread(answer) if is_large else answer()
