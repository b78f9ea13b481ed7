"""The conversation before a turn: what the service keeps, and a model is shown.

Nothing is sent here but a request that reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from convostore.errors import ConflictError, NotFoundError
from convostore.http import HTTPFlow, Request, path
from convostore.models import JSON, Message
from convostore.parsing import Row, non_empty_text

from ..api.paths import CHAT_PATH
from ..schema import chats


@dataclass(frozen=True, slots=True)
class History:
    """What a conversation holds already; nothing of a new one."""

    chat: Row
    rows: Sequence[JSON] = ()
    messages: tuple[Message, ...] = ()

    def said(self) -> Iterator[tuple[str, str]]:
        """Who said what, so far as it takes part in a model's conversation."""
        for message in self.messages:
            if message.role in {"user", "assistant"}:
                yield message.role, message.text

    def shows_blocks(self) -> bool:
        """Whether it is in the shape of 1.12, which nothing else has."""
        rows = [row for row in self.rows if isinstance(row, dict)]
        return any("responseBlocks" in row for row in rows)

    def refuse_turn_id(self, turn_id: str) -> None:
        """Refuses an id that is taken: the service would ask that turn again, and drop the rest.

        Those that messages are given here are taken as well: `stored_reply` goes by them.

        Raises:
            ConflictError: It is taken.
        """
        kept = {non_empty_text(row, "messageId") for row in self.rows}
        if turn_id in kept.union(message.id for message in self.messages):
            raise ConflictError(
                f"the turn {turn_id!r} is in this conversation already: get_reply reads its answer"
            )


def read_history(conversation_id: str) -> HTTPFlow[History]:
    try:
        reply = yield Request("GET", path(CHAT_PATH, conversation_id))
    except NotFoundError:
        return History({})
    return history_of(reply.json())


def history_of(body: JSON) -> History:
    """Reads a chat's answer.

    Raises:
        ProtocolError: There is no list of messages in it.
    """
    messages = chats.read_messages(body)
    chat = body.get("chat")
    return History(chat if isinstance(chat, dict) else {}, body["messages"], messages)
