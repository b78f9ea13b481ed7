"""Upsert: one conversation of a store created or updated, for both mirror and import.

It reads what the target has, compares both page by page, and writes only what differs. Neither
lists of conversations nor files are known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from ..adapters import Operation
from ..errors import ConflictError, NotFoundError
from ..models import Conversation
from ..store import WriteCall
from ._calls import Steps, Store, TargetCall
from ._diff import Synchronizer
from ._fields import are_alike, update_arguments
from ._pages import Pages
from ._target import (
    UNSETTLED,
    TargetConversation,
    UpsertPolicy,
    UpsertResult,
    WriteStats,
    with_problem,
)


def require_writable(target: Store) -> None:
    """Check that a target can be written to.

    Raises:
        UnsupportedError: It cannot create conversations or append messages.
        ForbiddenError: It is read-only.
    """
    target.require(Operation.CREATE_CONVERSATION, Operation.APPEND_MESSAGES)


def upsert(
    target: Store,
    wanted: Conversation,
    pages: Callable[[], Pages],
    policy: UpsertPolicy,
    *,
    report: Callable[[int], None] = lambda _: None,
) -> Steps[UpsertResult]:
    """Bring one conversation of the target up to what is wanted; it may be cut short at any step.

    Cut short, it leaves a conversation that says so in its problems; done again, it continues.

    Args:
        target: The store to write to; see `require_writable`.
        wanted: The conversation with the id and the origin that it will have there, as it was
            before the first of its pages is read.
        pages: Begins its messages again; see `source_pages` and `file_pages`.
        policy: How far to follow.
        report: Called after each write (in a dry run: instead of it) with the number of its
            messages.

    Raises:
        ConflictError: Another writer came between each time, or the id is taken by another
            conversation.
        UnsupportedError: Messages differ, and the target cannot replace any.
        StoreError: As the call that failed.
    """
    stats = WriteStats(report)
    attempt = 1
    while True:
        try:
            yield from _attempt(target, wanted, pages, policy, stats)
        except ConflictError:
            if attempt >= policy.attempts:
                raise
            attempt += 1
        else:
            return stats.result()


def _attempt(
    target: Store,
    wanted: Conversation,
    pages: Callable[[], Pages],
    policy: UpsertPolicy,
    stats: WriteStats,
) -> Steps[None]:
    existing = yield from _find(wanted)
    stats.find(existing)
    copy = TargetConversation(target, wanted, existing, policy, stats)
    if copy.is_whole and policy.new_only:
        return
    generating = False
    if not copy.is_whole or policy.full or not copy.is_up_to_date:
        synchronizer = Synchronizer(copy, pages)
        try:
            yield from synchronizer.run()
        except Exception:
            yield from copy.flush()  # what was whole before the place where the source failed
            raise
        generating = synchronizer.generating
    if policy.rewrite or not copy.is_whole or copy.begun:
        yield from _finish(copy, generating=generating)
        yield from copy.flush()


def _find(wanted: Conversation) -> Steps[Conversation | None]:
    try:
        existing: Conversation = yield TargetCall(lambda store: store.get_conversation(wanted.id))
    except NotFoundError:
        return None
    origin = existing.origin
    if origin is not None and wanted.origin is not None and origin != wanted.origin:
        raise ConflictError(
            f"the id {existing.id!r} already belongs to a copy of {origin.conversation_id!r} from "
            f"{origin.store}"
        )
    return existing


def _finish(copy: TargetConversation, *, generating: bool) -> Steps[None]:
    _lose(copy, copy.lost)
    if copy.puts:
        yield from _finish_by_put(copy, unsettled=generating and copy.policy.rewrite)
    else:
        yield from _finish_by_updates(copy)


def _finish_by_put(copy: TargetConversation, *, unsettled: bool) -> Steps[None]:
    """Remove the mark, and give the copy all that the source has of the conversation."""

    def final() -> Conversation:
        return with_problem(copy.wanted, UNSETTLED) if unsettled else copy.wanted

    if copy.begun or copy.existing is None or not are_alike(copy.existing, final()):
        yield from copy.put(final)


def _finish_by_updates(copy: TargetConversation) -> Steps[None]:
    """Give the copy what a target without `put_conversation` can hold, and count the rest."""
    wanted = copy.wanted
    existing = copy.existing or wanted.trusted_copy(pinned=False)
    if copy.existing is None:
        yield from copy.begin()
    _lose(copy, [name for name in _NEEDS_PUT if getattr(wanted, name)])
    if not (copy.policy.rewrite or copy.existing is None):
        return
    changes = update_arguments(existing, wanted)
    possible = copy.target.traits.changes if copy.target.offers(_UPDATE) else frozenset()
    _lose(copy, changes.keys() - possible)
    options = {name: value for name, value in changes.items() if name in possible}
    if options:
        yield from copy.write(WriteCall(_UPDATE, wanted.id, **options))


_UPDATE: Final = Operation.UPDATE_CONVERSATION


_NEEDS_PUT: Final = ("updated_at", "files", "problems", "raw")


def _lose(copy: TargetConversation, fields: Iterable[str]) -> None:
    copy.stats.lose(*(f"conversation.{name}" for name in fields))
