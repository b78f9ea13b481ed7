"""A run of a mirror, in steps: which conversations there are, and what becomes of each.

Under which ids copies are kept, what one that fails means for the rest, and the report. How one
conversation is compared and written stands in `keeping`; nothing is carried out here, and no
backend may be known.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from ..adapters import Adapter, Operation
from ..errors import ConflictError, InvalidError, NotFoundError, StoreError
from ..models import Conversation, Message, Origin
from ..store._operations import Operations
from ._skipped import Skipped, concerns_all, concerns_only_one, skipped
from ._steps import Pages, Step, Steps, pages_of_store
from ._target import UpsertPolicy
from ._upsert import require, upsert

_PATIENCE: Final = 5
"""After so many conversations that could not be reached, one after the other, it gives up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorReport:
    """What a mirror did or, in a dry run, would have done.

    Attributes:
        copied: Conversations that the target did not hold.
        updated: Conversations of which anything at all was written.
        unchanged: Conversations that nothing was written of.
        deleted: Copies that were deleted because the source no longer lists what they are of.
        messages: Messages written; one whose feedback was set counts.
        skipped: What could not be read or written; the rest was done all the same.
        losses: Fields that the target cannot hold, such as ``"conversation.files"``, to the number
            of conversations or messages that were written without.
    """

    copied: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    messages: int = 0
    skipped: tuple[Skipped, ...] = ()
    losses: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorProgress:
    """How far a mirror has come.

    Attributes:
        listed: Conversations that the source has listed so far.
        done: Those of them that are dealt with, the skipped ones included.
        messages: Messages written.
        total: How many conversations there are, where the source tells.
    """

    listed: int
    done: int
    messages: int
    total: int | None


class _UnreadError(Exception):
    """Carries an error of the source past what deals with those of the target."""

    def __init__(self, error: StoreError) -> None:
        super().__init__(error)
        self.error = error


class MirrorRun:
    """The whole of a run, in steps: pages of the list, each conversation, the deletions."""

    def __init__(
        self,
        source: Operations,
        target: Operations,
        *,
        name: str | None,
        policy: UpsertPolicy,
        progress: Callable[[MirrorProgress], None] | None,
    ) -> None:
        _refuse_what_cannot_be(source, target, policy)
        _check_name(name)
        self._source = source
        self._target = target
        self._name = name or source.adapter.label
        self._policy = policy
        self._progress = progress
        self._walk = source.walk_conversations()
        self._total: int | None = None
        self._listed: set[bytes] = set()
        self._counts = Counter[str]()
        self._losses = Counter[str]()
        self._skipped: list[Skipped] = []
        self._out_of_reach = 0

    def report(self) -> MirrorReport:
        counts = self._counts
        return MirrorReport(
            copied=counts["copied"],
            updated=counts["updated"],
            unchanged=counts["unchanged"],
            deleted=counts["deleted"],
            messages=counts["messages"],
            skipped=tuple(self._skipped),
            losses=dict(self._losses),
        )

    def next_page(self) -> Steps[Sequence[Conversation] | None]:
        """The next conversations of the source; None at the end of its list."""
        if self._walk.listing is None:
            return None
        page = yield Step("source", self._source.list_conversations(self._walk.listing))
        fresh = self._walk.accept(page)
        self._total = page.total
        self._listed.update(_digest(self._name, each.id) for each in fresh)
        self._tell()
        return fresh

    def copy(self, conversation: Conversation) -> Steps[None]:
        """Brings the copy of one conversation up to date, or notes why that cannot be.

        Raises:
            StoreError: The others would fare no better.
        """
        origin = Origin(store=self._name, conversation_id=conversation.id)
        wanted = conversation.model_copy(update={"id": copy_id(origin), "origin": origin})
        unread: StoreError | None = None
        try:
            kept = yield from upsert(
                self._target,
                wanted,
                lambda: self._pages(conversation.id),
                self._policy,
                written=self._count_messages,
            )
        except _UnreadError as carrier:
            unread = carrier.error
        except StoreError as error:
            if not concerns_only_one(error, self._target):
                raise
            self._skip(conversation.id, error)
        else:
            self._counts[kept.outcome] += 1
            self._losses.update(kept.losses)
        if unread is not None:
            self._judge_source(conversation.id, unread)
        self._counts["done"] += 1
        self._tell()

    def follow_deletions(self) -> Steps[None]:
        """Deletes the copies of what the list, read to its end, no longer shows.

        Raises:
            ConflictError: It shows nothing at all, and there are copies.
        """
        if not self._policy.delete:
            return
        abandoned = yield from self._abandoned()
        if not self._listed:
            refuse_to_delete_all(self._name, len(abandoned))
        for copy in abandoned:
            if not self._policy.dry_run:
                yield Step("target", self._target.delete_conversation(copy))
            self._counts["deleted"] += 1

    def _abandoned(self) -> Steps[list[str]]:
        found: list[str] = []
        walk = self._target.walk_conversations()
        while walk.listing is not None:
            page = yield Step("target", self._target.list_conversations(walk.listing))
            found += [each.id for each in walk.accept(page) if self._is_abandoned(each)]
        return found

    def _is_abandoned(self, conversation: Conversation) -> bool:
        """Whether it is a copy, and not a fork or an import, of what is no longer listed."""
        origin = conversation.origin
        if origin is None or origin.store != self._name:
            return False
        digest = _digest(self._name, origin.conversation_id)
        return conversation.id == digest.hex() and digest not in self._listed

    def _pages(self, conversation_id: str) -> Pages:
        pages = pages_of_store(self._source, conversation_id)

        def next_page() -> Steps[Sequence[Message] | None]:
            try:
                page = yield from pages()
            except StoreError as error:
                raise _UnreadError(error) from None
            self._out_of_reach = 0
            return page

        return next_page

    def _judge_source(self, conversation_id: str, error: StoreError) -> None:
        """Skips what only this conversation is to blame for; one deleted meanwhile is no matter."""
        if concerns_all(error, self._source):
            raise error
        if isinstance(error, NotFoundError):
            return
        if error.retryable:
            self._out_of_reach += 1
            if self._out_of_reach >= _PATIENCE:
                raise error
        self._skip(conversation_id, error)

    def _skip(self, conversation_id: str, error: StoreError) -> None:
        self._skipped.append(skipped(conversation_id, error))

    def _count_messages(self, messages: int) -> None:
        self._counts["messages"] += messages
        self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(
                MirrorProgress(
                    listed=len(self._listed),
                    done=self._counts["done"],
                    messages=self._counts["messages"],
                    total=self._total,
                )
            )


def copy_id(origin: Origin) -> str:
    """The id under which a mirror keeps the copy of a conversation."""
    return _digest(origin.store, origin.conversation_id).hex()


def _check_name(name: object) -> None:
    if name is not None and (not isinstance(name, str) or not name):
        raise InvalidError(
            f"a name is a text that is not empty, not {name!r}: without one, it is the source's own"
        )


def refuse_to_delete_all(source: str, copies: int) -> None:
    """Keeps the copies of a source that has become empty: it rather got lost than was cleared.

    Raises:
        ConflictError: There are copies.
    """
    if copies:
        raise ConflictError(
            f"{source} lists no conversation at all, and {copies:,} of it are in the target: none "
            "was deleted. Is it the right store? If it was cleared, delete its copies there"
        )


def _digest(store: str, conversation_id: str) -> bytes:
    # JSON tells where the name ends, and takes any text to ASCII, lone surrogates included.
    return sha256(json.dumps([store, conversation_id]).encode("ascii")).digest()[:16]


def _refuse_what_cannot_be(source: Operations, target: Operations, policy: UpsertPolicy) -> None:
    if policy.full and policy.new_only:
        raise InvalidError("full looks at everything and new_only at nothing known: choose one")
    if _are_one(source.adapter, target.adapter):
        raise InvalidError(f"source and target are one store, {source.adapter.label}")
    require(target)
    if policy.delete and not target.offers(Operation.DELETE_CONVERSATION):
        raise target.adapter.unsupported(Operation.DELETE_CONVERSATION)


def _are_one(source: Adapter, target: Adapter) -> bool:
    """Whether copies would be found among what is to be copied."""
    place = source.label.partition("://")[2].partition("?")[0]  # private memories have none
    return source is target or (place != "" and source.label == target.label)
