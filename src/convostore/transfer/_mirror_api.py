"""Mirror as functions: sync, one conversation after the other, and async, several at a time.

The work itself is in `_mirror`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from ..errors import InvalidError
from ..flow import arun, run
from ..models import Conversation
from ..store import AsyncConversationStore, ConversationStore
from ._calls import SourceCall, TargetCall, async_sender, sender
from ._mirror import MirrorProgress, MirrorReport, MirrorRun
from ._skipped import Skipped
from ._target import UpsertPolicy

__all__ = ["MirrorProgress", "MirrorReport", "Skipped", "amirror", "mirror"]

T = TypeVar("T")

_LISTED_AHEAD: Final = 200
"""More than a page of the list: the next page is requested while the last one is being copied."""


def mirror(
    source: ConversationStore,
    target: ConversationStore,
    *,
    name: str | None = None,
    full: bool = False,
    new_only: bool = False,
    delete: bool = False,
    dry_run: bool = False,
    progress: Callable[[MirrorProgress], None] | None = None,
) -> MirrorReport:
    """Copy a store's conversations into another, and bring earlier copies up to date.

    Each copy's `origin` names the source and the id there. A mirror may be interrupted at any
    point: the next run continues, and nothing is copied twice. Two runs into one target at the same
    time are harmless.

    Args:
        source: The store to read.
        target: The store of the copies; it must offer `create_conversation` and `append_messages`.
        name: The name of the source in the copies' origins; its `label` when None. Copies made
            under another name are separate copies, so always use the same name.
        full: Whether to compare every message, even where a conversation's `updated_at` says that
            nothing was written since: feedback may not change it.
        new_only: Whether to skip conversations that were copied whole before.
        delete: Whether to delete the copies of conversations and messages that the source no longer
            has. Otherwise they stay. A source that lists nothing at all is more likely lost than
            cleared: its copies stay, and an error is raised.
        dry_run: Whether to write nothing, and report what would be written.
        progress: Called with counts after each page of the list, each write and each conversation.

    Returns:
        What was done; look at its `skipped`.

    Raises:
        UnsupportedError: The target cannot be written to, or cannot delete what `delete` requires.
        ForbiddenError: The target is read-only.
        InvalidError: Source and target are the same store, or the arguments contradict each other.
        ConflictError: With `delete`, the source is empty, so all copies would be deleted.
        StoreError: The source's list cannot be read, or one side is out of reach or refuses the
            credential. Everything written until then stays.

    Example:
        with (
            convostore.open("sqlite:///history.db") as source,
            convostore.open("sqlite:///archive.db") as archive,
        ):
            report = convostore.mirror(source, archive)
        print(report.copied, "copied,", report.unchanged, "unchanged")
    """
    policy = UpsertPolicy(full=full, new_only=new_only, delete=delete, dry_run=dry_run)
    send = sender({SourceCall: source, TargetCall: target})
    job = MirrorRun(source, target, name=name, policy=policy, progress=progress)

    while (page := run(job.next_page(), send)) is not None:
        for conversation in page:
            run(job.copy(conversation), send)
    run(job.follow_deletions(), send)
    return job.report()


async def amirror(
    source: AsyncConversationStore,
    target: AsyncConversationStore,
    *,
    name: str | None = None,
    full: bool = False,
    new_only: bool = False,
    delete: bool = False,
    dry_run: bool = False,
    concurrency: int | None = None,
    progress: Callable[[MirrorProgress], None] | None = None,
) -> MirrorReport:
    """Mirror as `mirror` does, several conversations at a time; cancel it at any point.

    Args:
        source: The store to read.
        target: The store of the copies.
        name: As `mirror`.
        full: As `mirror`.
        new_only: As `mirror`.
        delete: As `mirror`.
        dry_run: As `mirror`.
        concurrency: The number of conversations in flight; when None, twice the source's
            `concurrency`, so that it never waits for the target.
        progress: As `mirror`.

    Returns:
        As `mirror`.

    Raises:
        StoreError: As `mirror`; what is in flight is broken off first.
    """
    policy = UpsertPolicy(full=full, new_only=new_only, delete=delete, dry_run=dry_run)
    send = async_sender({SourceCall: source, TargetCall: target})
    job = MirrorRun(source, target, name=name, policy=policy, progress=progress)
    if concurrency is None:
        concurrency = 2 * source.concurrency
    elif type(concurrency) is not int or concurrency < 1:
        raise InvalidError(f"concurrency must be a positive integer, got {concurrency!r}")

    def copy(conversation: Conversation) -> Awaitable[None]:
        return arun(job.copy(conversation), send)

    await _side_by_side(lambda: arun(job.next_page(), send), copy, concurrency)
    await arun(job.follow_deletions(), send)
    return job.report()


async def _side_by_side(
    next_page: Callable[[], Awaitable[Sequence[T] | None]],
    do: Callable[[T], Awaitable[None]],
    concurrency: int,
) -> None:
    """Call `do` with each item, in order, several at a time; pages are read ahead."""
    import asyncio

    queue: asyncio.Queue[T | None] = asyncio.Queue(_LISTED_AHEAD)

    async def read() -> None:
        while (page := await next_page()) is not None:
            for item in page:
                await queue.put(item)
        for _ in range(concurrency):
            await queue.put(None)

    async def work() -> None:
        while (item := await queue.get()) is not None:
            await do(item)

    first: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            for _ in range(concurrency):
                group.create_task(work())
    except BaseExceptionGroup as failures:
        first = failures.exceptions[0]
    if first is not None:
        raise first
