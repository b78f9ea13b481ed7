"""The commands `rm`, `pop` and `clear`: show what would be lost, ask, and only then delete.

How that is shown and asked belongs to `_confirm`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ...errors import NotFoundError
from .._completion import complete_conversation, complete_message
from .._confirm import Yes, confirm, delete_warnings, find_loss, first_losses, prepare
from .._filters import OlderThan, Owner, WithoutOwner, parse_older_than, parse_owner
from .._lookup import LAST, find_id, find_message_id
from .._output import (
    AsJSON,
    Form,
    WithRaw,
    choose_form,
    collect,
    plain,
    print_done,
    waiting,
    write,
    write_json,
)
from ..errors import print_to_stderr
from ..options import Given, NamedTarget, opened
from ..render.text import one_line, printable, several
from ..render.times import when

if TYPE_CHECKING:
    from ...models import Message, Unset
    from ...store import ConversationStore

__all__ = ["clear", "pop", "rm"]

_EXCERPT: Final = 60


def rm(
    target: NamedTarget,
    conversation_ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ID",
            autocompletion=complete_conversation,
            help="The conversations' ids, as shown by ls.",
        ),
    ] = None,
    message_id: Annotated[
        str | None,
        typer.Option(
            "--message",
            metavar="MESSAGE_ID",
            autocompletion=complete_message,
            help="Delete only this message of the conversation.",
        ),
    ] = None,
    older_than: OlderThan = None,
    owner: Owner = None,
    without_owner: WithoutOwner = False,
    yes: Yes = False,
    given: Given = None,
) -> None:
    """Delete conversations, or one message.

    Name the conversations, or delete all that are older than an age or belong to an owner. You are
    shown what will be lost, and asked before anything is deleted. Deleting what does not exist is
    not an error.
    """
    ids = list(conversation_ids or [])
    by_filter = older_than is not None or owner is not None or without_owner
    if bool(ids) is by_filter:
        raise typer.BadParameter(
            "after the store, name conversations, or an age or an owner",
            param_hint="ID / --older-than / --owner",
        )
    if message_id is not None and len(ids) != 1:
        raise typer.BadParameter("requires exactly one conversation", param_hint="--message")
    limit = parse_older_than(older_than)
    whose = parse_owner(owner, without=without_owner)
    _refuse_last(ids)
    with opened(target, given) as store:
        if by_filter:
            _remove_matching(store, limit, whose, yes=yes)
        elif message_id is None:
            _remove_conversations(store, ids, yes=yes)
        else:
            _remove_message(store, ids[0], message_id, yes=yes)


def pop(
    target: NamedTarget,
    conversation_id: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            autocompletion=complete_conversation,
            help="The conversation's id, as shown by ls.",
        ),
    ],
    yes: Yes = False,
    as_json: AsJSON = False,
    raw: WithRaw = False,
    given: Given = None,
) -> None:
    """Delete the last message of a conversation, and print it.

    You are shown the message and asked. It is deleted only if it is still the last one.
    """
    form = choose_form(as_json=as_json, as_lines=False, raw=raw)
    _refuse_last([conversation_id])
    with opened(target, given) as store:
        prepare(store, "pop_message", yes=yes)
        conversation_id = _whole_id(store, conversation_id, yes=yes)
        page = store.list_messages(conversation_id, limit=1, order="newest_first")
        if not page.items:
            print_to_stderr("no messages: nothing to delete")
            return
        (last,) = page.items
        _confirm_message(store, conversation_id, last, yes=yes)
        message = store.pop_message(conversation_id, tip=last.id) or last
    if form is Form.JSON:
        write_json(plain(message, raw=raw), indent=2)
    else:
        write(printable(message.text))


def clear(target: NamedTarget, yes: Yes = False, given: Given = None) -> None:
    """Delete all conversations of a store.

    You are shown what will be lost, and asked before anything is deleted.
    """
    with opened(target, given) as store:
        prepare(store, "clear_conversations", yes=yes)
        everything = collect(store.conversations(), "conversations")
        others = store.traits.clears == "may_clear_others"
        if not everything and not others:
            print_to_stderr("no conversations: nothing to delete")
            return
        confirm(
            f"all {several(len(everything), 'conversation')} of {store.label}",
            list(first_losses(store, everything)),
            _clear_warnings(store),
            yes=yes,
        )
        store.clear_conversations()
        print_done("deleted")


def _refuse_last(ids: Sequence[str]) -> None:
    if LAST in ids:
        raise typer.BadParameter(
            f"must name the conversation to delete from, not {LAST}", param_hint="ID"
        )


def _whole_id(store: ConversationStore, word: str, *, yes: bool) -> str:
    """Return the id that a word means; with `yes`, where nobody is asked, the word itself."""
    return word if yes else find_id(store, word)


def _remove_conversations(store: ConversationStore, ids: list[str], *, yes: bool) -> None:
    prepare(store, "delete_conversation", yes=yes)
    with waiting("what would be deleted"):
        whole = dict.fromkeys(_whole_id(store, id, yes=yes) for id in ids)
        losses = [loss for id in whole if (loss := find_loss(store, id)) is not None]
    if not losses:
        return
    confirm(
        f"{several(len(losses), 'conversation')} of {store.label}",
        map(str, losses),
        delete_warnings(store),
        yes=yes,
    )
    _delete_each(store, [loss.id for loss in losses])


def _remove_matching(
    store: ConversationStore, limit: datetime | None, owner: str | Unset | None, *, yes: bool
) -> None:
    at_once = store.offers("delete_conversations")
    prepare(store, "delete_conversations" if at_once else "delete_conversation", yes=yes)
    found = collect(store.conversations(older_than=limit, owner=owner), "conversations")
    which = _filter_in_words(limit, owner)
    if not found:
        print_to_stderr(f"no conversations{which}: nothing to delete")
        return
    confirm(
        f"{several(len(found), 'conversation')} of {store.label}{which}",
        list(first_losses(store, found)),
        delete_warnings(store),
        yes=yes,
    )
    if at_once:
        deleted = store.delete_conversations(owner=owner, older_than=limit)
        print_done(f"deleted: {several(deleted, 'conversation')}")
    else:
        _delete_each(store, [conversation.id for conversation in found])


def _filter_in_words(limit: datetime | None, owner: str | Unset | None) -> str:
    from ...models import UNSET

    whose = "" if owner is UNSET else ", without an owner" if owner is None else f", of {owner}"
    return one_line(whose + (f", not active since {when(limit)}" if limit else ""))


def _delete_each(store: ConversationStore, ids: Sequence[str]) -> None:
    deleted = 0
    try:
        for conversation_id in ids:
            store.delete_conversation(conversation_id)
            deleted += 1
    finally:
        if deleted < len(ids) and len(ids) > 1:
            print_to_stderr(
                f"deleted the first {deleted} of {len(ids)}; the next one may be deleted or not"
            )
    print_done(f"deleted: {several(deleted, 'conversation')}")


def _remove_message(
    store: ConversationStore, conversation_id: str, message_id: str, *, yes: bool
) -> None:
    prepare(store, "delete_message", yes=yes)
    conversation_id = _whole_id(store, conversation_id, yes=yes)
    if not yes:
        message_id = _whole_message_id(store, conversation_id, message_id)
    with waiting("messages"):
        message = _find_message(store, conversation_id, message_id)
    if message is None:
        return
    _confirm_message(store, conversation_id, message, yes=yes)
    is_gone_already = store.delete_message(conversation_id, message_id) is False
    print_done("another client has deleted it already" if is_gone_already else "deleted: 1 message")


def _whole_message_id(store: ConversationStore, conversation_id: str, word: str) -> str:
    try:
        return find_message_id(store, conversation_id, word)
    except NotFoundError:
        return word  # which is reported where the message is looked for


def _confirm_message(
    store: ConversationStore, conversation_id: str, message: Message, *, yes: bool
) -> None:
    line = one_line(message.text)
    excerpt = line[:_EXCERPT] + ("…" if len(line) > _EXCERPT else "")
    facts = ", ".join([message.role, when(message.created_at), one_line(message.id)])
    confirm(
        f"a message of conversation {one_line(conversation_id)} of {store.label}",
        [f"{excerpt or 'no text'}  ({facts})"],
        _message_warnings(store),
        yes=yes,
    )


def _message_warnings(store: ConversationStore) -> Iterator[str]:
    if store.traits.deletes == "may_delete_turn":
        yield "the other half of the turn, its question or its answer, may be deleted as well"


def _clear_warnings(store: ConversationStore) -> Iterator[str]:
    if store.traits.clears == "may_clear_others":
        yield ("this empties the whole app, including conversations that are not listed here")
    yield from delete_warnings(store)


def _find_message(
    store: ConversationStore, conversation_id: str, message_id: str
) -> Message | None:
    """Return the message; None, with a notice, if it does not exist."""
    try:
        if store.offers("get_message"):
            return store.get_message(conversation_id, message_id)
        for message in store.messages(conversation_id, order="newest_first"):
            if message.id == message_id:
                return message
        absent = f"message {message_id} not found"
    except NotFoundError as error:
        absent = str(error)
    print_to_stderr(f"{one_line(absent)}: nothing to delete")
    return None
