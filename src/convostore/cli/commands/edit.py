"""The commands that change or copy a stored conversation: `rename`, `pin`, `assign` and others.

Nothing is deleted here.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from .._arguments import tag_values, text_or_stdin
from .._lookup import find_message_id, with_id
from .._output import print_done, write
from ..options import ConversationId, Given, MessageId, Target, opened
from ..render.text import one_line

if TYPE_CHECKING:
    from ...models import Message, Part
    from ...store import ConversationStore

__all__ = ["assign", "edit", "feedback", "fork", "pin", "rename", "tag"]


class _Rating(Enum):
    """The ratings of an answer."""

    GOOD = "good"
    BAD = "bad"


def rename(
    target: Target,
    conversation_id: ConversationId,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="The new title.")],
    given: Given = None,
) -> None:
    """Rename a conversation."""
    with opened(target, given) as store:
        id = _update(store, conversation_id, title=title)
    print_done(f"{id} is now called {title}")


def pin(
    target: Target,
    conversation_id: ConversationId,
    unpin: Annotated[bool, typer.Option("--unpin", help="Unpin it.")] = False,
    given: Given = None,
) -> None:
    """Pin a conversation to the top of the list."""
    with opened(target, given) as store:
        id = _update(store, conversation_id, pinned=not unpin)
    print_done(f"{id} is {'no longer ' if unpin else ''}pinned")


def assign(
    target: Target,
    conversation_id: ConversationId,
    owner: Annotated[str | None, typer.Argument(metavar="OWNER", help="The new owner.")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Remove the owner.")] = False,
    given: Given = None,
) -> None:
    """Set the owner of a conversation, or remove it.

    Lists and searches can be filtered by owner.
    """
    if (owner is None) is not clear:
        raise typer.BadParameter("name an owner, or use --clear", param_hint="OWNER")
    with opened(target, given) as store:
        id = _update(store, conversation_id, owner=owner)
    print_done(f"{id} {f'belongs to {owner}' if owner else 'has no owner'}")


def tag(
    target: Target,
    conversation_id: ConversationId,
    tags: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE",
            help="A key and its value, as JSON or else text; KEY= removes the key.",
        ),
    ],
    given: Given = None,
) -> None:
    """Set metadata of a conversation.

    Other keys are left unchanged. Copies and exports keep the metadata.
    """
    changes = tag_values(tags)
    with opened(target, given) as store:
        id = _update(store, conversation_id, metadata=changes)
    print_done(f"{id} is tagged")


def _update(store: ConversationStore, word: str, **changes: Any) -> str:
    """Change the conversation that a word means, and return its id."""

    def update(id: str) -> str:
        store.update_conversation(id, **changes)
        return id

    return with_id(store, word, update)


def edit(
    target: Target,
    conversation_id: ConversationId,
    message_id: MessageId,
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="TEXT", help="The new text; without it, or with -, it is read from a pipe."
        ),
    ] = None,
    given: Given = None,
) -> None:
    """Replace the text of a message.

    Everything else about the message is left unchanged. If another client changes it at the same
    time, nothing is written.
    """
    new_text = text_or_stdin(text).strip("\r\n")
    if not new_text:
        raise typer.BadParameter("must not be empty", param_hint="TEXT")

    def replace(id: str) -> str:
        stored = store.get_message(id, find_message_id(store, id, message_id))
        edited = stored.model_copy(update={"parts": _with_text(stored, new_text)})
        store.update_message(id, edited, was=stored)
        return stored.id

    with opened(target, given) as store:
        edited_id = with_id(store, conversation_id, replace)
    print_done(f"{edited_id} is edited")


def _with_text(message: Message, text: str) -> tuple[Part, ...]:
    """Return a message's parts with a text in place of those that it has."""
    from ...models import TextPart

    is_text = [isinstance(part, TextPart) for part in message.parts]
    place = is_text.index(True) if any(is_text) else 0
    others = [part for part in message.parts if not isinstance(part, TextPart)]
    before = place - sum(is_text[:place])
    return (*others[:before], TextPart(text=text), *others[before:])


def feedback(
    target: Target,
    conversation_id: ConversationId,
    message_id: MessageId,
    rating: Annotated[
        _Rating | None, typer.Argument(metavar="good|bad", help="Your rating of the answer.")
    ] = None,
    comment: Annotated[
        str | None, typer.Option(metavar="TEXT", help="A comment on the rating.")
    ] = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Remove the rating and its comment.")
    ] = False,
    given: Given = None,
) -> None:
    """Rate an answer, or remove the rating."""
    if (rating is None) is not clear:
        raise typer.BadParameter("write good, bad or --clear", param_hint="good|bad")
    if clear and comment is not None:
        raise typer.BadParameter("requires good or bad", param_hint="--comment")
    from ...models import Feedback

    feedback = None if rating is None else Feedback(rating=_rating(rating), comment=comment)

    def rate(id: str) -> str:
        rated_id = find_message_id(store, id, message_id)
        store.set_feedback(id, rated_id, feedback)
        return rated_id

    with opened(target, given) as store:
        rated_id = with_id(store, conversation_id, rate)
    print_done(f"{rated_id} is rated {rating.value}" if rating else f"{rated_id} is not rated")


def _rating(rating: _Rating) -> Literal["good", "bad"]:
    return "good" if rating is _Rating.GOOD else "bad"


def fork(
    target: Target,
    conversation_id: ConversationId,
    message_id: MessageId,
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The title of the copy; by default the same.")
    ] = None,
    owner: Annotated[
        str | None, typer.Option(metavar="NAME", help="The owner of the copy; by default the same.")
    ] = None,
    given: Given = None,
) -> None:
    """Copy a conversation up to a message.

    The copy includes the message. The original is left unchanged. The new conversation's id is
    printed.
    """
    from ...models import UNSET

    with opened(target, given) as store:
        copy = with_id(
            store,
            conversation_id,
            lambda whole: store.fork_conversation(
                whole,
                find_message_id(store, whole, message_id),
                title=UNSET if title is None else title,
                owner=UNSET if owner is None else owner,
            ),
        )
    write(one_line(copy.id))
