"""One conversation of the target while it is written: its marks, its batches, and the result.

Which messages are written is decided in `_diff`, and when a conversation is done in `_upsert`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import dropwhile
from typing import Final, Literal, cast

from ..adapters import Operation
from ..errors import ConflictError, NotFoundError
from ..models import UNSET, Conversation, Message, Problem, Unset
from ..store import BATCH_LIMIT, WriteCall
from ._calls import Steps, Store, TargetCall
from ._fields import KEPT_FIELDS, fields_to_write
from ._pages import CHUNK, Pages, target_pages

UNFINISHED: Final = Problem(where="convostore", what="is not copied whole yet")
"""Among a copy's problems from the first write to its messages until the last."""
UNSETTLED: Final = Problem(where="convostore", what="was copied while an answer was being made")
"""Among a copy's problems until the answer is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpsertPolicy:
    """The extent to which the target follows the source.

    Attributes:
        full: Whether to look at the messages even where the times say that nothing changed.
        new_only: Whether to count what is there and whole as unchanged.
        delete: Whether to delete messages that the source no longer has; else they stay.
        rewrite: Whether to replace what differs. When False, what is there is never changed, only
            continued, and another message in the place of one is a `ConflictError`.
        dry_run: Whether to write nothing, and report what would be written.
        attempts: How often to look when another writer comes between, the first look included;
            each begins the pages again.
        followed: The fields of `Traits.keeps` in which a conversation that is there follows the
            source; in the others it keeps its own.
        trusts_times: Whether equal times say that nothing changed, where there is no revision.
    """

    full: bool = False
    new_only: bool = False
    delete: bool = False
    rewrite: bool = True
    dry_run: bool = False
    attempts: int = 2
    followed: Collection[str] = KEPT_FIELDS
    trusts_times: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class UpsertResult:
    """The result of an upsert of one conversation.

    Attributes:
        messages: How many messages were written.
        losses: Fields that the target cannot hold, such as ``"conversation.files"`` or
            ``"message.raw"``, to the number of values that were lost.
    """

    outcome: Literal["copied", "updated", "unchanged"]
    messages: int = 0
    losses: Mapping[str, int] = field(default_factory=dict)


class WriteStats:
    """The counts of what was written for one conversation, by all attempts together.

    Args:
        report: Called after each write with the number of its messages.

    Attributes:
        tip: The last message as it was when the copy was first read to its end, or as it was
            written since; UNSET before.
    """

    def __init__(self, report: Callable[[int], None]) -> None:
        self._report = report
        self._is_new: bool | None = None
        self._messages = 0
        self._losses: Counter[str] = Counter()
        self.wrote = False
        self.tip: str | Unset | None = UNSET

    def find(self, existing: Conversation | None) -> None:
        """Record what the target held at first."""
        if self._is_new is None:
            self._is_new = existing is None

    def see(self, tip: str | None) -> None:
        """Record the last message that the target held at first."""
        if self.tip is UNSET:
            self.tip = tip

    def foreign(self, ids: Collection[str]) -> frozenset[str]:
        """Return those of the ids that follow the tip; all if the tip is not among them."""
        if self.tip is UNSET:
            return frozenset()
        after = dropwhile(lambda message_id: message_id != self.tip, ids)
        next(after, None)
        return frozenset(after if self.tip in ids else ids)

    def write(self, messages: int = 0) -> None:
        """Count a write."""
        self.wrote = True
        self._messages += messages
        self._report(messages)

    def lose(self, *fields: str) -> None:
        """Count fields that hold something and cannot be written."""
        self._losses.update(fields)

    def compare(self, sent: Sequence[Message], stored: Sequence[Message]) -> None:
        """Count fields that held something and came back empty."""
        for ours, theirs in zip(sent, stored, strict=False):
            if ours is theirs or ours == theirs:
                continue
            for name in Message.model_fields.keys() - {"stored_at"}:
                if not getattr(theirs, name) and getattr(ours, name) != getattr(theirs, name):
                    self.lose(f"message.{name}")

    def result(self) -> UpsertResult:
        """Return all of it; losses count only where something was written."""
        if not self.wrote:
            return UpsertResult(outcome="unchanged")
        return UpsertResult(
            outcome="copied" if self._is_new else "updated",
            messages=self._messages,
            losses=dict(self._losses),
        )


@dataclass(frozen=True, slots=True)
class _Write:
    """A write, the number of messages that it counts for, and those that come back as stored.

    Attributes:
        call: Makes the call, of the copy as it is when the write is sent.
    """

    call: Callable[[], WriteCall]
    messages: int = 0
    sent: Sequence[Message] = ()


class TargetConversation:
    """A conversation of the target while it is compared and written.

    Args:
        target: The store that it is in.
        wanted: What a new copy would be.
        existing: What it is; None when it is not there.
        policy: How far it follows.
        stats: Where each write is counted.

    Attributes:
        wanted: What it should be.
        lost: The fields that it cannot hold.
    """

    def __init__(
        self,
        target: Store,
        wanted: Conversation,
        existing: Conversation | None,
        policy: UpsertPolicy,
        stats: WriteStats,
    ) -> None:
        self.target = target
        self.policy = policy
        self._original = wanted
        self._find(existing)
        self.stats = stats
        self.begun = False
        self._queue: list[_Write] = []
        self._queued_messages = 0
        self._puts_queued = False
        self.puts = target.offers(Operation.PUT_CONVERSATION)

    def _find(self, existing: Conversation | None) -> None:
        self.existing = existing
        self.wanted, self.lost = fields_to_write(
            existing, self._original, self.policy.followed, self.target.traits.keeps
        )

    @property
    def is_whole(self) -> bool:
        """Whether the last run came to its end and has nothing to come back for."""
        if self.existing is None or not self.puts:
            return False
        problems = self.existing.problems
        return UNFINISHED not in problems and UNSETTLED not in problems

    @property
    def is_up_to_date(self) -> bool:
        """Whether it is known that nothing was written to the original since the last run."""
        if self.existing is None:
            return False
        if (revision := _revision(self.wanted)) is not None:
            return revision == _revision(self.existing)
        time = self.wanted.updated_at
        return self.policy.trusts_times and time is not None and self.existing.updated_at == time

    def pages(self) -> Pages:
        """Return the pages of its messages."""
        pages = target_pages(self.target, self.wanted.id)

        def next_page() -> Steps[Sequence[Message] | None]:
            if self.existing is None:
                return None
            try:
                return (yield from pages())
            except NotFoundError as error:
                raise self._deleted_meanwhile() from error

        return next_page

    def begin(self) -> Steps[None]:
        """Before the first write to its messages, create it or mark it as unfinished."""
        if self.begun:
            return
        self.begun = True
        if self.puts:
            yield from self.put(lambda: with_problem(self.existing or self.wanted, UNFINISHED))
        elif self.existing is None:
            yield from self.write(self._creation())
        else:
            self.stats.write()

    def change(self, call: WriteCall, messages: int = 0) -> Steps[None]:
        """Write to one of its messages."""
        yield from self.begin()
        yield from self.write(call, messages)

    def append(self, messages: Sequence[Message], after: str | None) -> Steps[None]:
        """Append messages after the one that is taken for the last."""
        call = WriteCall(Operation.APPEND_MESSAGES, self.wanted.id, messages, after=after)
        yield from self._store(call, messages)

    def replace(
        self, messages: Sequence[Message], after: str | None, tip: str | None
    ) -> Steps[None]:
        """Replace the messages after another one, if `tip` is still the last of them."""
        call = WriteCall(Operation.REPLACE_MESSAGES, self.wanted.id, messages, after=after, tip=tip)
        yield from self._store(call, messages)

    def _store(self, call: WriteCall, messages: Sequence[Message]) -> Steps[None]:
        yield from self.begin()
        yield from self.write(call, len(messages), sent=messages)

    def write(
        self, call: WriteCall, messages: int = 0, *, sent: Sequence[Message] = ()
    ) -> Steps[None]:
        """Queue a write, which leaves no mark; `flush` sends it together with those around it.

        Raises:
            ConflictError: The copy was deleted since it was found.
        """
        is_full = self._queued_messages + messages > CHUNK or len(self._queue) == BATCH_LIMIT
        if self._queue and is_full:
            yield from self.flush()
        self._queue.append(_Write(lambda: call, messages, sent))
        self._queued_messages += messages

    def put(self, make: Callable[[], Conversation]) -> Steps[None]:
        """Queue a write of all fields, which are made when it is sent: others write them, too."""
        if len(self._queue) == BATCH_LIMIT:
            yield from self.flush()
        self._queue.append(_Write(lambda: WriteCall(Operation.PUT_CONVERSATION, make())))
        self._puts_queued = True

    def flush(self) -> Steps[None]:
        """Send the queued writes, except in a dry run.

        They are one batch where the target stores it whole. Elsewhere they are sent one by one, so
        that those before one that fails are counted.

        Raises:
            ConflictError: The copy was deleted since it was found.
        """
        writes, self._queue, self._queued_messages = self._queue, [], 0
        if self._puts_queued and self.existing is not None and not self.policy.dry_run:
            yield from self._find_again()
        self._puts_queued = False
        size = len(writes) if self.target.traits.batches == "atomic" else 1
        for start in range(0, len(writes), size or 1):
            yield from self._flush(writes[start : start + size])

    def _find_again(self) -> Steps[None]:
        """Look at the copy again: what others have set there meanwhile is its own."""
        try:
            self._find((yield TargetCall(lambda store: store.get_conversation(self._original.id))))
        except NotFoundError as error:
            raise self._deleted_meanwhile() from error

    def _flush(self, writes: Sequence[_Write]) -> Steps[None]:
        results = yield from self._send([write.call() for write in writes])
        for write, result in zip(writes, results, strict=True):
            if write.sent:
                self.stats.compare(write.sent, cast("Sequence[Message]", result))
                self.stats.tip = write.sent[-1].id
            self.stats.write(write.messages)

    def _send(self, calls: Sequence[WriteCall]) -> Steps[Sequence[object]]:
        if self.policy.dry_run:
            return [()] * len(calls)
        try:
            results: Sequence[object] = yield TargetCall(
                lambda store: store.write_batch(calls, atomic=False)
            )
        except NotFoundError as error:
            raise self._deleted_meanwhile() from error
        return results

    def _deleted_meanwhile(self) -> ConflictError:
        return ConflictError(
            f"the copy {self.wanted.id!r} was deleted during the run: run it again"
        )

    def _creation(self) -> WriteCall:
        wanted = _unproven(self.wanted)
        options: dict[str, object] = {name: getattr(wanted, name) for name in _CREATED}
        changes = self.target.traits.changes
        options |= {
            name: getattr(wanted, name) for name in ("owner", "metadata") if name in changes
        }
        return WriteCall(Operation.CREATE_CONVERSATION, **options)


_CREATED: Final = ("id", "title", "created_at", "origin")


def _revision(copy: Conversation) -> str | None:
    return None if copy.origin is None else copy.origin.revision


def _unproven(copy: Conversation) -> Conversation:
    """Return a copy without the revision of which it is whole."""
    if copy.origin is None or copy.origin.revision is None:
        return copy
    return copy.trusted_copy(origin=copy.origin.trusted_copy(revision=None))


def with_problem(conversation: Conversation, problem: Problem) -> Conversation:
    """Return the conversation with one more problem, unless it has that already."""
    problems = dict.fromkeys([*conversation.problems, problem])
    return _unproven(conversation).trusted_copy(problems=tuple(problems))
