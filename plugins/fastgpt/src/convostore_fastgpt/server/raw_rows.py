"""The service's rows kept in `raw`, reused where they still agree with the schema.

A copy of the service's conversations can thus be served with fields that the schema lacks. The row
of a value that was changed since, or came from elsewhere, is not used; nor is any field that the
service does not show to everybody.
"""

from __future__ import annotations

from typing import Final

from convostore.models import Conversation, Message, RunStep, Source
from convostore.parsing import Row

from ..schema.records import read_conversations, read_messages, read_run_steps

_SHOWN: Final = (
    "value",
    "durationSeconds",
    "hideInUI",
    "errorMsg",
    "errorText",
    "adminFeedback",
    "customFeedbacks",
    "isFeedbackRead",
    "totalQuoteList",
    "toolCiteLinks",
    "llmModuleAccount",
    "historyPreviewLength",
    "useAgentSandbox",
)


def own_titles(conversation: Conversation) -> Row:
    """Return the title fields of a conversation's row; empty if the row is not usable."""
    raw = conversation.raw
    if not isinstance(raw, dict) or read_conversations([raw])[0].title != conversation.title:
        return {}
    titles = {name: raw.get(name) for name in ("title", "customTitle")}
    return titles if all(isinstance(title, str) for title in titles.values()) else {}


def own_fields(message: Message) -> Row:
    """Return the shown fields of a message's record; empty if the record is not usable."""
    raw = message.raw
    if not isinstance(raw, dict) or "obj" not in raw:
        return {}
    (read,) = read_messages([raw], first=0, following=None, ended=False)
    is_same = (
        (read.role, read.parts) == (message.role, message.parts)
        and _plain(read.sources) == _plain(message.sources)
        and (read.role != "assistant" or read.status == message.status)
    )
    return {name: raw[name] for name in _SHOWN if name in raw} if is_same else {}


def _plain(sources: tuple[Source, ...]) -> list[Row]:
    return [source.portable() for source in sources]


def own_node(step: RunStep) -> Row | None:
    """Return a step's node; None if it is not usable."""
    raw = step.raw
    if not isinstance(raw, dict) or "moduleName" not in raw:
        return None
    return raw if read_run_steps([raw]) == (step,) else None
