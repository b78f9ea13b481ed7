"""Mirror: copying all of a store into another one, and keeping the copies in step with it.

The two faces: sync, one conversation after the other, and async, several at a time. What they carry
out stands in `mirror_run`; no backend may be known here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from ..errors import InvalidError
from ..flow import arun, run
from ..store import AsyncConversationStore, ConversationStore
from ._drivers import async_plan_of, async_sender, concurrency_of, plan_of, sender
from ._mirror import MirrorProgress, MirrorReport, MirrorRun
from ._skipped import Skipped
from ._target import UpsertPolicy

__all__ = ["MirrorProgress", "MirrorReport", "Skipped", "amirror", "mirror"]

T = TypeVar("T")

_LISTED_AHEAD: Final = 200
"""More than a page of the list: the next one is asked for while the last is being worked on."""


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
    """Copies a store's conversations into another, and brings copies made before up to date.

    Each copy's `origin` tells the source and the id there. It may break off at any point: the next
    run goes on, and nothing comes twice. Two runs at a time into one target are harmless.

    Args:
        source: What is read.
        target: Where the copies are; it must be able to create conversations and append messages.
        name: What the copies know the source by; its `label` when None. Copies of another name are
            other copies, so keep to one.
        full: Look at every message, also where a conversation's `updated_at` says that nothing was
            written since: feedback need not move it.
        new_only: Do not look at conversations that were copied whole before.
        delete: Delete the copies of what the source no longer has, and messages that it no longer
            has of what it still has. Else they stay. A source that lists nothing at all is rather
            lost than cleared: its copies stay, and that is an error.
        dry_run: Write nothing, and report what would be written.
        progress: Called with counts after each page of the list, each write and each conversation.

    Returns:
        What was done; look at its `skipped`.

    Raises:
        UnsupportedError: The target cannot be written to, or cannot delete what is to be deleted.
        InvalidError: Source and target are one store, or the arguments contradict each other.
        ConflictError: With `delete`, all copies would have to go, as the source is empty.
        StoreError: The source's list cannot be read, or one side is out of reach or refuses the
            credential. What was written until then stays.
    """
    policy = UpsertPolicy(full=full, new_only=new_only, delete=delete, dry_run=dry_run)
    work = MirrorRun(plan_of(source), plan_of(target), name=name, policy=policy, progress=progress)
    send = sender({"source": source, "target": target})

    while (page := run(work.next_page(), send)) is not None:
        for conversation in page:
            run(work.copy(conversation), send)
    run(work.follow_deletions(), send)
    return work.report()


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
    """Does as `mirror`, several conversations at a time; cancel it at any point.

    Args:
        source: What is read.
        target: Where the copies are.
        name: As `mirror`.
        full: As `mirror`.
        new_only: As `mirror`.
        delete: As `mirror`.
        dry_run: As `mirror`.
        concurrency: How many conversations are in flight. When None, twice the requests that the
            source permits at a time, so that it never waits for the target.
        progress: As `mirror`.

    Returns:
        As `mirror`.

    Raises:
        StoreError: As `mirror`; what is in flight is broken off first.
    """
    policy = UpsertPolicy(full=full, new_only=new_only, delete=delete, dry_run=dry_run)
    work = MirrorRun(
        async_plan_of(source), async_plan_of(target), name=name, policy=policy, progress=progress
    )
    if concurrency is None:
        concurrency = 2 * concurrency_of(source)
    elif type(concurrency) is not int or concurrency < 1:
        raise InvalidError(f"concurrency is a whole number from 1, not {concurrency!r}")
    send = async_sender({"source": source, "target": target})

    await _side_by_side(
        lambda: arun(work.next_page(), send), lambda each: arun(work.copy(each), send), concurrency
    )
    await arun(work.follow_deletions(), send)
    return work.report()


async def _side_by_side(
    next_page: Callable[[], Awaitable[Sequence[T] | None]],
    do: Callable[[T], Awaitable[None]],
    concurrency: int,
) -> None:
    """Does something with each item of a list, begun in its order; pages are read ahead."""
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
