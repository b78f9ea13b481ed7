"""How far an export or an import has come, and what one failing conversation means for the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from .errors import AuthError, ConfigError, StoreError
from .mirror_run import Skipped, _forget_frames
from .plan import Plan


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


class Counting:
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


def concerns_only_one(error: StoreError, plan: Plan) -> bool:
    """Whether other conversations may fare better."""
    return not (error.retryable or plan.closed or isinstance(error, AuthError | ConfigError))


def skipped(conversation_id: str, error: StoreError) -> Skipped:
    """Notes a conversation that is passed over, without what its error holds of the messages."""
    _forget_frames(error)
    return Skipped(conversation_id=conversation_id, error=error)
