"""Finding the records of a conversation by their ``dataId``, the newest first.

Only one page is in memory at a time. No endpoint here.
"""

from __future__ import annotations

from typing import Final

from convostore.dialects import DialectFlow
from convostore.errors import ConflictError, NotFoundError, UnavailableError
from convostore.models import Message, Page
from convostore.store import ask, look

from ..schema.message_ids import record_ids
from .render import obj_of

_STEP: Final = 100


def newest_page(chat_id: str, cursor: str | None, limit: int) -> DialectFlow[Page[Message]]:
    """Return a page of messages, the newest first; an empty one for an absent conversation."""
    try:
        return (
            yield from ask(
                lambda store: store.list_messages(
                    chat_id, limit=limit, cursor=cursor, order="newest_first"
                )
            )
        )
    except NotFoundError:
        return Page(items=(), total=0)


def messages_by(chat_id: str, data_id: str) -> DialectFlow[tuple[Message, ...]]:
    """Return the newest messages with a ``dataId``, which a turn's two messages may share."""
    messages: list[Message] = []
    cursor: str | None = None
    while True:
        page = yield from newest_page(chat_id, cursor, _STEP)
        for message in page.items:
            if record_ids(message.id).data == data_id:
                messages.append(message)
            elif messages:
                return tuple(messages)
        cursor = page.cursor
        if cursor is None:
            return tuple(messages)


def answer_by(chat_id: str, data_id: str) -> DialectFlow[Message | None]:
    """Return the answer with a ``dataId``, or None.

    The id that a client chose for a turn finds its answer, too, where the store gave that another.
    """
    for message in (yield from messages_by(chat_id, data_id)):
        if obj_of(message) == "AI":
            return message
    return (yield from _of_turn(chat_id, data_id))


def _of_turn(chat_id: str, turn_id: str) -> DialectFlow[Message | None]:
    if not (yield from look(lambda store: store.offers("get_reply"))):
        return None
    try:
        reply = yield from ask(lambda store: store.get_reply(chat_id, turn_id))
    except (NotFoundError, ConflictError, UnavailableError):
        return None
    return reply.message
