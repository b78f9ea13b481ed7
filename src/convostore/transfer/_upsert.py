"""Keeping one conversation in a store equal to what is wanted: the flow behind mirror and import.

It looks at what the target holds, compares both in step, page by page, and writes only what
differs. Nothing is carried out here, and neither lists of conversations nor files are known: a step
names its side, and whoever drives the flow knows how to take it there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..adapters import Operation
from ..errors import ConflictError, NotFoundError
from ..models import UNSET, Conversation, ConversationChange
from ..store._operations import Operations
from ._diff import Synchronizer
from ._steps import Pages, Step, Steps
from ._target import (
    UNSETTLED,
    TargetConversation,
    UpsertPolicy,
    UpsertResult,
    WriteStats,
    with_problem,
)


def upsert(
    target: Operations,
    wanted: Conversation,
    pages: Callable[[], Pages],
    policy: UpsertPolicy,
    *,
    written: Callable[[int], None] = lambda _: None,
) -> Steps[UpsertResult]:
    """Brings one conversation of the target to what is wanted; may be broken off at any step.

    Broken off, it leaves a conversation that says so in its problems; done again, it goes on.

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
    tally = WriteStats(written)
    attempt = 1
    while True:
        try:
            yield from _attempt(target, wanted, pages, policy, tally)
        except ConflictError:
            if attempt >= policy.attempts:
                raise
            attempt += 1
        else:
            return tally.kept()


def require(target: Operations) -> None:
    """Refuses a target that cannot be written to.

    Raises:
        UnsupportedError: It cannot create conversations or append messages.
    """
    for operation in (Operation.CREATE_CONVERSATION, Operation.APPEND_MESSAGES):
        if not target.offers(operation):
            raise target.adapter.unsupported(operation)


def _attempt(
    target: Operations,
    wanted: Conversation,
    pages: Callable[[], Pages],
    policy: UpsertPolicy,
    tally: WriteStats,
) -> Steps[None]:
    held = yield from _find(target, wanted)
    tally.find(held)
    copy = TargetConversation(target, wanted, held, policy, tally)
    if copy.is_whole and policy.new_only:
        return
    generating = False
    if not copy.is_whole or policy.full or not copy.stands_still:
        synchronizer = Synchronizer(copy, pages)
        try:
            yield from synchronizer.run()
        except Exception:
            yield from copy.flush()  # what was whole before the place where the source broke off
            raise
        generating = synchronizer.generating
    if not policy.rewrite and copy.is_whole and not copy.begun:
        return
    yield from _finish(copy, generating=generating)
    yield from copy.flush()


def _finish(copy: TargetConversation, *, generating: bool) -> Steps[None]:
    wanted, policy = copy.wanted, copy.policy
    if copy.puts:
        final = with_problem(wanted, UNSETTLED) if generating and policy.rewrite else wanted
        yield from _finish_by_put(copy, final)
    else:
        yield from _finish_by_updates(copy)


def _find(target: Operations, wanted: Conversation) -> Steps[Conversation | None]:
    try:
        held: Conversation = yield Step("target", target.get_conversation(wanted.id))
    except NotFoundError:
        return None
    if held.origin is not None and wanted.origin is not None and held.origin != wanted.origin:
        raise ConflictError(
            f"the id {held.id!r} is taken by a copy of {held.origin.conversation_id!r} of "
            f"{held.origin.store}"
        )
    return held


def _finish_by_put(copy: TargetConversation, final: Conversation) -> Steps[None]:
    """Takes the mark away, and gives the copy all that the source tells of the conversation."""
    if copy.begun or copy.held is None or not _are_alike(copy.held, final):
        yield from copy.write(copy.target.put_conversation(final))


def _are_alike(held: Conversation, wanted: Conversation) -> bool:
    return held.portable() == wanted.portable() and held.origin == wanted.origin


def _finish_by_updates(copy: TargetConversation) -> Steps[None]:
    """Gives the copy what a target can hold that puts no conversations, and notes the rest."""
    wanted = copy.wanted
    there = copy.held or wanted.model_copy(update={"pinned": False})
    if copy.held is None:
        yield from copy.begin()
    _lose(copy, [name for name in _NEEDS_PUT if getattr(wanted, name)])
    changed = [
        name for name in ("title", "pinned") if getattr(wanted, name) != getattr(there, name)
    ]
    if not changed or not (copy.policy.rewrite or copy.held is None):
        return
    if not copy.target.offers(Operation.UPDATE_CONVERSATION):
        _lose(copy, changed)
        return
    change = ConversationChange(
        title=wanted.title if "title" in changed else UNSET,
        pinned=wanted.pinned if "pinned" in changed else UNSET,
    )
    yield from copy.write(copy.target.update_conversation(wanted.id, change))


_NEEDS_PUT = ("updated_at", "files", "problems", "raw")


def _lose(copy: TargetConversation, fields: Iterable[str]) -> None:
    copy.tally.lose(*(f"conversation.{name}" for name in fields))
