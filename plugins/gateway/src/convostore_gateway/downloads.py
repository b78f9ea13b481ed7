"""Downloads: conversations streamed as files while they are read, in bounded memory.

The formats of files belong in `convostore.formats`.
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

_BATCH: Final = 50
"""Messages that are written at a time, in a thread: Markdown takes long."""
_CHUNK: Final = 64 * 1024
"""About the number of characters that are sent at a time."""


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
    # The page itself also has a policy, which names its only style sheet by hash.
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


async def export_one(
    store: AsyncConversationStore, conversation_id: str, *, format: str, raw: bool
) -> StreamingResponse:
    """Return a response that streams one conversation as a file.

    Raises:
        StoreError: The conversation cannot be read; after the first chunk the response breaks off.
    """
    conversation = await store.get_conversation(conversation_id)
    name = conversation.title or conversation.id
    return await _respond(_one(store, conversation, writer(format, raw=raw)), name, format)


async def export_all(store: AsyncConversationStore, *, format: str, raw: bool) -> StreamingResponse:
    """Return a response that streams all conversations as one file.

    Raises:
        StoreError: The list cannot be read; after the first chunk the response breaks off.
    """
    return await _respond(_all(store, writer(format, raw=raw)), "conversations", format)


def disposition(name: str, suffix: str) -> str:
    """Return a ``Content-Disposition`` that saves a file under any name (RFC 6266)."""
    printable = "".join([character if character.isprintable() else " " for character in name])
    cleaned = re.sub(r'[\s/\\:*?"<>|]+', " ", printable).strip(" .")[:100] or "conversation"
    plain = unicodedata.normalize("NFKD", cleaned).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^\w .,()+-]", "_", plain).strip(" .") or "conversation"
    full = quote(f"{cleaned}.{suffix}".encode("utf-8", "replace"), safe="")
    return f"attachment; filename=\"{plain}.{suffix}\"; filename*=UTF-8''{full}"


async def _respond(texts: AsyncGenerator[str], name: str, format: str) -> StreamingResponse:
    """Return the response once its first chunk is there: until then errors can be reported."""
    file = _FILES[format]
    chunks = _chunks(texts)
    first = await anext(chunks)
    headers = {"content-disposition": disposition(name, file.suffix)}
    if format == "html":
        headers["content-security-policy"] = _PAGE_POLICY
    return StreamingResponse(_prepend(first, chunks), headers=headers, media_type=file.media_type)


async def _prepend(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    async with aclosing(rest):
        yield first
        async for chunk in rest:
            yield chunk


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
        has_started = False
        async with aclosing(_conversation(store, conversation, to)) as pieces:
            try:
                async for piece in pieces:
                    has_started = True
                    yield piece
            except NotFoundError:  # deleted after the list showed it
                if has_started:
                    yield to.end_conversation()
        await asyncio.sleep(0)  # a store that never waits would keep other requests from running
    yield await asyncio.to_thread(to.end)


async def _conversation(
    store: AsyncConversationStore, conversation: Conversation, to: Writer
) -> AsyncGenerator[str]:
    """Yield the pieces of one conversation, or none if its first page is not found."""
    async with aclosing(_batches(store, conversation.id)) as batches:
        batch: list[Message] = await anext(batches, [])
        yield to.conversation(conversation)
        while batch:
            yield await asyncio.to_thread(_write, batch, to)
            batch = await anext(batches, [])
    yield to.end_conversation()


async def _batches(
    store: AsyncConversationStore, conversation_id: str
) -> AsyncGenerator[list[Message]]:
    batch: list[Message] = []
    async for message in store.messages(conversation_id):
        batch.append(message)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _write(batch: Sequence[Message], to: Writer) -> str:
    return "".join(map(to.message, batch))


async def _chunks(pieces: AsyncGenerator[str]) -> AsyncGenerator[bytes]:
    """Yield the pieces as bytes, small ones joined."""
    buffer: list[str] = []
    async with aclosing(pieces):
        async for piece in pieces:
            buffer.append(piece)
            if sum(map(len, buffer)) >= _CHUNK:
                yield _bytes(buffer)
                buffer.clear()
    yield _bytes(buffer)


def _bytes(pieces: Sequence[str]) -> bytes:
    return "".join(pieces).encode("utf-8", "replace")
