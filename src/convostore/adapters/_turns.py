"""What is sent to a backend that answers, and how a streamed answer is read: values of adapters.

An adapter takes a `Turn` or an `Answer` and returns a `Stream`: what to ask, who decodes it, and
how to finish. Carrying it out is the store's work. No I/O and no service's spelling here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias

from ..flow import Flow
from ..models import JSON, Part, Reply, ReplyEvent
from ._accumulator import ReplyAccumulator
from ._types import C, Q, R

AnswerContent: TypeAlias = str | Mapping[str, JSON]
"""What an interaction is answered with: a choice's value, or a form's values by key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A user's turn to send.

    Attributes:
        conversation_id: An existing conversation, or a new one's id, chosen beforehand.
        turn_id: Chosen beforehand; what `get_reply` finds the reply by.
        content: What the user says: texts and files.
        options: An instance of the adapter's `ReplyOptions`; typed loosely so that an adapter may
            name its own.
        begins: Whether the conversation's id was chosen for this turn: nothing can be there yet.
    """

    conversation_id: str
    turn_id: str
    content: tuple[Part, ...]
    options: Any
    begins: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a waiting interaction is answered with; `options` is as in `Turn`."""

    conversation_id: str
    answer: AnswerContent
    options: Any


class Decoder(ABC, Generic[C]):
    """Takes what a stream brings, in pieces of any size, to events; does no I/O."""

    @abstractmethod
    def feed(self, chunk: C) -> Iterable[ReplyEvent]:
        """Takes the next piece to the events that it completes.

        Raises:
            StoreError: The service says that it failed, or something unreadable.
        """

    @abstractmethod
    def close(self) -> Iterable[ReplyEvent]:
        """Takes the end of the stream to the events that only it completes.

        Raises:
            StoreError: The stream was not at its end, or it told of a failure.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream(Generic[Q, R]):
    """A streamed answer as an adapter describes it.

    Attributes:
        request: What to ask; it is sent once and never repeated.
        decoder: Reads what comes.
        finish: Reads again what was stored, and returns the reply; it may wait until that is there.
        turn_id: Which turn it is, where that differs from what was asked for.
    """

    request: Q
    decoder: Decoder
    finish: Callable[[ReplyAccumulator], Flow[Q, R, Reply]]
    turn_id: str | None = None
