"""`rename`, `pin` and `feedback`: what can be changed of what is there."""

from __future__ import annotations

import sys
from enum import Enum
from typing import Annotated, Literal

import typer

from .arguments import ConversationId, Given, MessageId, Target, opened
from .rim import say


class Rating(Enum):
    """What one can think of an answer."""

    GOOD = "good"
    BAD = "bad"


def rename(
    target: Target,
    conversation_id: ConversationId,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="The new title.")],
    given: Given = None,
) -> None:
    """Gives a conversation another title."""
    with opened(target, given) as store:
        store.update_conversation(conversation_id, title=title)
    done(f"{conversation_id} is now called {title}")


def pin(
    target: Target,
    conversation_id: ConversationId,
    unpin: Annotated[bool, typer.Option("--unpin", help="Let it go again.")] = False,
    given: Given = None,
) -> None:
    """Pins a conversation to the top of the list."""
    with opened(target, given) as store:
        store.update_conversation(conversation_id, pinned=not unpin)
    done(f"{conversation_id} is {'no longer ' if unpin else ''}pinned")


def feedback(
    target: Target,
    conversation_id: ConversationId,
    message_id: MessageId,
    rating: Annotated[
        Rating | None, typer.Argument(metavar="good|bad", help="What you think of the answer.")
    ] = None,
    comment: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why; goes with good or bad.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Take the feedback back.")] = False,
    given: Given = None,
) -> None:
    """Says what you think of an answer, or takes that back."""
    if (rating is None) is not clear:
        raise typer.BadParameter("say one of good, bad and --clear", param_hint="good|bad")
    if clear and comment is not None:
        raise typer.BadParameter("goes with good or bad", param_hint="--comment")
    from ..models import Feedback

    with opened(target, given) as store:
        store.set_feedback(
            conversation_id,
            message_id,
            None if rating is None else Feedback(rating=_word(rating), comment=comment),
        )
    done(f"{message_id} is rated {rating.value}" if rating else f"{message_id} is not rated")


def _word(rating: Rating) -> Literal["good", "bad"]:
    return "good" if rating is Rating.GOOD else "bad"


def done(what: str) -> None:
    """Tells people that it is done; a script has the status."""
    if sys.stderr.isatty():
        say(what)
