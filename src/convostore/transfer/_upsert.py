"""Upsert: one conversation of a store created or updated, for both mirror and import.

It reads what the target has, compares both page by page, and writes only what differs. Neither
lists of conversations nor files are known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..adapters import Operation
from ..errors import ConflictError, NotFoundError
from ..models import UNSET, Conversation
from ..store import WriteCall
from ._calls import Steps, Store, TargetCall
from ._diff import Synchronizer
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

    Cut short, it leaves a conversation that says so in its problems; done again, it goes on.

    Args:
        target: The store to write to; see `require_writable`.
        wanted: The conversation with the id and the origin that it is to have there, as it was
            before the first of its pages is read.
        pages: Begins its messages anew; see `source_pages` and `file_pages`.
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
            f"the id {existing.id!r} is taken by a copy of {origin.conversation_id!r} of "
            f"{origin.store}"
        )
    return existing


def _finish(copy: TargetConversation, *, generating: bool) -> Steps[None]:
    if copy.puts:
        yield from _finish_by_put(copy, unsettled=generating and copy.policy.rewrite)
    else:
        yield from _finish_by_updates(copy)


def _finish_by_put(copy: TargetConversation, *, unsettled: bool) -> Steps[None]:
    """Remove the mark, and give the copy all that the source has of the conversation."""
    final = with_problem(copy.wanted, UNSETTLED) if unsettled else copy.wanted
    if copy.begun or copy.existing is None or not _are_alike(copy.existing, final):
        yield from copy.write(WriteCall(Operation.PUT_CONVERSATION, final))


def _are_alike(existing: Conversation, wanted: Conversation) -> bool:
    return existing.portable() == wanted.portable() and existing.origin == wanted.origin


def _finish_by_updates(copy: TargetConversation) -> Steps[None]:
    """Give the copy what a target without `put_conversation` can hold, and count the rest."""
    wanted = copy.wanted
    existing = copy.existing or wanted.model_copy(update={"pinned": False})
    if copy.existing is None:
        yield from copy.begin()
    _lose(copy, [name for name in _NEEDS_PUT if getattr(wanted, name)])
    changed = [
        name for name in ("title", "pinned") if getattr(wanted, name) != getattr(existing, name)
    ]
    if not changed or not (copy.policy.rewrite or copy.existing is None):
        return
    if not copy.target.offers(Operation.UPDATE_CONVERSATION):
        _lose(copy, changed)
        return
    title = wanted.title if "title" in changed else UNSET
    pinned = wanted.pinned if "pinned" in changed else UNSET
    yield from copy.write(
        WriteCall(Operation.UPDATE_CONVERSATION, wanted.id, title=title, pinned=pinned)
    )


_NEEDS_PUT = ("updated_at", "files", "problems", "raw")


def _lose(copy: TargetConversation, fields: Iterable[str]) -> None:
    copy.stats.lose(*(f"conversation.{name}" for name in fields))
