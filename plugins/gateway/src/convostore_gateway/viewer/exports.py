"""Exports: a conversation as a file to be kept, written while it is read."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import AsyncIterator, Sequence
from typing import Final
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from convostore.errors import InvalidError
from convostore.formats import WRITTEN, Writer, writer
from convostore.formats.plain import one_line
from convostore.models import Conversation, Message, Page

from .visits import Visit

_MESSAGES: Final = 200
_TYPES: Final = {
    "jsonl": ("jsonl", "application/jsonl"),
    "markdown": ("md", "text/markdown; charset=utf-8"),
    "html": ("html", "text/html; charset=utf-8"),
    "openai": ("jsonl", "application/jsonl"),
}
_LONGEST_NAME: Final = 80


async def export(visit: Visit) -> Response:
    """A conversation in a format, to be saved.

    Raises:
        InvalidError: There is no such format.
        NotFoundError: The conversation is not there.
    """
    name = visit.given("format") or "html"
    if name not in WRITTEN:
        raise InvalidError("there is no such format")
    conversation = await visit.store.get_conversation(visit.ids[0])
    first = await _page(visit, None)
    suffix, media_type = _TYPES[name]
    return StreamingResponse(
        _pieces(visit, conversation, first, writer(name)),
        media_type=media_type,
        headers={"content-disposition": _disposition(conversation, suffix)},
    )


async def _pieces(
    visit: Visit, conversation: Conversation, page: Page[Message], made: Writer
) -> AsyncIterator[str]:
    yield made.start(conversation) + made.conversation(conversation)
    while True:
        yield await asyncio.to_thread(_written, made, page.items)
        if page.cursor is None:
            break
        page = await _page(visit, page.cursor)
    yield made.end_conversation() + made.end()


async def _page(visit: Visit, cursor: str | None) -> Page[Message]:
    size = visit.page_size(_MESSAGES)
    return await visit.store.list_messages(visit.ids[0], limit=size, cursor=cursor)


def _written(made: Writer, messages: Sequence[Message]) -> str:
    return "".join([made.message(each) for each in messages])


def _disposition(conversation: Conversation, suffix: str) -> str:
    """Has it saved under the title, as far as a file's name can be one."""
    title = one_line(conversation.title or "")
    name = re.sub(r"[^\w .-]+", " ", title).strip(" .")[:_LONGEST_NAME].strip(" .")
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii").strip()
    both = f'attachment; filename="{plain or "conversation"}.{suffix}"'
    return f"{both}; filename*=UTF-8''{quote(name or 'conversation', safe='')}.{suffix}"
