"""Whether a store works: what its check says, and which of its rows are damaged.

Nothing is printed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import (
    AuthError,
    ConfigError,
    NotFoundError,
    RateLimitError,
    StoreError,
    UnavailableError,
)
from ._confirm import reason_if_broken
from .errors import error_text

if TYPE_CHECKING:
    from ..models import Problem
    from ..store import ConversationStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The result of a check; None for what could not be checked.

    Attributes:
        reachable: Whether a server answers at the address.
        understood: Whether it answers as the service that the adapter is for.
        accepted: Whether it accepts the credential, or needs none.
    """

    store: str
    reachable: bool
    understood: bool | None = None
    accepted: bool | None = None
    generation: str | None = None
    detail: str | None = None
    error: str | None = None
    damaged: Sequence[DamagedRow] = ()

    @property
    def is_well(self) -> bool:
        return self.error is None and not self.damaged


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedRow:
    """A conversation or one of its messages that the store cannot read whole any more."""

    conversation_id: str
    message_id: str | None
    problems: tuple[str, ...]

    def __str__(self) -> str:
        of = "" if self.message_id is None else f"message {self.message_id} of "
        return f"{of}conversation {self.conversation_id}: {'; '.join(self.problems)}"


def diagnose(store: ConversationStore) -> Diagnosis:
    """Return whether a store works, by its own check.

    Raises:
        ConfigError: It is not configured as it must be.
    """
    try:
        health = store.check()
    except ConfigError:
        raise
    except StoreError as error:
        return _failure(store.label, error)
    return Diagnosis(
        store=store.label,
        reachable=True,
        understood=True,
        accepted=True,
        generation=health.generation,
        detail=health.detail,
    )


def read_all(store: ConversationStore, diagnosis: Diagnosis) -> Diagnosis:
    """Read every message; return the diagnosis with what is damaged, and what ended the reading.

    Raises:
        ConfigError: The store is not configured as it must be.
    """
    damaged: list[DamagedRow] = []
    try:
        for row in _damaged_rows(store):
            damaged.append(row)  # noqa: PERF402  # those before an error are kept
    except ConfigError:
        raise
    except StoreError as error:
        failure = _failure(store.label, error)
        return replace(
            failure, generation=diagnosis.generation, detail=diagnosis.detail, damaged=damaged
        )
    return replace(diagnosis, damaged=damaged)


def _damaged_rows(store: ConversationStore) -> Iterator[DamagedRow]:
    """Yield what is damaged; a conversation that was deleted meanwhile is not."""
    from ..serialization import is_damage

    def found(message_id: str | None, problems: Iterable[Problem]) -> Iterator[DamagedRow]:
        texts = [f"{problem.where} {problem.what}" for problem in problems if is_damage(problem)]
        if texts:
            yield DamagedRow(
                conversation_id=conversation.id, message_id=message_id, problems=tuple(texts)
            )

    for conversation in store.conversations():
        yield from found(None, conversation.problems)
        try:
            # Not as transcripts, which would hold a conversation of any length whole.
            for message in store.messages(conversation.id):
                yield from found(message.id, message.problems)
        except NotFoundError:
            continue
        except StoreError as error:
            yield DamagedRow(
                conversation_id=conversation.id,
                message_id=None,
                problems=(reason_if_broken(error),),
            )


def _failure(label: str, error: StoreError) -> Diagnosis:
    text = error_text(error)
    match error:
        case UnavailableError(retryable=True):
            return Diagnosis(store=label, reachable=False, error=text)
        case AuthError():
            return Diagnosis(store=label, reachable=True, accepted=False, error=text)
        case RateLimitError():
            return Diagnosis(store=label, reachable=True, error=text)
        case _:
            return Diagnosis(store=label, reachable=True, understood=False, error=text)
