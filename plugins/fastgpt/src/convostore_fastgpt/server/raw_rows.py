"""The service's own rows in `raw`, used where they still say what the schema says.

A copy of the service's conversations can so be shown with what the schema has no place for. A value
that was changed since, or came from elsewhere, has no such row; and of one that has, only what the
service shows to anybody is taken.
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
    """What a conversation's own row has for titles; empty without one."""
    raw = conversation.raw
    if not isinstance(raw, dict) or read_conversations([raw])[0].title != conversation.title:
        return {}
    titles = {name: raw.get(name) for name in ("title", "customTitle")}
    return titles if all(isinstance(each, str) for each in titles.values()) else {}


def own_fields(message: Message) -> Row:
    """What a message's own record shows beside its ids, time and feedback; empty without one."""
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
    return [each.portable() for each in sources]


def own_node(step: RunStep) -> Row | None:
    """A step's own node; None without one."""
    raw = step.raw
    if not isinstance(raw, dict) or "moduleName" not in raw:
        return None
    return raw if read_run_steps([raw]) == (step,) else None
