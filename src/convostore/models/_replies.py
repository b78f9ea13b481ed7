"""What a backend answers to a turn: the reply when it is whole, and what there is of one before.

Only values live here; the events that a reply arrives in stand in `events`.
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
    """What a reply cost, in tokens; None where the service does not say."""

    input_tokens: int | None = None
    output_tokens: int | None = None


class Reply(Value):
    """A finished reply, as the backend stored it.

    Attributes:
        conversation_id: The conversation that the turn belongs to; of a new one, its new id.
        turn_id: What `get_reply` finds the reply by; None where the service names no turn.
        message: The answer, with the id that feedback and deletion take. To the answer of an
            interaction it is the message that asked, with what the flow added to it.
        question: The turn's own message; None where the service made none of it.
        title: The conversation's title, where the reply told a new one.
        variables: All variables of the conversation, where the service tells them.
        run_details: The steps of the run, where the service tells them.
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
        """What the flow asks and waits for: `answer` goes on; None when it is done."""
        return pending_interaction(self.message)


def pending_interaction(message: Message) -> InteractionPart | None:
    """The last question of a message that is an answer's last piece and is not answered yet."""
    last = message.parts[-1] if message.parts else None
    return last if isinstance(last, InteractionPart) and not last.answered else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialReply:
    """What had arrived of a reply; an error that ended it has it as `partial`.

    Attributes:
        conversation_id: The conversation that the turn was sent to.
        turn_id: What `get_reply` finds the reply by, if the turn arrived; None where it is unknown.
    """

    conversation_id: str
    turn_id: str | None
    parts: tuple[Part, ...] = ()
    sources: tuple[Source, ...] = ()

    @property
    def text(self) -> str:
        """The text parts, joined with a newline."""
        return "\n".join([part.text for part in self.parts if isinstance(part, TextPart)])
