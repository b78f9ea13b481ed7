"""A run of a mirror as flows: list, copy each conversation, delete what is gone, report.

It decides under which ids copies are kept and what one failure means for the rest. How one
conversation is compared and written is known in `_upsert`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final

from .._surrogates import separate_surrogates
from ..adapters import Operation
from ..errors import ConflictError, InvalidError, NotFoundError, ProtocolError, StoreError
from ..models import Conversation, Origin
from ..serialization import has_damaged_id
from ..store._arguments import check_flags
from ..store._base import adapter_of
from ._arguments import check_progress
from ._calls import SourceCall, Steps, Store, TargetCall
from ._fields import mirrored_fields
from ._pages import ConversationReader, UnreadError, check_distinct_ids, source_pages
from ._skipped import Skipped, concerns_all, concerns_only_one, skipped
from ._target import UpsertPolicy
from ._upsert import require_writable, upsert

_PATIENCE: Final = 5
"""The number of unreachable conversations, one after the other, at which a mirror gives up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorReport:
    """The result of a mirror or, in a dry run, what it would have been.

    Attributes:
        copied: Conversations that the target did not hold.
        updated: Conversations of which anything at all was written.
        unchanged: Conversations of which nothing was written.
        deleted: Copies that were deleted because the source no longer lists their original.
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
    """The progress of a mirror.

    Attributes:
        listed: Conversations that the source has listed so far.
        done: Those of them that are done, the skipped ones included.
        messages: Messages written.
        total: How many conversations there are, where the source says so.
    """

    listed: int
    done: int
    messages: int
    total: int | None


class MirrorRun:
    """One run: its pages of the list, its conversations, its deletions, and what they came to."""

    def __init__(
        self,
        source: Store,
        target: Store,
        *,
        name: str | None,
        policy: UpsertPolicy,
        progress: Callable[[MirrorProgress], None] | None,
    ) -> None:
        _check_run(source, target, policy)
        _check_name(name)
        check_progress(progress)
        self._source = source
        self._target = target
        self._name = name or source.label
        self._policy = policy
        self._progress = progress
        self._reader = ConversationReader(source, SourceCall, counts=progress is not None)
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
        """Read the next conversations of the source; None at the end of its list.

        The first time it is found out what both sides have, where they can only be asked.
        """
        for store, call in ((self._source, SourceCall), (self._target, TargetCall)):
            if adapter_of(store).learns_traits:
                yield call(lambda store: store.check())
        page = yield from self._reader.next_page()
        if page is not None:
            self._listed.update(_digest(self._name, conversation.id) for conversation in page)
            self._report_progress()
        return page

    def copy(self, conversation: Conversation) -> Steps[None]:
        """Bring the copy of one conversation up to date, or note why it is skipped.

        Raises:
            StoreError: The others would fare no better.
        """
        policy, traits = self._policy, self._source.traits  # which an answer may have changed
        origin = Origin(store=self._name, conversation_id=conversation.id)
        wanted = mirrored_fields(conversation, copy_id(origin), self._name, traits.keeps)
        policy = replace(policy, followed=traits.keeps, trusts_times=traits.updated_at != "none")
        unread: StoreError | None = None
        unwritten: StoreError | None = None
        try:
            result = yield from upsert(
                self._target,
                wanted,
                lambda: source_pages(self._source, conversation.id, reached=self._reached),
                policy,
                report=self._count_messages,
            )
        except UnreadError as carrier:
            unread = carrier.error
        except StoreError as error:
            if not concerns_only_one(error, self._target):
                raise
            unwritten = error
        else:
            self._counts[result.outcome] += 1
            self._losses.update(result.losses)
        if unread is not None:
            self._judge_source(conversation, unread)
        if unwritten is not None:
            self._skip(conversation.id, (yield from self._cause(conversation.id, unwritten)))
        self._counts["done"] += 1
        self._report_progress()

    def follow_deletions(self) -> Steps[None]:
        """Delete the copies of what the list, read to its end, no longer shows.

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
                yield _deletion(copy)
            self._counts["deleted"] += 1

    def _abandoned(self) -> Steps[list[str]]:
        copies: list[str] = []
        reader = ConversationReader(self._target, TargetCall)
        while (page := (yield from reader.next_page())) is not None:
            copies += [copy.id for copy in page if self._is_abandoned(copy)]
        return copies

    def _is_abandoned(self, conversation: Conversation) -> bool:
        """Return whether it is a copy, not a fork or an import, of what is no longer listed."""
        origin = conversation.origin
        if origin is None or origin.store != self._name:
            return False
        digest = _digest(self._name, origin.conversation_id)
        return conversation.id == digest.hex() and digest not in self._listed

    def _reached(self) -> None:
        self._out_of_reach = 0

    def _judge_source(self, conversation: Conversation, error: StoreError) -> None:
        """Skip a conversation that alone is to blame; one deleted meanwhile does not count."""
        if concerns_all(error, self._source):
            raise error
        if isinstance(error, NotFoundError) and not has_damaged_id(conversation):
            return
        if error.retryable:
            self._out_of_reach += 1
            if self._out_of_reach >= _PATIENCE:
                raise error
        self._skip(conversation.id, error)

    def _cause(self, conversation_id: str, error: StoreError) -> Steps[StoreError]:
        """Return the error of the source if it, and no other writer, is to blame for a conflict."""
        if not isinstance(error, ConflictError):
            return error
        pages = source_pages(self._source, conversation_id)
        seen: set[str] = set()
        try:
            while (page := (yield from pages())) is not None:
                check_distinct_ids(page, seen)
        except ProtocolError as cause:
            return cause
        except StoreError:
            pass  # it cannot be read again, so nothing better is known
        return error

    def _skip(self, conversation_id: str, error: StoreError) -> None:
        self._skipped.append(skipped(conversation_id, error))

    def _count_messages(self, messages: int) -> None:
        self._counts["messages"] += messages
        self._report_progress()

    def _report_progress(self) -> None:
        if self._progress is not None:
            self._progress(
                MirrorProgress(
                    listed=len(self._listed),
                    done=self._counts["done"],
                    messages=self._counts["messages"],
                    total=self._reader.total,
                )
            )


def _deletion(copy: str) -> TargetCall[None]:
    return TargetCall(lambda store: store.delete_conversation(copy))


def copy_id(origin: Origin) -> str:
    """Return the id under which a mirror keeps the copy of a conversation."""
    return _digest(origin.store, origin.conversation_id).hex()


def _check_name(name: object) -> None:
    if name is not None and (not isinstance(name, str) or not name):
        raise InvalidError(
            f"name must be a non-empty string, got {name!r}: leave it out for the source's label"
        )


def refuse_to_delete_all(source: str, copies: int) -> None:
    """Raise an error if a source with copies lists nothing: it is more likely lost than cleared.

    Raises:
        ConflictError: There are copies.
    """
    if copies:
        raise ConflictError(
            f"{source} lists no conversations, but the target holds {copies:,} copies from it: "
            "none was deleted. Is it the right store? If it was cleared, delete the copies yourself"
        )


def _digest(store: str, conversation_id: str) -> bytes:
    # JSON shows where the name ends, and encodes any text as ASCII, lone surrogates included.
    data = separate_surrogates([store, conversation_id])
    return sha256(json.dumps(data).encode("ascii")).digest()[:16]


def _check_run(source: Store, target: Store, policy: UpsertPolicy) -> None:
    check_flags(
        full=policy.full, new_only=policy.new_only, delete=policy.delete, dry_run=policy.dry_run
    )
    if policy.full and policy.new_only:
        raise InvalidError("full and new_only must not be given together: choose one")
    if source.is_same_store(target):
        raise InvalidError(f"source and target must be different stores, both are {source.label}")
    require_writable(target)
    if policy.delete:
        target.require(Operation.DELETE_CONVERSATION)
