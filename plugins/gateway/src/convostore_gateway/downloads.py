"""Conversations as files that are sent while they are read: only some messages are held at a time.

What a file looks like stands in `convostore.formats`; here it is fed and carried.
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from starlette.responses import StreamingResponse

from convostore.errors import NotFoundError
from convostore.formats import Writer, writer
from convostore.models import Conversation, Message
from convostore.store import AsyncConversationStore

_TOGETHER: Final = 50
"""How many messages are written at a time, in a thread: Markdown takes its time."""
_PIECE: Final = 64 * 1024
"""About how many characters are sent at a time."""


@dataclass(frozen=True, slots=True)
class _File:
    suffix: str
    media_type: str


_FILES: Final = {
    "jsonl": _File("jsonl", "application/x-ndjson"),
    "openai": _File("jsonl", "application/x-ndjson"),
    "markdown": _File("md", "text/markdown; charset=utf-8"),
    "html": _File("html", "text/html; charset=utf-8"),
}
_PAGE_POLICY: Final = (
    # The page names its one style sheet by its hash, in a policy of its own.
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


async def export_one(
    store: AsyncConversationStore, conversation_id: str, *, format: str, raw: bool
) -> StreamingResponse:
    """Makes the answer that is one conversation as a file.

    Raises:
        StoreError: It cannot be read; later on, the answer breaks off.
    """
    conversation = await store.get_conversation(conversation_id)
    name = conversation.title or conversation.id
    return await _sent(_one(store, conversation, writer(format, raw=raw)), name, format)


async def export_all(store: AsyncConversationStore, *, format: str, raw: bool) -> StreamingResponse:
    """Makes the answer that is all conversations as one file.

    Raises:
        StoreError: They cannot be read; later on, the answer breaks off.
    """
    return await _sent(_all(store, writer(format, raw=raw)), "conversations", format)


def disposition(name: str, suffix: str) -> str:
    """A ``Content-Disposition`` that saves a file under any name (RFC 6266)."""
    printable = "".join([each if each.isprintable() else " " for each in name])
    cleaned = re.sub(r'[\s/\\:*?"<>|]+', " ", printable).strip(" .")[:100] or "conversation"
    plain = unicodedata.normalize("NFKD", cleaned).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^\w .,()+-]", "_", plain).strip(" .") or "conversation"
    full = quote(f"{cleaned}.{suffix}".encode("utf-8", "replace"), safe="")
    return f"attachment; filename=\"{plain}.{suffix}\"; filename*=UTF-8''{full}"


async def _sent(texts: AsyncGenerator[str], name: str, format: str) -> StreamingResponse:
    """The answer, once its first piece is there: until then an error can still be told."""
    file = _FILES[format]
    pieces = _together(texts)
    first = await anext(pieces)
    headers = {"content-disposition": disposition(name, file.suffix)}
    if format == "html":
        headers["content-security-policy"] = _PAGE_POLICY
    return StreamingResponse(_led(first, pieces), headers=headers, media_type=file.media_type)


async def _led(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    async with aclosing(rest):
        yield first
        async for piece in rest:
            yield piece


async def _one(
    store: AsyncConversationStore, conversation: Conversation, to: Writer
) -> AsyncGenerator[str]:
    yield to.start(conversation)
    async with aclosing(_conversation(store, conversation, to)) as pieces:
        async for piece in pieces:
            yield piece
    yield to.end()


async def _all(store: AsyncConversationStore, to: Writer) -> AsyncGenerator[str]:
    yield to.start()
    async for conversation in store.conversations():
        is_begun = False
        async with aclosing(_conversation(store, conversation, to)) as pieces:
            try:
                async for piece in pieces:
                    is_begun = True
                    yield piece
            except NotFoundError:  # it was deleted after the list showed it
                if is_begun:
                    yield to.end_conversation()
        await asyncio.sleep(0)  # not every store waits for something, and others have their turn
    yield await asyncio.to_thread(to.end)


async def _conversation(
    store: AsyncConversationStore, conversation: Conversation, to: Writer
) -> AsyncGenerator[str]:
    """The pieces of one conversation; none where it turns out not to be there."""
    async with aclosing(_batches(store, conversation.id)) as batches:
        batch: list[Message] = await anext(batches, [])
        yield to.conversation(conversation)
        while batch:
            yield await asyncio.to_thread(_written, batch, to)
            batch = await anext(batches, [])
    yield to.end_conversation()


async def _batches(
    store: AsyncConversationStore, conversation_id: str
) -> AsyncGenerator[list[Message]]:
    batch: list[Message] = []
    async for message in store.messages(conversation_id):
        batch.append(message)
        if len(batch) == _TOGETHER:
            yield batch
            batch = []
    if batch:
        yield batch


def _written(batch: Sequence[Message], to: Writer) -> str:
    return "".join(map(to.message, batch))


async def _together(pieces: AsyncGenerator[str]) -> AsyncGenerator[bytes]:
    """The pieces, small ones joined, as bytes."""
    held: list[str] = []
    async with aclosing(pieces):
        async for piece in pieces:
            held.append(piece)
            if sum(map(len, held)) >= _PIECE:
                yield _bytes(held)
                held.clear()
    yield _bytes(held)


def _bytes(pieces: Sequence[str]) -> bytes:
    return "".join(pieces).encode("utf-8", "replace")
