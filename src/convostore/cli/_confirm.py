"""Confirmation before a delete: show what would be lost, then ask.

The commands decide what is deleted, and how.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from shutil import get_terminal_size
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
from .render.columns import cut, text_width, wrapped
from .render.text import backend_of, one_line, several, title_of
from .render.times import when

if TYPE_CHECKING:
    from ..models import Conversation
    from ..store import ConversationStore

_NARROWEST: Final = 20
_INDENT: Final = 2
_SHOWN: Final = 10
"""The number of conversations that are shown one by one."""

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation; for scripts.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A conversation that would be lost.

    Attributes:
        messages: The number of its messages; None if the backend does not report it.
        active: The time of its last activity.
        unreadable: Why it cannot be read; it can be deleted nevertheless.
    """

    id: str
    title: str | None = None
    messages: int | None = None
    active: datetime | None = None
    unreadable: str | None = None

    def __str__(self) -> str:
        facts = [one_line(self.id)]
        if self.messages is not None:
            facts.append(several(self.messages, "message"))
        if self.active is not None:
            facts.append(when(self.active))
        if self.unreadable is not None:
            facts.append(f"cannot be read: {one_line(self.unreadable)}")
        return titled(self.title, f"  ({', '.join(facts)})")


def titled(title: str | None, rest: str, *, before: str = "") -> str:
    """Return a title and more on one line: at a terminal the title is cut to fit its width."""
    text = title_of(title)
    if sys.stderr.isatty():
        others = text_width(before) + text_width(rest) + _INDENT
        text = cut(text, max(_NARROWEST, get_terminal_size().columns - others))
    return f"{before}{text}{rest}"


def prepare(store: ConversationStore, operation: str, *, yes: bool) -> None:
    """Check, before anything is read, that a delete is offered and can be asked about.

    Raises:
        UnsupportedError: The backend does not offer the operation.
        ConfigError: There is no terminal to ask at, and `yes` is false.
    """
    if not store.offers(operation):
        raise UnsupportedError("not offered", adapter=backend_of(store.label), operation=operation)
    if not yes and not can_ask():
        raise ConfigError(
            "nothing was deleted, because there is no terminal to ask for confirmation: add --yes "
            "if you are sure"
        )


def can_ask() -> bool:
    """Return whether a question can be asked: whether stdin and stderr are a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(what: str, losses: Iterable[str], warnings: Iterable[str], *, yes: bool) -> None:
    """Print what would be lost and ask; return only if the answer is yes.

    Args:
        what: All that is deleted, in words.
        losses: One line for each thing that is lost.
        warnings: Effects of this backend's deletes beyond that.
        yes: Whether to delete without asking.

    Raises:
        typer.Exit: The answer was no.
    """
    print_wrapped(f"This will be deleted permanently: {what}")
    for line in losses:
        print_to_stderr(f"  {line}")
    for warning in warnings:
        print_wrapped(f"Note: {warning}.")
    if not yes and not ask_yes_no("Delete?"):
        print_to_stderr("nothing was deleted")
        raise typer.Exit(ExitCode.FAILED)


def print_wrapped(text: str) -> None:
    """Print a text for people on stderr, broken between words where a terminal would break it."""
    if not sys.stderr.isatty():
        print_to_stderr(text)
        return
    for line in wrapped(text, get_terminal_size().columns):
        print_to_stderr(line)


def ask_yes_no(question: str) -> bool:
    """Ask at the terminal; return False for anything but a clear yes."""
    typer.echo(f"{question} [y/N] ", err=True, nl=False)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def delete_warnings(store: ConversationStore) -> Iterator[str]:
    """Yield what a delete of this backend leaves undone."""
    if store.traits.deleted_readable:
        yield (
            "the backend only hides what is deleted: whoever knows the id of a conversation can "
            "still read its messages"
        )


def first_losses(store: ConversationStore, conversations: Sequence[Conversation]) -> Iterator[str]:
    """Yield a line for each of the first conversations, then one with the number of the others."""
    for conversation in conversations[:_SHOWN]:
        yield str(measure_loss(store, conversation))
    if len(conversations) > _SHOWN:
        yield f"… and {len(conversations) - _SHOWN:,} more"


def find_loss(store: ConversationStore, conversation_id: str) -> Loss | None:
    """Return what deleting a conversation loses; None, with a notice, if it does not exist."""
    try:
        return measure_loss(store, store.get_conversation(conversation_id))
    except NotFoundError:
        print_to_stderr(f"{one_line(conversation_id)} not found: nothing to delete")
        return None
    except StoreError as error:
        return Loss(id=conversation_id, unreadable=reason_if_broken(error))


def measure_loss(store: ConversationStore, conversation: Conversation) -> Loss:
    """Return a conversation with the number of its messages, if the backend reports that."""
    total, unreadable = None, None
    try:
        with suppress(NotFoundError):  # deleted meanwhile by another client
            total = store.list_messages(conversation.id, limit=1).total
    except StoreError as error:
        unreadable = reason_if_broken(error)
    return Loss(
        id=conversation.id,
        title=conversation.title,
        messages=total,
        active=conversation.last_active_at,
        unreadable=unreadable,
    )


def reason_if_broken(error: StoreError) -> str:
    """Return why one conversation cannot be read; raise an error that others would meet, too."""
    if isinstance(error, ProtocolError | UnavailableError) and not error.retryable:
        return str(error)
    raise error
