"""Skipped conversations: which errors concern one alone, and the note that is kept of it."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import AuthError, ConfigError, StoreError
from ._calls import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A conversation that could not be copied, and why; the next run tries it again.

    Attributes:
        conversation_id: Its id where it was read.
    """

    conversation_id: str
    error: StoreError


def concerns_all(error: StoreError, store: Store) -> bool:
    """Return whether any other conversation would meet the error, however often it is tried."""
    return store.closed or isinstance(error, AuthError | ConfigError)


def concerns_only_one(error: StoreError, store: Store) -> bool:
    """Return whether other conversations may fare better at once."""
    return not (error.retryable or concerns_all(error, store))


def skipped(conversation_id: str, error: StoreError) -> Skipped:
    """Note a conversation that is skipped, without what its error holds of the messages."""
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return Skipped(conversation_id=conversation_id, error=error)
