"""Suggested questions: what a model expects the user to ask next, in both generations.

The later endpoint reads the end of the conversation itself; a server that lacks it is sent that end
at the earlier one. Nothing is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from convostore.errors import ProtocolError
from convostore.http import HTTPFlow
from convostore.models import JSON, Message

from ..api.endpoints import SUGGESTIONS, SUGGESTIONS_V1, Service

RECENT: Final = 6
"""Number of records that the service itself reads."""


def suggest(
    service: Service, chat: dict[str, JSON], recent: Sequence[Message]
) -> HTTPFlow[tuple[str, ...]]:
    """Request suggested questions.

    Args:
        service: The endpoints.
        chat: The field that names the conversation.
        recent: Its last messages, the oldest first.

    Raises:
        ProtocolError: The result is not a list.
    """
    if not service.lacks(SUGGESTIONS):
        try:
            return _questions((yield from service.ask(SUGGESTIONS, chat)))
        except ProtocolError:
            if not service.lacks(SUGGESTIONS):
                raise
    messages: list[JSON] = [
        {"role": message.role, "content": message.text} for message in recent if message.text
    ]
    return _questions((yield from service.ask(SUGGESTIONS_V1, {"messages": messages})))


def _questions(data: JSON) -> tuple[str, ...]:
    if not isinstance(data, list):
        raise ProtocolError("the answer's field 'data' is not a list: check the base URL")
    return tuple([question for question in data if isinstance(question, str)])
