"""A copy while it is being written: its marks, its writes one by one, and what they came to.

The rules that `keeping` and `following` share. Which messages are to be written is decided there;
nothing is carried out here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, cast

from ..adapters import Operation
from ..errors import ConflictError, NotFoundError
from ..models import Conversation, Message, NewConversation, Problem
from ..store._operations import AnyFlow, FlowFactory, Operations
from ._steps import CHUNK, Pages, Step, Steps, no_pages, pages_of_store

WriteMessages: TypeAlias = Callable[
    [str, Sequence[Message], str | None], FlowFactory[tuple[Message, ...]]
]
"""`Operations.append_messages` or `Operations.replace_messages`."""

UNFINISHED: Final = Problem(where="convostore", what="is not copied whole yet")
"""Stands among a copy's problems from the first write to its messages until the last."""
UNSETTLED: Final = Problem(where="convostore", what="was copied while an answer was being made")
"""Stands among a copy's problems until the answer is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpsertPolicy:
    """How far the target is to follow.

    Attributes:
        full: Look at the messages even where the times say that nothing changed.
        new_only: Take what is there and whole for unchanged.
        delete: Delete messages that the source no longer has; else they stay.
        rewrite: Replace what differs. When False, what is there is never changed, only continued,
            and another message in the place of one is a `ConflictError`.
        dry_run: Write nothing, and report what would be.
        attempts: How often to look when another writer comes between, the first look included;
            each begins the pages anew.
    """

    full: bool = False
    new_only: bool = False
    delete: bool = False
    rewrite: bool = True
    dry_run: bool = False
    attempts: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class UpsertResult:
    """What was done for one conversation.

    Attributes:
        messages: How many messages were written.
        losses: Fields that the target cannot hold, such as ``"conversation.files"`` or
            ``"message.raw"``, to the number of values that were lost.
    """

    outcome: Literal["copied", "updated", "unchanged"]
    messages: int = 0
    losses: Mapping[str, int] = field(default_factory=dict)


class WriteStats:
    """What was done for one conversation, by all attempts together.

    Args:
        written: Told after each write how many messages it was of.
    """

    def __init__(self, written: Callable[[int], None]) -> None:
        self._written = written
        self._is_new: bool | None = None
        self._messages = 0
        self._losses: Counter[str] = Counter()
        self.wrote = False

    def find(self, held: Conversation | None) -> None:
        """Notes what the target held at first."""
        if self._is_new is None:
            self._is_new = held is None

    def write(self, messages: int = 0) -> None:
        """Notes a write."""
        self.wrote = True
        self._messages += messages
        self._written(messages)

    def lose(self, *fields: str) -> None:
        """Notes fields that hold something and cannot be written."""
        self._losses.update(fields)

    def compare(self, sent: Sequence[Message], stored: Sequence[Message]) -> None:
        """Notes fields that held something and came back empty."""
        for ours, theirs in zip(sent, stored, strict=False):
            if ours is theirs or ours == theirs:
                continue
            for name in Message.model_fields:
                if not getattr(theirs, name) and getattr(ours, name) != getattr(theirs, name):
                    self.lose(f"message.{name}")

    def kept(self) -> UpsertResult:
        """All of it; what cannot be held counts only where something was written."""
        if not self.wrote:
            return UpsertResult(outcome="unchanged")
        return UpsertResult(
            outcome="copied" if self._is_new else "updated",
            messages=self._messages,
            losses=dict(self._losses),
        )


@dataclass(frozen=True, slots=True)
class _Write:
    """Something to be written, of how many messages, and which of them come back as stored."""

    make: FlowFactory[object]
    messages: int
    sent: Sequence[Message]


def _in_turn(writes: Sequence[_Write]) -> AnyFlow[list[object]]:
    replies: list[object] = []
    for each in writes:
        reply = yield from each.make()
        replies.append(reply)
    return replies


class TargetConversation:
    """A conversation of the target, while it is looked at and written.

    Args:
        target: The plan of the store that it is in.
        wanted: What it is to be.
        held: What it is; None when it is not there.
        policy: How far it is to follow.
        tally: Where each write is noted.
    """

    def __init__(
        self,
        target: Operations,
        wanted: Conversation,
        held: Conversation | None,
        policy: UpsertPolicy,
        tally: WriteStats,
    ) -> None:
        self.target = target
        self.wanted = wanted
        self.held = held
        self.policy = policy
        self.tally = tally
        self.begun = False
        self._waiting: list[_Write] = []
        self._waiting_messages = 0
        self.puts = target.offers(Operation.PUT_CONVERSATION)

    @property
    def is_whole(self) -> bool:
        """Whether the last run came to its end and has nothing to come back for."""
        if self.held is None or not self.puts:
            return False
        return UNFINISHED not in self.held.problems and UNSETTLED not in self.held.problems

    @property
    def stands_still(self) -> bool:
        """Whether the times say that nothing was written since the last run."""
        time = self.wanted.updated_at
        return time is not None and self.held is not None and self.held.updated_at == time

    def pages(self) -> Pages:
        """Its messages."""
        if self.held is None:
            return no_pages()
        pages = pages_of_store(self.target, self.wanted.id, where="target", size=CHUNK)

        def next_page() -> Steps[Sequence[Message] | None]:
            try:
                return (yield from pages())
            except NotFoundError as error:
                raise self._deleted_meanwhile() from error

        return next_page

    def begin(self) -> Steps[None]:
        """Before the first write to its messages, makes it, or marks it as not whole."""
        if self.begun:
            return
        self.begun = True
        if self.puts:
            marked = with_problem(self.held or self.wanted, UNFINISHED)
            yield from self.write(self.target.put_conversation(marked))
        elif self.held is None:
            yield from self.write(self._create())
        else:
            self.tally.write()

    def change(self, make: FlowFactory[object], messages: int = 0) -> Steps[None]:
        """Writes to its messages."""
        yield from self.begin()
        yield from self.write(make, messages)

    def store(
        self, write: WriteMessages, messages: Sequence[Message], after: str | None
    ) -> Steps[None]:
        """Writes messages behind another one."""
        yield from self.begin()
        make = write(self.wanted.id, messages, after)
        yield from self.write(make, len(messages), sent=messages)

    def write(
        self, make: FlowFactory[object], messages: int = 0, *, sent: Sequence[Message] = ()
    ) -> Steps[None]:
        """Does what `make` makes, except in a dry run; unlike `change`, it leaves no mark.

        It waits for what is written next, for as long as there is room: what goes together is one
        step, for which a database needs one transaction.

        Raises:
            ConflictError: The copy was deleted since it was found.
        """
        if self._waiting and self._waiting_messages + messages > CHUNK:
            yield from self.flush()
        self._waiting.append(_Write(make, messages, sent))
        self._waiting_messages += messages

    def flush(self) -> Steps[None]:
        """Does what waits to be written.

        Raises:
            ConflictError: The copy was deleted since it was found.
        """
        writes, self._waiting, self._waiting_messages = self._waiting, [], 0
        if not writes:
            return
        replies: Sequence[object] = [()] * len(writes)
        if not self.policy.dry_run:
            try:
                replies = yield Step("target", lambda: _in_turn(writes))
            except NotFoundError as error:
                raise self._deleted_meanwhile() from error
        for each, reply in zip(writes, replies, strict=True):
            if each.sent:
                self.tally.compare(each.sent, cast("Sequence[Message]", reply))
            self.tally.write(each.messages)

    def _create(self) -> FlowFactory[object]:
        wanted = self.wanted
        new = NewConversation(
            id=wanted.id, title=wanted.title, created_at=wanted.created_at, origin=wanted.origin
        )
        return self.target.create_conversation(new)

    def _deleted_meanwhile(self) -> ConflictError:
        return ConflictError(f"the copy {self.wanted.id!r} was deleted while it was looked at")


def with_problem(conversation: Conversation, problem: Problem) -> Conversation:
    """The conversation with one problem more, unless it has it."""
    problems = dict.fromkeys([*conversation.problems, problem])
    return conversation.model_copy(update={"problems": tuple(problems)})
