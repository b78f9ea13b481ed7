"""Before anything is deleted: what would be lost is shown, then asked about.

What is deleted, and how, is the commands' matter.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ..errors import (
    ConfigError,
    NotFoundError,
    ProtocolError,
    StoreError,
    UnavailableError,
    UnsupportedError,
)
from .errors import ExitCode, print_to_stderr
from .render.text import backend_of, one_line, several, when

if TYPE_CHECKING:
    from ..models import Conversation
    from ..store import ConversationStore

_SHOWN: Final = 10
"""How many of many conversations are shown one by one."""

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; for scripts.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A conversation that would be lost.

    Attributes:
        messages: How many it has; None when the backend does not tell.
        active: When it was last active.
        unreadable: Why it cannot be read; it can be deleted all the same.
    """

    id: str
    title: str | None = None
    messages: int | None = None
    active: datetime | None = None
    unreadable: str | None = None

    def __str__(self) -> str:
        told = [one_line(self.id)]
        if self.messages is not None:
            told.append(several(self.messages, "message"))
        if self.active is not None:
            told.append(when(self.active))
        if self.unreadable is not None:
            told.append(f"cannot be read: {one_line(self.unreadable)}")
        return f"{one_line(self.title) or 'without a title'}  ({', '.join(told)})"


def prepare(store: ConversationStore, operation: str, *, yes: bool) -> None:
    """Refuses what cannot be done or asked about before anything is read."""
    if not store.offers(operation):
        raise UnsupportedError("not offered", adapter=backend_of(store.label), operation=operation)
    if not yes and not can_ask():
        raise ConfigError(
            "nothing is deleted unasked, and there is no terminal to ask at: "
            "add --yes once you know what would be lost"
        )


def can_ask() -> bool:
    """Whether there is somebody to answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def agree(what: str, losses: Iterable[str], warnings: Iterable[str], *, yes: bool) -> None:
    """Shows what would be lost and asks; returns only when that is to be deleted."""
    print_to_stderr(f"Will be deleted for good: {what}")
    for each in losses:
        print_to_stderr(f"  {each}")
    for warning in warnings:
        print_to_stderr(f"Note: {warning}.")
    if not yes and not answered_yes("Delete?"):
        print_to_stderr("nothing was deleted")
        raise typer.Exit(ExitCode.FAILED)


def answered_yes(question: str) -> bool:
    """Asks at the terminal; whatever is no clear yes is no."""
    typer.echo(f"{question} [y/N] ", err=True, nl=False)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def of_deleting(store: ConversationStore) -> Iterator[str]:
    """What a delete does beyond the named, or leaves undone."""
    if store.traits.deleted_readable:
        yield (
            "the backend only hides what is deleted: whoever knows a conversation's id can go on "
            "reading its messages"
        )


def first_losses(store: ConversationStore, conversations: Sequence[Conversation]) -> Iterator[str]:
    """The first few of many conversations, each as a line, and the number of the others."""
    for each in conversations[:_SHOWN]:
        yield str(loss(store, each))
    if len(conversations) > _SHOWN:
        yield f"… and {len(conversations) - _SHOWN:,} more"


def loss_of(store: ConversationStore, conversation_id: str) -> Loss | None:
    """What a delete takes; None, and a word about it, when the conversation is not there."""
    try:
        return loss(store, store.get_conversation(conversation_id))
    except NotFoundError:
        print_to_stderr(f"{one_line(conversation_id)} is not there: nothing to delete")
        return None
    except StoreError as error:
        return Loss(id=conversation_id, unreadable=if_only_broken(error))


def loss(store: ConversationStore, conversation: Conversation) -> Loss:
    """A conversation with the number of its messages, as far as the backend can still tell."""
    total, unreadable = None, None
    try:
        with suppress(NotFoundError):  # deleted by another since it was listed
            total = store.list_messages(conversation.id, limit=1).total
    except StoreError as error:
        unreadable = if_only_broken(error)
    return Loss(
        id=conversation.id,
        title=conversation.title,
        messages=total,
        active=conversation.last_active_at,
        unreadable=unreadable,
    )


def if_only_broken(error: StoreError) -> str:
    """What is wrong with one conversation; an error that would meet any other goes on."""
    if isinstance(error, ProtocolError | UnavailableError) and not error.retryable:
        return str(error)
    raise error
