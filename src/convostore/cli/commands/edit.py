"""The commands that change or copy a stored conversation: `rename`, `pin`, `assign` and others.

Nothing is deleted here.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .._arguments import tag_values, text_or_stdin
from .._output import print_done, write
from ..options import ConversationId, Given, MessageId, Target, opened
from ..render.text import one_line

if TYPE_CHECKING:
    from ...models import Message, Part

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
    """Give a conversation another title."""
    with opened(target, given) as store:
        store.update_conversation(conversation_id, title=title)
    print_done(f"{conversation_id} is now called {title}")


def pin(
    target: Target,
    conversation_id: ConversationId,
    unpin: Annotated[bool, typer.Option("--unpin", help="Let it go again.")] = False,
    given: Given = None,
) -> None:
    """Pin a conversation to the top of the list."""
    with opened(target, given) as store:
        store.update_conversation(conversation_id, pinned=not unpin)
    print_done(f"{conversation_id} is {'no longer ' if unpin else ''}pinned")


def assign(
    target: Target,
    conversation_id: ConversationId,
    owner: Annotated[
        str | None, typer.Argument(metavar="OWNER", help="Whose conversation it is to be.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Leave it without an owner.")] = False,
    given: Given = None,
) -> None:
    """Give a conversation an owner, by whom lists and searches can be filtered."""
    if (owner is None) is not clear:
        raise typer.BadParameter("name an owner or --clear", param_hint="OWNER")
    with opened(target, given) as store:
        store.update_conversation(conversation_id, owner=owner)
    print_done(f"{conversation_id} {f'belongs to {owner}' if owner else 'has no owner'}")


def tag(
    target: Target,
    conversation_id: ConversationId,
    tags: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE",
            help="A value of yours, as JSON or else a text; KEY= takes the key away.",
        ),
    ],
    given: Given = None,
) -> None:
    """Set metadata of a conversation, which copies and exports keep.

    What is not named stays as it is.
    """
    changes = tag_values(tags)
    with opened(target, given) as store:
        store.update_conversation(conversation_id, metadata=changes)
    print_done(f"{conversation_id} is tagged")


def edit(
    target: Target,
    conversation_id: ConversationId,
    message_id: MessageId,
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="TEXT", help="The new text; - or nothing for what comes through a pipe."
        ),
    ] = None,
    given: Given = None,
) -> None:
    """Replace the text of a message, in its place.

    All else of it stays. If somebody else changes it at the same time, nothing is written.
    """
    new_text = text_or_stdin(text).strip("\r\n")
    if not new_text:
        raise typer.BadParameter("must not be empty", param_hint="TEXT")
    with opened(target, given) as store:
        stored = store.get_message(conversation_id, message_id)
        edited = stored.model_copy(update={"parts": _with_text(stored, new_text)})
        store.update_message(conversation_id, edited, was=stored)
    print_done(f"{message_id} is edited")


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
        _Rating | None, typer.Argument(metavar="good|bad", help="What you think of the answer.")
    ] = None,
    comment: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why; goes with good or bad.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Take the feedback back.")] = False,
    given: Given = None,
) -> None:
    """Say what you think of an answer, or take that back."""
    if (rating is None) is not clear:
        raise typer.BadParameter("name one of good, bad and --clear", param_hint="good|bad")
    if clear and comment is not None:
        raise typer.BadParameter("requires good or bad", param_hint="--comment")
    from ...models import Feedback

    with opened(target, given) as store:
        store.set_feedback(
            conversation_id,
            message_id,
            None if rating is None else Feedback(rating=_rating(rating), comment=comment),
        )
    print_done(f"{message_id} is rated {rating.value}" if rating else f"{message_id} is not rated")


def _rating(rating: _Rating) -> Literal["good", "bad"]:
    return "good" if rating is _Rating.GOOD else "bad"


def fork(
    target: Target,
    conversation_id: ConversationId,
    message_id: MessageId,
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The new one's; without it, the original's.")
    ] = None,
    owner: Annotated[
        str | None, typer.Option(metavar="NAME", help="The new one's; without it, the original's.")
    ] = None,
    given: Given = None,
) -> None:
    """Copy a conversation up to a message into a new one.

    That message is the copy's last. The original stays as it is. What is printed is the new
    conversation's id.
    """
    from ...models import UNSET

    with opened(target, given) as store:
        copy = store.fork_conversation(
            conversation_id,
            message_id,
            title=UNSET if title is None else title,
            owner=UNSET if owner is None else owner,
        )
    write(one_line(copy.id))
