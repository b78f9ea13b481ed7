"""`rm` and `clear`: what would be lost is shown, then asked about, and only then deleted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ...errors import NotFoundError
from .._confirm import Yes, agree, first_losses, loss_of, of_deleting, prepare
from .._filters import OlderThan, age
from .._output import gathered, print_done, waiting
from ..errors import print_to_stderr
from ..options import Given, Target, opened
from ..render.text import one_line, several, when

if TYPE_CHECKING:
    from ...models import Message
    from ...store import ConversationStore

__all__ = ["clear", "rm"]

_EXCERPT: Final = 60


def rm(
    target: Target,
    conversation_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID", help="The conversations' ids, as ls shows them."),
    ] = None,
    message_id: Annotated[
        str | None,
        typer.Option(
            "--message", metavar="MESSAGE_ID", help="Only this message of the one conversation."
        ),
    ] = None,
    older_than: OlderThan = None,
    yes: Yes = False,
    given: Given = None,
) -> None:
    """Deletes conversations, or one message.

    Those that are named, or all that --older-than takes. What will be lost is shown first, and
    nothing is deleted before you agree. What is not there counts as deleted.
    """
    ids = list(dict.fromkeys(conversation_ids or []))
    if bool(ids) is (older_than is not None):
        raise typer.BadParameter("name conversations, or an age", param_hint="ID / --older-than")
    if message_id is not None and len(ids) != 1:
        raise typer.BadParameter("goes with one conversation", param_hint="--message")
    limit = age(older_than)
    with opened(target, given) as store:
        if limit is not None:
            _remove_older(store, limit, yes=yes)
        elif message_id is None:
            _remove_conversations(store, ids, yes=yes)
        else:
            _remove_message(store, ids[0], message_id, yes=yes)


def clear(target: Target, yes: Yes = False, given: Given = None) -> None:
    """Deletes every conversation of a store.

    What will be lost is shown first, and nothing is deleted before you agree.
    """
    with opened(target, given) as store:
        prepare(store, "clear_conversations", yes=yes)
        everything = gathered(store.conversations(), "conversations")
        others = store.traits.clears == "may_clear_others"
        if not everything and not others:
            print_to_stderr("there is no conversation: nothing to delete")
            return
        agree(
            f"all {several(len(everything), 'conversation')} of {store.label}",
            list(first_losses(store, everything)),
            _of_clearing(store),
            yes=yes,
        )
        store.clear_conversations()
        print_done("deleted")


def _remove_conversations(store: ConversationStore, ids: list[str], *, yes: bool) -> None:
    prepare(store, "delete_conversation", yes=yes)
    with waiting("what would be deleted"):
        losses = [loss for each in ids if (loss := loss_of(store, each)) is not None]
    if not losses:
        return
    agree(
        f"{several(len(losses), 'conversation')} of {store.label}",
        map(str, losses),
        of_deleting(store),
        yes=yes,
    )
    _delete_each(store, [loss.id for loss in losses])


def _remove_older(store: ConversationStore, limit: datetime, *, yes: bool) -> None:
    at_once = store.offers("delete_conversations")
    prepare(store, "delete_conversations" if at_once else "delete_conversation", yes=yes)
    older = gathered(store.conversations(older_than=limit), "conversations")
    if not older:
        print_to_stderr(f"no conversation was last active before {when(limit)}: nothing to delete")
        return
    agree(
        f"{several(len(older), 'conversation')} of {store.label}, not active since {when(limit)}",
        list(first_losses(store, older)),
        of_deleting(store),
        yes=yes,
    )
    if at_once:
        deleted = store.delete_conversations(older_than=limit)
        print_done(f"deleted: {several(deleted, 'conversation')}")
    else:
        _delete_each(store, [each.id for each in older])


def _delete_each(store: ConversationStore, ids: Sequence[str]) -> None:
    deleted = 0
    try:
        for each in ids:
            store.delete_conversation(each)
            deleted += 1
    finally:
        if deleted < len(ids) and len(ids) > 1:
            print_to_stderr(
                f"deleted are the first {deleted} of {len(ids)}; of the next it is not known"
            )
    print_done(f"deleted: {several(deleted, 'conversation')}")


def _remove_message(
    store: ConversationStore, conversation_id: str, message_id: str, *, yes: bool
) -> None:
    prepare(store, "delete_message", yes=yes)
    with waiting("messages"):
        message = _found(store, conversation_id, message_id)
    if message is None:
        return
    words = one_line(message.text)
    excerpt = words[:_EXCERPT] + ("…" if len(words) > _EXCERPT else "")
    told = ", ".join([message.role, when(message.created_at), one_line(message.id)])
    agree(
        f"a message of conversation {one_line(conversation_id)} of {store.label}",
        [f"{excerpt or 'no text'}  ({told})"],
        _of_deleting_message(store),
        yes=yes,
    )
    store.delete_message(conversation_id, message_id)
    print_done("deleted: 1 message")


def _of_deleting_message(store: ConversationStore) -> Iterator[str]:
    if store.traits.deletes == "may_delete_turn":
        yield "the other half of its turn, the question or the answer, may go with it"


def _of_clearing(store: ConversationStore) -> Iterator[str]:
    if store.traits.clears == "may_clear_others":
        yield (
            "conversations that this list does not show can go with them: "
            "it empties the whole app's"
        )
    yield from of_deleting(store)


def _found(store: ConversationStore, conversation_id: str, message_id: str) -> Message | None:
    """The message; None, and a word about it, when it is not there."""
    try:
        for message in store.messages(conversation_id, order="newest_first"):
            if message.id == message_id:
                return message
        absent = f"message {message_id}"
    except NotFoundError:
        absent = f"conversation {conversation_id}"
    print_to_stderr(f"{one_line(absent)} is not there: nothing to delete")
    return None
