"""The interface of formats: writers, readers, and the entries that a reader yields.

No file, no store and no format may be known here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, TypeAlias

from ..errors import StoreError
from ..models import Conversation, Message


class Writer(ABC):
    """A writer of one text: each method returns the next piece of it.

    The order of calls is `start`, then for each conversation `conversation`, `message` for each of
    its messages, and `end_conversation`; at last `end`. A caller may abandon a conversation: it
    drops the pieces and continues with the next one.

    Attributes:
        losses: The kinds of data that the format cannot hold, each with the number of messages or
            conversations that had it.
    """

    def __init__(self, *, raw: bool = True) -> None:
        """Create a writer of one text.

        Args:
            raw: Whether the service's own objects are written, if the format holds them.
        """
        self.raw = raw
        self.losses: Counter[str] = Counter()

    def start(self, only: Conversation | None = None) -> str:  # noqa: ARG002
        """Return the beginning of the text.

        Args:
            only: The conversation, if there will be no other.
        """
        return ""

    @abstractmethod
    def conversation(self, conversation: Conversation) -> str:
        """Return the beginning of a conversation."""

    @abstractmethod
    def message(self, message: Message) -> str:
        """Return a message of the conversation."""

    @abstractmethod
    def end_conversation(self) -> str:
        """Return the end of the conversation."""

    def end(self) -> str:
        """Return the end of the text."""
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A conversation of a file, or the error of reading it.

    Attributes:
        conversation_id: Its id in the file, or a substitute.
        conversation: None if it cannot be read.
        messages: To be consumed before the next entry: they are read only then.
        error: Why it cannot be read.
    """

    conversation_id: str
    conversation: Conversation | None = None
    messages: Iterator[Message] = field(default_factory=lambda: iter(()))
    error: StoreError | None = None


Reader: TypeAlias = Callable[[BinaryIO, str | None], Generator[Entry]]
"""A function that reads a stream from its position to its end.

The second argument is the name of the conversations' store for their `Origin`, in formats without
one; None for the format's own name. It raises `InvalidError` if the file is broken; an error of one
conversation is the `error` of its entry.
"""
