"""Conversations and messages encoded in the format of 1.10.0 to 1.11.0-rc2 (A2).

The inverse of `schema.chats`. Data for which the format has no field is left out without a
replacement: a row's content is the message's text. No request and no response here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

from convostore.models import JSON, Conversation, FilePart, Message, Source
from convostore.parsing import Row, non_empty_text
from convostore.serialization import to_json

_FOCUS: Final = "webSearch"
_FILE_ID: Final = "file_id://"


def chat_row(conversation: Conversation) -> Row:
    """Encode a conversation, with the keys in the service's order.

    An unknown time of creation is replaced by that of the last change, as the service's pages show
    no other time.
    """
    time = conversation.created_at or conversation.updated_at
    return {
        "id": conversation.id,
        "title": conversation.title or "",
        "createdAt": _js_date(time) if time else "",
        "focusMode": non_empty_text(conversation.raw, "focusMode") or _FOCUS,
        "files": [_file(file) for file in conversation.files],
    }


def message_row(message: Message, number: int, conversation_id: str) -> Row:
    """Encode a message; the service numbers the rows of all chats together."""
    return {
        "id": number,
        "content": message.text,
        "chatId": conversation_id,
        "messageId": message.id,
        "role": message.role,
        "metadata": encode_json(_metadata(message)),
    }


def encode_json(data: JSON) -> str:
    """Encode JSON as JavaScript does, with only lone surrogates escaped.

    Raises:
        InvalidError: The data is not JSON.
    """
    text = to_json(data, ascii_only=False)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _metadata(message: Message) -> Row:
    metadata: Row = {}
    if message.created_at is not None:
        time = message.created_at.astimezone(UTC)
        metadata["createdAt"] = time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if sources := [_source(source) for source in _citable(message)]:
        metadata["sources"] = sources
    return metadata


def _citable(message: Message) -> Iterator[Source]:
    """Yield the sources that `[1]`, `[2]`, … cite by place; others would seem to be cited."""
    yield from (source for source in message.sources if source.kind == "cited")
    yield from (source for source in message.sources if source.kind == "quote")


def _source(source: Source) -> Row:
    """Encode a source, without keys for what it lacks."""
    of_service = source.raw.get("metadata") if isinstance(source.raw, dict) else None
    metadata = {
        "title": source.title,
        "url": source.url,
        "img_src": non_empty_text(of_service, "img_src"),
    }
    row: Row = {} if source.content is None else {"pageContent": source.content}
    row["metadata"] = {name: value for name, value in metadata.items() if value is not None}
    return row


def _file(file: FilePart) -> Row:
    """Encode a file; only one that the service stores has an id."""
    url = file.url or ""
    if url.startswith(_FILE_ID):
        return {"name": file.name or "", "fileId": url.removeprefix(_FILE_ID)}
    return {"name": file.name or url}


def _js_date(time: datetime) -> str:
    """Encode a time as `Date.toString()` does on a server in UTC."""
    day, date, month, year, clock, _ = format_datetime(time.astimezone(UTC), usegmt=True).split()
    return f"{day[:3]} {month} {date} {year} {clock} GMT+0000 (Coordinated Universal Time)"
