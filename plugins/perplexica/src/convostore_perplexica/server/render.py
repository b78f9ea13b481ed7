"""The schema as `/api/chats` said it from 1.10.0 to 1.11.0-rc2 (shape A2): what `wire` reads back.

What that shape has no place for is left out, and nothing is put in its place: a row's content is
the message's text. Only values become rows here; no request and no answer.
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
    """A conversation, in the order of the service's keys.

    Where no time of its making is known, that of its last change stands in: the service's pages
    show no other.
    """
    time = conversation.created_at or conversation.updated_at
    return {
        "id": conversation.id,
        "title": conversation.title or "",
        "createdAt": _js_date(time) if time else "",
        "focusMode": non_empty_text(conversation.raw, "focusMode") or _FOCUS,
        "files": [_file(each) for each in conversation.files],
    }


def message_row(message: Message, number: int, conversation_id: str) -> Row:
    """A message; its number is the row's, which the service counts through all chats."""
    return {
        "id": number,
        "content": message.text,
        "chatId": conversation_id,
        "messageId": message.id,
        "role": message.role,
        "metadata": written(_metadata(message)),
    }


def written(data: JSON) -> str:
    """Writes JSON as the service's own runtime does: only lone surrogates are escaped.

    Raises:
        InvalidError: It is no JSON.
    """
    text = to_json(data, ascii_only=False)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _metadata(message: Message) -> Row:
    metadata: Row = {}
    if message.created_at is not None:
        time = message.created_at.astimezone(UTC)
        metadata["createdAt"] = time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if sources := [_source(each) for each in _citable(message)]:
        metadata["sources"] = sources
    return metadata


def _citable(message: Message) -> Iterator[Source]:
    """What `[1]`, `[2]`, … stand for by its place; what was only researched would be cited."""
    yield from (each for each in message.sources if each.kind == "cited")
    yield from (each for each in message.sources if each.kind == "quote")


def _source(source: Source) -> Row:
    """A source; what it does not have is a key that is not there."""
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
    """A file; only of one that the service made there is an id."""
    url = file.url or ""
    if url.startswith(_FILE_ID):
        return {"name": file.name or "", "fileId": url.removeprefix(_FILE_ID)}
    return {"name": file.name or url}


def _js_date(time: datetime) -> str:
    """Writes a time as `Date.toString()` does on a server in UTC."""
    day, date, month, year, clock, _ = format_datetime(time.astimezone(UTC), usegmt=True).split()
    return f"{day[:3]} {month} {date} {year} {clock} GMT+0000 (Coordinated Universal Time)"
