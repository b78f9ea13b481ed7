"""The conversation before a turn, as the service stores it and as a model is sent it.

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
    """A conversation before a turn; empty for a new one."""

    chat: Row
    rows: Sequence[JSON] = ()
    messages: tuple[Message, ...] = ()

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield role and text of each message that a model is shown."""
        for message in self.messages:
            if message.role in {"user", "assistant"}:
                yield message.role, message.text

    def has_blocks(self) -> bool:
        """Return whether a row has the format of 1.12, which no other version writes."""
        rows = [row for row in self.rows if isinstance(row, dict)]
        return any("responseBlocks" in row for row in rows)

    def refuse_turn_id(self, turn_id: str) -> None:
        """Refuse an id that is in use: the service would repeat that turn and drop all after it.

        The ids of messages are refused, too, because `stored_reply` accepts them.

        Raises:
            ConflictError: The id is in use.
        """
        used = {non_empty_text(row, "messageId") for row in self.rows}
        if turn_id in used.union(message.id for message in self.messages):
            raise ConflictError(
                f"the turn {turn_id!r} is in this conversation already: get_reply reads its answer"
            )


def read_history(conversation_id: str) -> HTTPFlow[History]:
    try:
        reply = yield Request("GET", path(CHAT_PATH, conversation_id))
    except NotFoundError:
        return History({})
    return parse_history(reply.json())


def parse_history(body: JSON) -> History:
    """Parse the answer for a chat.

    Raises:
        ProtocolError: It has no list of messages.
    """
    messages = chats.read_messages(body)
    chat = body.get("chat")
    return History(chat if isinstance(chat, dict) else {}, body["messages"], messages)
