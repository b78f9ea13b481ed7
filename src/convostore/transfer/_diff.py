"""Diff: the messages of a copy made equal to the source's, with as few writes as possible.

Both sides are read in step. While they are alike nothing is held; from where they first differ the
ids of both sides are, to tell apart what the source has lost and what it has rewritten.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..adapters import Operation
from ..errors import ConflictError
from ..models import Message
from ..store import WriteCall
from ._calls import Steps
from ._pages import MergedMessages, MessageReader, Pages
from ._target import TargetConversation


@dataclass(frozen=True, slots=True)
class _Ahead:
    """The ids that follow on either side from where the two first differ."""

    ours: set[str]
    theirs: set[str]


class Synchronizer:
    """The comparison of a copy's messages with the source's, and the writes that make them equal.

    Args:
        copy: The conversation to write to.
        begin: Begins the source's messages anew.

    Attributes:
        generating: Whether one of the source's answers is still being made.
    """

    def __init__(self, copy: TargetConversation, begin: Callable[[], Pages]) -> None:
        target = copy.target
        self._copy = copy
        self._policy = copy.policy
        self._target = target
        self._replaces = target.offers(Operation.REPLACE_MESSAGES)
        self._sets_feedback = target.offers(Operation.SET_FEEDBACK)
        self._deletes = (
            target.offers(Operation.DELETE_MESSAGE) and target.traits.deletes == "message"
        )
        self._ours = MessageReader(begin)
        self._theirs = MessageReader(copy.pages)
        self._tip: str | None = None
        self.generating = False

    def run(self) -> Steps[None]:
        """Compare both sides from the beginning, and write from where they differ.

        Raises:
            ConflictError: The copy has another message, and must not be rewritten.
            UnsupportedError: The target lacks an operation that is needed.
        """
        ahead: _Ahead | None = None
        while (yield from self._fill()):
            message, existing = self._ours.held[0], self._theirs.held[0]
            if self._are_alike(message, existing):
                yield from self._keep_next()
                continue
            if not self._policy.rewrite:
                raise self._another(message)
            ahead = ahead or _Ahead((yield from self._ours.ids()), (yield from self._theirs.ids()))
            if not self._is_lost(existing, message, ahead):
                yield from self._rewrite(ahead)
                return
            yield from self._pass_lost()
        if self._ours.held:
            yield from self._write_all(self._ours, Operation.APPEND_MESSAGES)
        elif self._theirs.held and self._policy.delete:
            yield from self._cut()

    def _fill(self) -> Steps[bool]:
        """Read on where nothing is held, and return whether both sides have a message."""
        for reader in (self._ours, self._theirs):
            if not reader.held:
                yield from reader.fill()
        return bool(self._ours.held and self._theirs.held)

    # What can stay

    def _are_alike(self, message: Message, existing: Message) -> bool:
        """Return whether the existing one can stay; its feedback may still have to be set."""
        if message == existing:
            return True
        if message.id != existing.id or message.status != existing.status:
            return False
        if message.feedback != existing.feedback and self._replaces and not self._sets_feedback:
            return not self._policy.rewrite
        return message.fingerprint() == existing.fingerprint()

    def _keep_next(self) -> Steps[None]:
        message, existing = self._ours.held.popleft(), self._theirs.held.popleft()
        self.generating |= message.status == "generating"
        self._tip = existing.id
        if message.feedback == existing.feedback or not self._policy.rewrite:
            return
        if self._sets_feedback:
            identity = (self._copy.wanted.id, message.id)
            call = WriteCall(Operation.SET_FEEDBACK, *identity, message.feedback)
            yield from self._copy.change(call, messages=1)
        else:
            self._copy.stats.lose("message.feedback")

    # What the source has lost

    def _is_lost(self, existing: Message, message: Message, ahead: _Ahead) -> bool:
        """Return whether the source has merely lost the existing one, and both sides meet again."""
        lost = existing.id not in ahead.ours and message.id in ahead.theirs
        return lost and (self._deletes or not self._policy.delete)

    def _pass_lost(self) -> Steps[None]:
        if self._policy.delete:
            yield from self._delete_next()
        else:
            self._tip = self._theirs.held.popleft().id

    def _delete_next(self) -> Steps[None]:
        message_id = self._theirs.held.popleft().id
        call = WriteCall(Operation.DELETE_MESSAGE, self._copy.wanted.id, message_id)
        yield from self._copy.change(call)

    def _cut(self) -> Steps[None]:
        """Delete the rest of the copy."""
        if self._replaces or not self._deletes:
            self._target.require(Operation.REPLACE_MESSAGES)
            yield from self._copy.store(Operation.REPLACE_MESSAGES, (), self._tip)
            return
        while self._theirs.held:
            yield from self._delete_next()
            yield from self._theirs.fill()

    # What is written

    def _rewrite(self, ahead: _Ahead) -> Steps[None]:
        """Replace the rest; what only the copy has stays, unless it is to be deleted."""
        self._target.require(Operation.REPLACE_MESSAGES)
        surplus: Mapping[str | None, Sequence[Message]] = {}
        if not self._policy.delete and ahead.theirs - ahead.ours:
            surplus = yield from self._surplus(ahead)
        merged = MergedMessages(self._ours, ahead.theirs, surplus)
        yield from self._write_all(merged, Operation.REPLACE_MESSAGES)

    def _surplus(self, ahead: _Ahead) -> Steps[Mapping[str | None, Sequence[Message]]]:
        """Return what only the copy has, by the id of the message before it."""
        surplus: defaultdict[str | None, list[Message]] = defaultdict(list)
        before: str | None = None
        while chunk := (yield from self._theirs.chunk()):
            for existing in chunk:
                if existing.id in ahead.ours:
                    before = existing.id
                else:
                    surplus[before].append(existing)
        return surplus

    def _write_all(
        self, messages: MessageReader | MergedMessages, operation: Operation
    ) -> Steps[None]:
        """Write all that follow: the first chunk by the operation, the others by appends."""
        while chunk := (yield from messages.chunk()):
            self.generating |= any(message.status == "generating" for message in chunk)
            yield from self._copy.store(operation, chunk, self._tip)
            self._tip = chunk[-1].id
            operation = Operation.APPEND_MESSAGES

    def _another(self, message: Message) -> ConflictError:
        return ConflictError(
            f"there is another conversation {self._copy.wanted.id!r} already: it has another "
            f"message in the place of {message.id!r}"
        )
