"""What every format is made of: a writer that is fed values, and the entries that a reader yields.

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
    """Makes a text of conversations, piece by piece: each method returns what comes next.

    The order is `start`, then for each conversation `conversation`, `message` for each of its
    messages, and `end_conversation`; at last `end`. A conversation that was begun may be given up:
    whoever does it drops its pieces and goes on with the next one.

    Attributes:
        losses: What the format could not hold, and in how many messages or conversations.
    """

    def __init__(self, *, raw: bool = True) -> None:
        """Makes a writer of one text.

        Args:
            raw: Whether the backend's own objects are written, where the format holds them.
        """
        self.raw = raw
        self.losses: Counter[str] = Counter()

    def start(self, only: Conversation | None = None) -> str:  # noqa: ARG002
        """The beginning of the text; `only` is the conversation when there will be just one."""
        return ""

    @abstractmethod
    def conversation(self, conversation: Conversation) -> str:
        """The beginning of a conversation."""

    @abstractmethod
    def message(self, message: Message) -> str:
        """One of its messages."""

    @abstractmethod
    def end_conversation(self) -> str:
        """The end of a conversation."""

    def end(self) -> str:
        """The end of the text."""
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A conversation as a file holds it, or the error that tells why it cannot be read.

    Attributes:
        conversation_id: Its id in the file; what stands for one where there is none.
        messages: To be taken before the next entry is: they may be read only then.
    """

    conversation_id: str
    conversation: Conversation | None = None
    messages: Iterator[Message] = field(default_factory=lambda: iter(()))
    error: StoreError | None = None


Reader: TypeAlias = Callable[[BinaryIO, str | None], Generator[Entry]]
"""Reads a file from where it stands to its end.

The second argument is what an `Origin` is to call the store that the conversations are of, for
formats that do not tell; None for the format's own name. It raises `InvalidError` where the file
itself is broken; what is wrong with one conversation only is that entry's `error`.
"""
