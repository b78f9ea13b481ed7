"""Following: a copy's messages made equal to the source's, with no more writes than it takes.

Both sides are read in step. While they are alike nothing is held; from where they differ their ids
are, to tell what the source has lost from what it has rewritten.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..adapters import Operation
from ..errors import ConflictError
from ..models import Message
from ._steps import MergedMessages, MessageReader, Pages, Steps
from ._target import TargetConversation, WriteMessages


@dataclass(frozen=True, slots=True)
class _Ahead:
    """The ids that come on either side from where the two first differ."""

    ours: set[str]
    theirs: set[str]


class Synchronizer:
    """Brings a copy's messages up to the source's.

    Args:
        copy: What is written to.
        begin: Begins the source's messages anew.

    Attributes:
        generating: Whether an answer was met that is still being made.
    """

    def __init__(self, copy: TargetConversation, begin: Callable[[], Pages]) -> None:
        target = copy.target
        self._copy = copy
        self._policy = copy.policy
        self._target = target
        self._replaces = target.offers(Operation.REPLACE_MESSAGES)
        self._sets_feedback = target.offers(Operation.SET_FEEDBACK)
        self._deletes = (
            target.offers(Operation.DELETE_MESSAGE) and target.adapter.traits.deletes == "message"
        )
        self._ours = MessageReader(begin)
        self._theirs = MessageReader(copy.pages)
        self._tip: str | None = None
        self.generating = False

    def run(self) -> Steps[None]:
        """Goes along both sides while they are alike, and writes from where they are not.

        Raises:
            ConflictError: The copy has another message, and may not be rewritten.
            UnsupportedError: The target cannot do what is to be done.
        """
        ours, theirs = self._ours, self._theirs
        ahead: _Ahead | None = None
        while True:
            message, there = (yield from ours.peek()), (yield from theirs.peek())
            if message is None or there is None:
                break
            if self._are_alike(message, there):
                yield from self._go_past(ours.take(), theirs.take())
                continue
            if not self._policy.rewrite:
                raise self._another(message)
            ahead = ahead or _Ahead((yield from ours.ids()), (yield from theirs.ids()))
            if not self._may_pass(there, message, ahead):
                yield from self._rewrite(ahead)
                return
            yield from self._pass(theirs.take())
        if message is not None:
            yield from self._write_out(ours, self._target.append_messages)
        elif there is not None and self._policy.delete:
            yield from self._cut()

    # What can stay

    def _are_alike(self, message: Message, there: Message) -> bool:
        """Whether the one there can stay; its feedback may still have to be set."""
        if message == there:
            return True
        if message.id != there.id or message.status != there.status:
            return False
        if message.feedback != there.feedback and self._replaces and not self._sets_feedback:
            return not self._policy.rewrite
        return message.fingerprint() == there.fingerprint()

    def _go_past(self, message: Message, there: Message) -> Steps[None]:
        self.generating |= message.status == "generating"
        self._tip = there.id
        if message.feedback == there.feedback or not self._policy.rewrite:
            return
        if self._sets_feedback:
            make = self._target.set_feedback(self._copy.wanted.id, message.id, message.feedback)
            yield from self._copy.change(make, messages=1)
        else:
            self._copy.tally.lose("message.feedback")

    # What the source has lost

    def _may_pass(self, there: Message, message: Message, ahead: _Ahead) -> bool:
        """Whether the source has merely lost this one, and the two sides meet again behind it."""
        lost = there.id not in ahead.ours and message.id in ahead.theirs
        return lost and (self._deletes or not self._policy.delete)

    def _pass(self, there: Message) -> Steps[None]:
        if self._policy.delete:
            yield from self._delete(there)
        else:
            self._tip = there.id

    def _delete(self, there: Message) -> Steps[None]:
        make = self._target.delete_message(self._copy.wanted.id, there.id)
        yield from self._copy.change(make)

    def _cut(self) -> Steps[None]:
        """Deletes what is left of the copy."""
        if self._replaces or not self._deletes:
            yield from self._copy.store(self._replacing(), (), self._tip)
            return
        while (yield from self._theirs.peek()) is not None:
            yield from self._delete(self._theirs.take())

    # What is written

    def _rewrite(self, ahead: _Ahead) -> Steps[None]:
        """Replaces the rest; what only the copy has stays, unless it is to be deleted."""
        replacing = self._replacing()
        surplus: Mapping[str | None, Sequence[Message]] = {}
        if not self._policy.delete and ahead.theirs - ahead.ours:
            surplus = yield from self._surplus(ahead)
        yield from self._write_out(MergedMessages(self._ours, ahead.theirs, surplus), replacing)

    def _surplus(self, ahead: _Ahead) -> Steps[Mapping[str | None, Sequence[Message]]]:
        """What only the copy has, by the id of the message before it."""
        behind: defaultdict[str | None, list[Message]] = defaultdict(list)
        before: str | None = None
        while (yield from self._theirs.peek()) is not None:
            there = self._theirs.take()
            if there.id in ahead.ours:
                before = there.id
            else:
                behind[before].append(there)
        return behind

    def _replacing(self) -> WriteMessages:
        if not self._replaces:
            raise self._target.adapter.unsupported(Operation.REPLACE_MESSAGES)
        return self._target.replace_messages

    def _write_out(
        self, messages: MessageReader | MergedMessages, first: WriteMessages
    ) -> Steps[None]:
        write = first
        while chunk := (yield from messages.chunk()):
            self.generating |= any(each.status == "generating" for each in chunk)
            yield from self._copy.store(write, chunk, self._tip)
            self._tip = chunk[-1].id
            write = self._target.append_messages

    def _another(self, message: Message) -> ConflictError:
        return ConflictError(
            f"there is another conversation {self._copy.wanted.id!r} already: it has another "
            f"message in the place of {message.id!r}"
        )
