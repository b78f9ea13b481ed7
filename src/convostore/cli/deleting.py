"""`rm` and `clear`: what would be lost is shown, then asked about, and only then deleted."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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
from .arguments import Given, Target, opened
from .changing import done
from .output import gathered, waiting
from .rim import ExitCode, say
from .text import one_line, several, when

if TYPE_CHECKING:
    from ..models import Conversation, Message
    from ..store import ConversationStore

_SHOWN: Final = 10
"""How many of the conversations that a clear takes are shown one by one."""
_EXCERPT: Final = 60

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; for scripts.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A conversation that would be lost.

    Attributes:
        messages: How many it has; None when the backend does not tell.
        unreadable: Why it cannot be read; it can be deleted all the same.
    """

    id: str
    title: str | None = None
    messages: int | None = None
    unreadable: str | None = None

    def __str__(self) -> str:
        told = [one_line(self.id)]
        if self.messages is not None:
            told.append(several(self.messages, "message"))
        if self.unreadable is not None:
            told.append(f"cannot be read: {one_line(self.unreadable)}")
        return f"{one_line(self.title) or 'without a title'}  ({', '.join(told)})"


def rm(
    target: Target,
    conversation_ids: Annotated[
        list[str], typer.Argument(metavar="ID", help="The conversations' ids, as ls shows them.")
    ],
    message_id: Annotated[
        str | None,
        typer.Option(
            "--message", metavar="MESSAGE_ID", help="Only this message of the one conversation."
        ),
    ] = None,
    yes: Yes = False,
    given: Given = None,
) -> None:
    """Deletes conversations, or one message.

    What will be lost is shown first, and nothing is deleted before you agree. What is not there
    counts as deleted.
    """
    ids = list(dict.fromkeys(conversation_ids))
    if message_id is not None and len(ids) > 1:
        raise typer.BadParameter("goes with one conversation", param_hint="--message")
    with opened(target, given) as store:
        if message_id is None:
            _remove_conversations(store, ids, yes=yes)
        else:
            _remove_message(store, ids[0], message_id, yes=yes)


def clear(target: Target, yes: Yes = False, given: Given = None) -> None:
    """Deletes every conversation of a store.

    What will be lost is shown first, and nothing is deleted before you agree.
    """
    with opened(target, given) as store:
        _prepare(store, "clear_conversations", yes=yes)
        everything = gathered(store.conversations(), "conversations")
        others = store.traits.clears == "may_clear_others"
        if not everything and not others:
            say("there is no conversation: nothing to delete")
            return
        losses = [_loss(store, each) for each in everything[:_SHOWN]]
        _agree(
            f"all {several(len(everything), 'conversation')} of {store.label}",
            [*map(str, losses), *_beyond(len(everything) - len(losses))],
            _of_clearing(store),
            yes=yes,
        )
        store.clear_conversations()
        done("deleted")


def _beyond(number: int) -> Iterator[str]:
    if number > 0:
        yield f"… and {number:,} more"


def _remove_conversations(store: ConversationStore, ids: list[str], *, yes: bool) -> None:
    _prepare(store, "delete_conversation", yes=yes)
    with waiting("what would be deleted"):
        losses = [loss for each in ids if (loss := _loss_of(store, each)) is not None]
    if not losses:
        return
    _agree(
        f"{several(len(losses), 'conversation')} of {store.label}",
        map(str, losses),
        _of_deleting(store),
        yes=yes,
    )
    deleted = 0
    try:
        for loss in losses:
            store.delete_conversation(loss.id)
            deleted += 1
    finally:
        if deleted < len(losses) and len(losses) > 1:
            say(f"deleted are the first {deleted} of {len(losses)}; of the next it is not known")
    done(f"deleted: {several(deleted, 'conversation')}")


def _remove_message(
    store: ConversationStore, conversation_id: str, message_id: str, *, yes: bool
) -> None:
    _prepare(store, "delete_message", yes=yes)
    with waiting("messages"):
        message = _found(store, conversation_id, message_id)
    if message is None:
        return
    words = one_line(message.text)
    excerpt = words[:_EXCERPT] + ("…" if len(words) > _EXCERPT else "")
    told = ", ".join([message.role, when(message.created_at), one_line(message.id)])
    _agree(
        f"a message of conversation {one_line(conversation_id)} of {store.label}",
        [f"{excerpt or 'no text'}  ({told})"],
        _of_deleting_message(store),
        yes=yes,
    )
    store.delete_message(conversation_id, message_id)
    done("deleted: 1 message")


def _prepare(store: ConversationStore, operation: str, *, yes: bool) -> None:
    """Refuses what cannot be done or asked about before anything is read."""
    if not store.offers(operation):
        raise UnsupportedError(
            "not offered", adapter=store.label.partition(":")[0], operation=operation
        )
    if not yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigError(
            "nothing is deleted unasked, and there is no terminal to ask at: "
            "add --yes once you know what would be lost"
        )


def _agree(what: str, losses: Iterable[str], warnings: Iterable[str], *, yes: bool) -> None:
    """Shows what would be lost and asks; returns only when that is to be deleted."""
    say(f"Will be deleted for good: {what}")
    for each in losses:
        say(f"  {each}")
    for warning in warnings:
        say(f"Note: {warning}.")
    if not yes and not _answered_yes("Delete?"):
        say("nothing was deleted")
        raise typer.Exit(ExitCode.FAILED)


def _answered_yes(question: str) -> bool:
    typer.echo(f"{question} [y/N] ", err=True, nl=False)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _of_deleting(store: ConversationStore) -> Iterator[str]:
    if store.traits.deleted_readable:
        yield (
            "the backend only hides what is deleted: whoever knows a conversation's id can go on "
            "reading its messages"
        )


def _of_deleting_message(store: ConversationStore) -> Iterator[str]:
    if store.traits.deletes == "may_delete_turn":
        yield "the other half of its turn, the question or the answer, may go with it"


def _of_clearing(store: ConversationStore) -> Iterator[str]:
    if store.traits.clears == "may_clear_others":
        yield (
            "conversations that this list does not show can go with them: "
            "it empties the whole app's"
        )
    yield from _of_deleting(store)


def _loss_of(store: ConversationStore, conversation_id: str) -> Loss | None:
    """What a delete takes; None, and a word about it, when the conversation is not there."""
    try:
        return _loss(store, store.get_conversation(conversation_id))
    except NotFoundError:
        say(f"{one_line(conversation_id)} is not there: nothing to delete")
        return None
    except StoreError as error:
        return Loss(id=conversation_id, unreadable=_if_only_broken(error))


def _loss(store: ConversationStore, conversation: Conversation) -> Loss:
    """A conversation with the number of its messages, as far as the backend can still tell."""
    try:
        total = store.list_messages(conversation.id, limit=1).total
    except NotFoundError:
        total = None  # deleted by another since it was listed
    except StoreError as error:
        return Loss(id=conversation.id, title=conversation.title, unreadable=_if_only_broken(error))
    return Loss(id=conversation.id, title=conversation.title, messages=total)


def _if_only_broken(error: StoreError) -> str:
    """What is wrong with one conversation; an error that would meet any other goes on."""
    if isinstance(error, ProtocolError | UnavailableError) and not error.retryable:
        return str(error)
    raise error


def _found(store: ConversationStore, conversation_id: str, message_id: str) -> Message | None:
    """The message; None, and a word about it, when it is not there."""
    try:
        for message in store.messages(conversation_id, order="newest_first"):
            if message.id == message_id:
                return message
        absent = f"message {message_id}"
    except NotFoundError:
        absent = f"conversation {conversation_id}"
    say(f"{one_line(absent)} is not there: nothing to delete")
    return None
