"""Keeping one conversation in a store equal to what is wanted: the flow behind mirror and import.

It looks at what the target holds, compares both in step, page by page, and writes only what
differs. Nothing is carried out here, and neither lists of conversations nor files are known: a step
names its side, and whoever drives the flow knows how to take it there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from itertools import islice
from typing import Any, Final, Literal, TypeAlias, TypeVar

from .adapter import Operation
from .errors import ConflictError, NotFoundError, UnsupportedError
from .models import (
    Conversation,
    ConversationChange,
    Feedback,
    Listing,
    Message,
    NewConversation,
    Page,
    Problem,
)
from .plan import Make, Plan

T = TypeVar("T")

CHUNK: Final = 500
"""The most messages of one page that is read, and of one write."""

UNFINISHED: Final = Problem(where="convostore", what="is not copied whole yet")
"""Stands among a conversation's problems from the first write of a copy to its last."""
UNSETTLED: Final = Problem(where="convostore", what="was copied while an answer was being made")
"""Stands among a copy's problems until the answer is there."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something to be done on one side; the reply to it is what it returns.

    Attributes:
        where: On which side.
        make: On the target a flow's `Make`. On the source whatever the maker of the pages and the
            driver have agreed on: of a store again a `Make`, of a file a plain call.
    """

    where: Literal["source", "target"]
    make: Callable[[], Any]


Steps: TypeAlias = Generator[Step, Any, T]
"""A flow of steps; `flow.run` and `flow.arun` drive it as any other."""
Pages: TypeAlias = Callable[[], Steps[Sequence[Message] | None]]
"""Each call reads the next page of messages, oldest first; None behind the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How far the target is to follow.

    Attributes:
        full: Look at the messages even where the times say that nothing changed.
        new_only: Take what is there and whole for unchanged.
        delete: Delete messages that the source no longer has; else they stay.
        rewrite: Replace what differs. When False, what is there is never changed, only continued,
            and another message in the place of one is a `ConflictError`.
        dry_run: Write nothing, and report what would be.
        attempts: How often to look again when another writer came between, the first included;
            each one begins the pages anew.
    """

    full: bool = False
    new_only: bool = False
    delete: bool = False
    rewrite: bool = True
    dry_run: bool = False
    attempts: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What was done for one conversation.

    Attributes:
        messages: How many messages were written.
        losses: Fields that the target cannot hold, such as ``"conversation.files"`` or
            ``"message.raw"``, to the number of values that it lost.
    """

    outcome: Literal["copied", "updated", "unchanged"]
    messages: int = 0
    losses: Mapping[str, int] = field(default_factory=dict)


def keep(
    target: Plan,
    wanted: Conversation,
    pages: Callable[[], Pages],
    policy: Policy,
    *,
    written: Callable[[int], None] = lambda _: None,
) -> Steps[Kept]:
    """Brings one conversation of the target to what is wanted, in steps that may break off anywhere.

    Broken off, it leaves a conversation that says so in its problems, and done again it goes on.

    Args:
        target: The plan of the store to write to; see `require`.
        wanted: The conversation with the id and the origin that it is to have there, as it was
            before the first of its pages is read.
        pages: Begins its messages anew; see `pages_of` and `pages_of_store`.
        policy: How far to follow.
        written: Told after each write (in a dry run: instead of it) how many messages it was of.

    Raises:
        ConflictError: Another writer came between each time, or the id is taken by another
            conversation.
        UnsupportedError: Messages differ, and the target cannot replace any.
        StoreError: What a step ended in.
    """
    raise NotImplementedError


def require(target: Plan) -> None:
    """Refuses a target that cannot be written to.

    Raises:
        UnsupportedError: It cannot create conversations or append messages.
    """


def pages_of(messages: Iterable[Message]) -> Pages:
    """Pages of messages that are read one by one, as from a file.

    Each step's `make` is a plain call that reads the next page; it may be made in a thread.
    """
    raise NotImplementedError


def pages_of_store(source: Plan, conversation_id: str) -> Pages:
    """Pages of a conversation in a store; each step's `make` makes a flow of that store."""
    raise NotImplementedError
