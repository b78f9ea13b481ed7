"""Records of a conversation looked for by their ``dataId``, the newest first.

Page by page: no more than one is held. No endpoint here.
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
    """A page of a conversation's messages, the newest first; an empty one of what is not there."""
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


def found_by(chat_id: str, data_id: str) -> DialectFlow[tuple[Message, ...]]:
    """The newest messages with a ``dataId``, which stand side by side; none where there is none.

    A question and its answer may share one.
    """
    found: list[Message] = []
    cursor: str | None = None
    while True:
        page = yield from newest_page(chat_id, cursor, _STEP)
        for message in page.items:
            if record_ids(message.id).data == data_id:
                found.append(message)
            elif found:
                return tuple(found)
        cursor = page.cursor
        if cursor is None:
            return tuple(found)


def answer_by(chat_id: str, data_id: str) -> DialectFlow[Message | None]:
    """The answer with a ``dataId``; None where there is none.

    What a client chose as the id of a turn finds its answer as well, where the store names that
    otherwise.
    """
    for message in (yield from found_by(chat_id, data_id)):
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
