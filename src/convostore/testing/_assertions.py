"""Helpers of the clauses: expected errors, filled stores, and lists read to their end.

No clause may be here, and no case of one.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from ..adapters import Operation
from ..errors import StoreError
from ..models import Conversation, Message, Page, Transcript
from ..store import AsyncConversationStore

if TYPE_CHECKING:
    from ..models import ReplyEvent
    from ..store import AsyncReplyStream
    from ._backend import Kit

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

T = TypeVar("T")

PageReader: TypeAlias = Callable[[str | None], Awaitable[Page[T]]]
"""Reads the page at a cursor."""


class NotOffered(Exception):  # noqa: N818  # not an error: the clause does not apply
    """Raised to skip a clause that does not apply to the backend."""


class Caught:
    """The error that a `raises` block ended in."""

    error: StoreError


@contextmanager
def raises(*kinds: type[StoreError]) -> Iterator[Caught]:
    """Expect an error of one of these classes.

    Raises:
        AssertionError: Another `StoreError` was raised, or none.
    """
    caught = Caught()
    names = " or ".join(kind.__name__ for kind in kinds)
    try:
        yield caught
    except kinds as error:
        caught.error = error
    except StoreError as error:
        raise AssertionError(f"expected {names}, got {type(error).__name__}: {error}") from error
    else:
        raise AssertionError(f"expected {names}, but nothing was raised")


@contextmanager
def rule_in_errors(clause: Callable[..., object]) -> Iterator[None]:
    """Add a clause's docstring, as a note, to the error that the block ends in."""
    try:
        yield
    except NotOffered:
        raise
    except Exception as error:
        if rule := inspect.getdoc(clause):
            error.add_note("\nThe clause: " + rule.replace("\n\n", "\n"))
        raise


def rules_in_errors(contract: type[T]) -> type[T]:
    """Return the class with `rule_in_errors` around each of its tests."""
    for name, test in list(vars(contract).items()):
        if name.startswith("test_"):
            setattr(contract, name, _with_rule(test))
    return contract


def _with_rule(test: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(test)
    def with_rule(*args: object, **kwargs: object) -> None:
        with rule_in_errors(test):
            test(*args, **kwargs)

    return with_rule


def require(store: AsyncConversationStore, *operations: Operation) -> None:
    """Skip the clause unless the store offers these operations.

    Raises:
        NotOffered: It lacks one.
    """
    for operation in operations:
        if not store.offers(operation):
            raise NotOffered(f"{operation} is not offered")


async def open_filled(kit: Kit, samples: Sequence[Transcript]) -> AsyncConversationStore:
    """Open a store of the backend and put the samples into it."""
    store = kit.open()
    if kit.backend.seed is not None:
        kit.backend.seed(samples)
        return store
    require(store, Operation.CREATE_CONVERSATION, Operation.APPEND_MESSAGES)
    for sample in samples:
        assert sample.conversation is not None
        await store.create_conversation(
            id=sample.conversation_id,
            title=sample.conversation.title,
            created_at=sample.conversation.created_at,
        )
        await store.append_messages(sample.conversation_id, sample.messages)
    return store


async def collect(items: AsyncIterable[T]) -> list[T]:
    """Return the items of an async iterator."""
    return [item async for item in items]


async def conversation_ids(store: AsyncConversationStore) -> list[str]:
    """Return the ids of all conversations, in the list's order."""
    return [conversation.id for conversation in await collect(store.conversations())]


async def read_stream(stream: AsyncReplyStream) -> list[ReplyEvent]:
    """Enter a stream and return all its events."""
    async with stream:
        return await collect(stream)


def full_error_text(error: BaseException) -> str:
    """Return what a traceback shows of an error and its causes, but for the lines of code."""
    texts = [str(error), repr(error), repr(vars(error)), *getattr(error, "__notes__", ())]
    context = None if error.__suppress_context__ else error.__context__
    group = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    causes = [error for error in (error.__cause__, context, *group) if error is not None]
    return "\n".join([*texts, *map(full_error_text, causes)])


def role_text_pairs(messages: Sequence[Message]) -> list[tuple[str, str]]:
    """Return role and text of each message, which every backend keeps."""
    return [(message.role, message.text) for message in messages]


async def read_pages(read: PageReader[T]) -> list[T]:
    """Return the items of all pages of a list."""
    items: list[T] = []
    cursor: str | None = None
    for _ in range(1000):
        page = await read(cursor)
        items += page.items
        cursor = page.cursor
        if cursor is None:
            return items
    raise AssertionError("the pages must end, got 1000 of them")


def pinned_then_active_key(row: Conversation) -> tuple[bool, float, str]:
    """Return the sort key of the order `pinned_then_active`; see `Traits.order`."""
    active = row.last_active_at
    return (not row.pinned, -active.timestamp() if active else 0.0, row.id)
