"""The commands `rename`, `pin`, `feedback` and `fork`: change or copy a stored conversation.

Nothing is deleted here.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Literal

import typer

from .._output import print_done, write
from ..options import ConversationId, Given, MessageId, Target, opened
from ..render.text import one_line

__all__ = ["feedback", "fork", "pin", "rename"]


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
    given: Given = None,
) -> None:
    """Copy a conversation up to a message into a new one.

    That message is the copy's last. The original stays as it is. What is printed is the new
    conversation's id.
    """
    from ...models import UNSET

    with opened(target, given) as store:
        copy = store.fork_conversation(
            conversation_id, message_id, title=UNSET if title is None else title
        )
    write(one_line(copy.id))
