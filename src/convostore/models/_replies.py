"""Replies: finished ones, partial ones, and their usage.

The events of a streamed reply are in `_events`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from ._base import JSON, Value
from ._conversations import RunStep
from ._messages import Message, Source
from ._parts import InteractionPart, Part, TextPart


class Usage(Value):
    """The cost of a reply in tokens; None if the service does not report it."""

    input_tokens: int | None = None
    output_tokens: int | None = None


class Reply(Value):
    """A finished reply, as the backend stored it.

    Attributes:
        conversation_id: The id of the conversation, which may be new.
        turn_id: The id by which `get_reply` finds the reply; None if the service has no such id.
        message: The answer, with its id for feedback and deletion. After the answer to an
            interaction, it is the message that asked, with what the flow added to it.
        question: The user's message; None if the service stores none.
        title: The conversation's title, if the reply changed it.
        variables: All variables of the conversation, if the service reports them.
        run_details: The steps of the run, if the service reports them.
        usage: The cost, if the service reports it.
    """

    _service_fields: ClassVar = frozenset({"conversation_id", "turn_id", "question"})

    conversation_id: str
    turn_id: str | None
    message: Message
    question: Message | None = None
    title: str | None = None
    variables: dict[str, JSON] | None = None
    run_details: tuple[RunStep, ...] = Field(default=(), repr=False)
    usage: Usage | None = None

    @property
    def text(self) -> str:
        """The answer's text."""
        return self.message.text

    @property
    def interaction(self) -> InteractionPart | None:
        """The interaction that waits for a store's `answer`; None if the flow is done."""
        return pending_interaction(self.message)


def pending_interaction(message: Message) -> InteractionPart | None:
    """Return the interaction at the end of a message, if it waits for an answer."""
    last = message.parts[-1] if message.parts else None
    return last if isinstance(last, InteractionPart) and not last.answered else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialReply:
    """The part of a reply that arrived before an error ended it; the error's `partial`.

    Attributes:
        conversation_id: The id of the conversation to which the turn was sent.
        turn_id: The id by which `get_reply` finds the reply, if the turn arrived; None if it is not
            known.
    """

    conversation_id: str
    turn_id: str | None
    parts: tuple[Part, ...] = ()
    sources: tuple[Source, ...] = ()

    @property
    def text(self) -> str:
        """The text parts, joined with a newline."""
        return "\n".join([part.text for part in self.parts if isinstance(part, TextPart)])
