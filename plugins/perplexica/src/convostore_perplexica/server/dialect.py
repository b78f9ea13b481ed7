"""The dialect: what `/api/chats` answers, out of any store, as Perplexica 1.10 on Express did.

List, read and delete; the service has nothing else on these paths, and no access control: how a
token that is missing or refused is answered is our own, in its style.
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
from .express import json_answer, malformed_address, unknown_route
from .render import chat_row, message_row, written

T = TypeVar("T")

_ADDRESS: Final = re.compile(re.escape(CHATS_PATH) + "(?:/([^/]+))?/?")
_NOT_ENCODED: Final = re.compile("%(?![0-9A-Fa-f]{2})")
_AT_A_TIME: Final = 100
"""How many rows are written before others get their turn."""
_LARGE: Final = 2**18
"""Characters of an answer that take their time."""


class PerplexicaDialect(Dialect):
    """Serves `/api/chats` and all below it."""

    name: ClassVar[str] = "perplexica"

    def serves(self, request: IncomingRequest) -> bool:
        return request.path == CHATS_PATH or request.path.startswith(f"{CHATS_PATH}/")

    def handle(self, request: IncomingRequest) -> DialectFlow[DialectResponse]:
        if request.method == "OPTIONS":
            return Response(204, {"allow": "GET, HEAD, DELETE"})
        address = _ADDRESS.fullmatch(request.path)
        if address is None:
            return unknown_route(request)
        try:
            chat_id = _decoded(address[1] or "")
        except ValueError:
            return malformed_address(request)
        match request.method:
            case "GET" | "HEAD":
                return (yield from _read(request, chat_id) if chat_id else _list(request))
            case "DELETE" if chat_id:  # never the list: an id that got lost must delete nothing
                return (yield from _delete(request, chat_id))
        return unknown_route(request)

    def failed(self, request: IncomingRequest, error: StoreError) -> Response:
        match error:
            case UnsupportedError():
                return unknown_route(request)  # as the releases that could not delete
            case ForbiddenError():
                status, said, challenge = 403, "This token may not do that", _INSUFFICIENT
            case AuthError(adapter=None):  # not that of the backend's own credential
                status, said, challenge = 401, "A valid token is needed", _BEARER
            case NotFoundError():
                status, said, challenge = 404, "Chat not found", {}
            case InvalidError():
                status, said, challenge = 400, "Invalid request", {}
            case _:
                status, said, challenge = 500, "An error has occurred.", {}
        return _message(request, status, said, challenge)


_BEARER: Final = {"www-authenticate": "Bearer"}
_INSUFFICIENT: Final = {"www-authenticate": 'Bearer error="insufficient_scope"'}


def _decoded(segment: str) -> str:
    """An id of an address.

    Raises:
        ValueError: It is not percent-encoded UTF-8.
    """
    if _NOT_ENCODED.search(segment):
        raise ValueError("a percent sign stands for nothing")
    return unquote(segment, errors="strict")


def _list(request: IncomingRequest) -> DialectFlow[Response]:
    return (yield from ask(lambda store: _chats(request, store)))


def _read(request: IncomingRequest, chat_id: str) -> DialectFlow[Response]:
    return (yield from ask(lambda store: _chat(request, store, chat_id)))


def _delete(request: IncomingRequest, chat_id: str) -> DialectFlow[Response]:
    """Deletes a chat that is there, even one that cannot be read.

    Raises:
        NotFoundError: It is not there.
    """
    with suppress(ProtocolError):
        yield from ask(lambda store: store.get_conversation(chat_id))
    yield from ask(lambda store: store.delete_conversation(chat_id))
    return _message(request, 200, "Chat deleted successfully")


def _message(
    request: IncomingRequest, status: int, said: str, headers: dict[str, str] | None = None
) -> Response:
    return json_answer(request, status, written({"message": said}), headers)


async def _chats(request: IncomingRequest, store: AsyncConversationStore) -> Response:
    chats = await _written(store.conversations(), chat_row)
    return await _listed(request, '{"chats":', chats)


async def _chat(request: IncomingRequest, store: AsyncConversationStore, chat_id: str) -> Response:
    chat = written(chat_row(await store.get_conversation(chat_id)))
    numbers = count(1)
    messages = await _written(
        store.messages(chat_id), lambda each: message_row(each, next(numbers), chat_id)
    )
    return await _listed(request, f'{{"chat":{chat},"messages":', messages)


async def _written(items: AsyncIterator[T], row: Callable[[T], Row]) -> list[str]:
    """Each item as JSON; others of the event loop get their turn between them."""
    rows: list[str] = []
    async for item in items:
        rows.append(written(row(item)))
        if len(rows) % _AT_A_TIME == 0:
            await asyncio.sleep(0)
    return rows


async def _listed(request: IncomingRequest, before: str, rows: list[str]) -> Response:
    """An answer that ends in a list; a large one is put together beside the event loop."""

    def answer() -> Response:
        return json_answer(request, 200, f"{before}[{','.join(rows)}]}}")

    is_large = sum(map(len, rows)) > _LARGE
    return await asyncio.to_thread(answer) if is_large else answer()
