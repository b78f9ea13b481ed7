"""Diff: the messages of a copy made equal to the source's, with as few writes as possible.

Both sides are read in step. While they are alike nothing is held; from where they first differ the
ids of both sides are, to tell apart what the source has lost and what it has rewritten. Messages
are replaced only if the copy still ends as it did when it was read. Where it does not, the
next attempt leaves alone what was put there since the first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from ..adapters import Operation
from ..adapters.write_rules import is_same_message
from ..errors import ConflictError
from ..models import Message
from ..store import WriteCall
from ._calls import Steps
from ._pages import MergedMessages, MessageReader, Pages
from ._target import TargetConversation


@dataclass(frozen=True, slots=True)
class _Ahead:
    """The ids that follow on either side from where the two first differ, in order.

    Attributes:
        foreign: Those that another writer put into the copy since the first attempt.
    """

    ours: dict[str, None]
    theirs: dict[str, None]
    foreign: AbstractSet[str]

    @property
    def tip(self) -> str | None:
        """The last message of the copy."""
        return next(reversed(self.theirs), None)


class Synchronizer:
    """The comparison of a copy's messages with the source's, and the writes that make them equal.

    Args:
        copy: The conversation to write to.
        begin: Begins the source's messages again.

    Attributes:
        generating: Whether one of the source's answers is still being generated.
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
            ahead = ahead or (yield from self._look_ahead())
            if not self._is_lost(existing, message, ahead):
                yield from self._rewrite(ahead)
                return
            yield from self._pass_lost(ahead)
        if self._ours.held:
            self._copy.stats.see(self._tip)
            yield from self._append_all(self._ours)
        elif self._theirs.held and self._policy.delete:
            yield from self._cut(ahead or (yield from self._look_ahead()))

    def _fill(self) -> Steps[bool]:
        """Read on where nothing is held, and return whether both sides have a message."""
        for reader in (self._ours, self._theirs):
            if not reader.held:
                yield from reader.fill()
        return bool(self._ours.held and self._theirs.held)

    def _look_ahead(self) -> Steps[_Ahead]:
        ours, theirs = (yield from self._ours.ids()), (yield from self._theirs.ids())
        ahead = _Ahead(ours, theirs, self._copy.stats.foreign(theirs) - ours.keys())
        self._copy.stats.see(ahead.tip)
        return ahead

    # What can stay

    def _are_alike(self, message: Message, existing: Message) -> bool:
        """Return whether the existing one can stay; its feedback may still have to be set."""
        if is_same_message(message, existing):
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
        """Return whether the existing one is foreign, or merely lost, and both sides meet again."""
        if existing.id in ahead.foreign:
            return True
        lost = existing.id not in ahead.ours and message.id in ahead.theirs
        return lost and (self._deletes or not self._policy.delete)

    def _pass_lost(self, ahead: _Ahead) -> Steps[None]:
        if self._policy.delete and self._theirs.held[0].id not in ahead.foreign:
            yield from self._delete_next()
        else:
            self._tip = self._theirs.held.popleft().id

    def _delete_next(self) -> Steps[None]:
        message_id = self._theirs.held.popleft().id
        call = WriteCall(Operation.DELETE_MESSAGE, self._copy.wanted.id, message_id)
        yield from self._copy.change(call)

    def _cut(self, ahead: _Ahead) -> Steps[None]:
        """Delete the rest of the copy, but for what is foreign."""
        one_by_one = self._deletes and not self._replaces
        while self._theirs.held:
            if not one_by_one and self._theirs.held[0].id not in ahead.foreign:
                yield from self._cut_at_once(ahead)
                return
            yield from self._pass_lost(ahead)
            yield from self._theirs.fill()

    def _cut_at_once(self, ahead: _Ahead) -> Steps[None]:
        self._target.require(Operation.REPLACE_MESSAGES)
        kept: Sequence[Message] = ()
        if ahead.foreign:
            kept = (yield from self._surplus((), ahead.foreign)).get(None, ())
        yield from self._copy.replace(kept, self._tip, ahead.tip)

    # What is written

    def _rewrite(self, ahead: _Ahead) -> Steps[None]:
        """Replace the rest; what only the copy has stays, unless it must be deleted."""
        self._target.require(Operation.REPLACE_MESSAGES)
        surplus: Mapping[str | None, Sequence[Message]] = {}
        only = ahead.foreign if self._policy.delete else ahead.theirs.keys() - ahead.ours.keys()
        if only:
            surplus = yield from self._surplus(ahead.ours, only)
        merged = MergedMessages(self._ours, ahead.theirs, surplus, ahead.foreign)
        yield from self._append_all(merged, replaced=ahead)

    def _surplus(
        self, ours: Container[str], only: Container[str]
    ) -> Steps[Mapping[str | None, Sequence[Message]]]:
        """Return those of the copy's messages, by the id of the message of ours before each."""
        surplus: defaultdict[str | None, list[Message]] = defaultdict(list)
        before: str | None = None
        while chunk := (yield from self._theirs.chunk()):
            for existing in chunk:
                if existing.id in ours:
                    before = existing.id
                elif existing.id in only:
                    surplus[before].append(existing)
        return surplus

    def _append_all(
        self, messages: MessageReader | MergedMessages, *, replaced: _Ahead | None = None
    ) -> Steps[None]:
        """Write all that follow, the first chunk in place of what must be replaced."""
        while chunk := (yield from messages.chunk()):
            self.generating |= any(message.status == "generating" for message in chunk)
            if replaced is None:
                yield from self._copy.append(chunk, self._tip)
            else:
                yield from self._copy.replace(chunk, self._tip, replaced.tip)
            self._tip, replaced = chunk[-1].id, None

    def _another(self, message: Message) -> ConflictError:
        return ConflictError(
            f"another conversation with the id {self._copy.wanted.id!r} exists already: it has a "
            f"different message in place of {message.id!r}"
        )
