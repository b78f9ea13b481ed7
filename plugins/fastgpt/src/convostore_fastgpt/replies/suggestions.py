"""Suggested questions: what a model thinks that the user asks next, in both generations.

The later request names the conversation and looks at its end by itself; where a server lacks it,
the earlier one is sent the same end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from convostore.errors import ProtocolError
from convostore.http import HTTPFlow
from convostore.models import JSON, Message

from ..api.endpoints import SUGGESTIONS, SUGGESTIONS_V1, Service

RECENT: Final = 6
"""Records that the service itself looks at."""


def suggest(
    service: Service, chat: dict[str, JSON], recent: Sequence[Message]
) -> HTTPFlow[tuple[str, ...]]:
    """Asks for the questions that come next.

    Args:
        service: Whom to ask.
        chat: The field that names the conversation.
        recent: Its last messages, the oldest first.

    Raises:
        ProtocolError: The answer holds no list.
    """
    if not service.lacks(SUGGESTIONS):
        try:
            return _questions((yield from service.ask(SUGGESTIONS, chat)))
        except ProtocolError:
            if not service.lacks(SUGGESTIONS):
                raise
    said: list[JSON] = [{"role": each.role, "content": each.text} for each in recent if each.text]
    return _questions((yield from service.ask(SUGGESTIONS_V1, {"messages": said})))


def _questions(data: JSON) -> tuple[str, ...]:
    if not isinstance(data, list):
        raise ProtocolError("the answer's field 'data' is not a list: check the base URL")
    return tuple([each for each in data if isinstance(each, str)])
