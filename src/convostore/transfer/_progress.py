"""How far an export or an import has come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferProgress:
    """How far an export or an import has come.

    Attributes:
        conversations: Conversations that are done, the skipped ones included.
        messages: Messages that are done.
        total: How many conversations there are, where that is known.
    """

    conversations: int
    messages: int
    total: int | None = None


Progress: TypeAlias = Callable[[TransferProgress], None]


class ProgressCounter:
    """The counts of a transfer, told as they grow; see `TransferProgress`."""

    def __init__(self, tell: Progress | None) -> None:
        self._tell = tell
        self.conversations = 0
        self.messages = 0
        self.total: int | None = None

    def add(self, *, conversations: int = 0, messages: int = 0) -> None:
        """Counts what is done."""
        self.conversations += conversations
        self.messages += messages
        if self._tell is not None:
            self._tell(
                TransferProgress(
                    conversations=self.conversations, messages=self.messages, total=self.total
                )
            )
