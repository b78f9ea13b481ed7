"""Turns, answers and streams: the values by which an adapter describes a reply.

An adapter converts a `Turn` or an `Answer` into a `Stream`: the request, its decoder, and how to
finish. The store runs it. No I/O and no field of a service may be here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias

from ..flow import Flow
from ..models import JSON, Part, Reply, ReplyEvent
from ._accumulator import ReplyAccumulator
from ._types import C, Q, R

AnswerContent: TypeAlias = str | Mapping[str, JSON]
"""The answer to an interaction: the value of an option, or a form's values by key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A user's turn to send.

    Attributes:
        conversation_id: The id of an existing conversation, or one chosen for a new conversation.
        turn_id: An id chosen for the turn, by which `get_reply` finds its reply.
        content: The user's message: texts and files.
        options: An instance of the adapter's `ReplyOptions`; typed loosely so that an adapter may
            name its subclass.
        begins: Whether the conversation's id was chosen for this turn, so that it cannot exist yet.
        owner: The owner of a conversation that the turn creates; only if `Traits.changes` names it.
        metadata: The metadata of a conversation that the turn creates; under the same condition.
    """

    conversation_id: str
    turn_id: str
    content: tuple[Part, ...]
    options: Any
    begins: bool = False
    owner: str | None = None
    metadata: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a waiting interaction; `options` is as in `Turn`."""

    conversation_id: str
    answer: AnswerContent
    options: Any


class Decoder(ABC, Generic[C]):
    """A decoder of a stream's chunks, of any size, into events; it does no I/O."""

    @abstractmethod
    def feed(self, chunk: C) -> Iterable[ReplyEvent]:
        """Feed a chunk and return the events it completes.

        Raises:
            StoreError: The service reports a failure, or the chunk cannot be decoded.
        """

    @abstractmethod
    def close(self) -> Iterable[ReplyEvent]:
        """Return the events that only the end of the stream completes.

        Raises:
            StoreError: The stream was cut off, or it reported a failure.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream(Generic[Q, R]):
    """A streamed reply as an adapter describes it.

    Attributes:
        request: The request; it is sent once and never retried.
        decoder: The decoder of its response.
        finish: Makes the flow that reads the stored messages and returns the reply; it may wait
            until they are stored.
        turn_id: The turn's id, if it differs from the one that was asked for.
        message_id: The id that the answer's message will have; None if only its end shows it.
        read_message_id: Reads that id from the head of the response, where it is there.
    """

    request: Q
    decoder: Decoder
    finish: Callable[[ReplyAccumulator], Flow[Q, R, Reply]]
    turn_id: str | None = None
    message_id: str | None = None
    read_message_id: Callable[[R], str | None] | None = None
