"""What one conversation that fails means for the rest, and the note that is left of it."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import AuthError, ConfigError, StoreError
from ..store._operations import Operations


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A conversation that could not be copied, and why; the next run tries it again.

    Attributes:
        conversation_id: Its id where it was read.
    """

    conversation_id: str
    error: StoreError


def concerns_all(error: StoreError, plan: Operations) -> bool:
    """Whether any other conversation would meet the error as well, however often it is tried."""
    return plan.closed or isinstance(error, AuthError | ConfigError)


def concerns_only_one(error: StoreError, plan: Operations) -> bool:
    """Whether other conversations may fare better at once."""
    return not (error.retryable or concerns_all(error, plan))


def skipped(conversation_id: str, error: StoreError) -> Skipped:
    """Notes a conversation that is passed over, without what its error holds of the messages."""
    forgotten: BaseException | None = error
    while forgotten is not None:
        forgotten.__traceback__ = None
        forgotten = forgotten.__cause__ or forgotten.__context__
    return Skipped(conversation_id=conversation_id, error=error)
