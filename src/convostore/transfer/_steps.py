"""Steps on two sides, a source and a target, and messages that are read by them page by page.

What `keeping` is written with. Nothing is carried out here; what is done with the messages, and
where they come from, is no business of this module.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final, Literal, TypeAlias, TypeVar

from ..models import Listing, Message
from ..store._operations import Operations

T = TypeVar("T")

CHUNK: Final = 500
"""The most messages of one write, and of one page that the target is read by."""
_PAGE: Final = 100
_AHEAD: Final = 1000
"""How many messages are held, rather than read again, to know which ids come."""

Side: TypeAlias = Literal["source", "target"]


@dataclass(frozen=True, slots=True)
class Step:
    """Something to be done on one side; the reply to it is what it returns.

    Attributes:
        where: On which side.
        make: On the target a flow's `Make`. On the source whatever the maker of the pages and the
            driver have agreed on: of a store again a `Make`, of a file a plain call.
    """

    where: Side
    make: Callable[[], Any]


Steps: TypeAlias = Generator[Step, Any, T]
"""A flow of steps; `flow.run` and `flow.arun` drive it as any other."""
Pages: TypeAlias = Callable[[], Steps[Sequence[Message] | None]]
"""Each call reads the next page of messages, oldest first; None behind the last."""


def pages_of(messages: Iterable[Message]) -> Pages:
    """Pages of messages that come one by one, as from a file.

    Each step's `make` is a plain call that reads the next page; it may be made in a thread.
    """
    left = iter(messages)

    def next_page() -> Steps[Sequence[Message] | None]:
        return (yield Step("source", lambda: tuple(islice(left, CHUNK)))) or None

    return next_page


def pages_of_store(
    store: Operations, conversation_id: str, *, where: Side = "source", size: int = _PAGE
) -> Pages:
    """Pages of a conversation in a store; each step's `make` makes a flow of that store."""
    whole = store.adapter.traits.paging == "whole"
    listing: Listing | None = Listing(limit=None if whole else size)
    before: set[str] = set()

    def next_page() -> Steps[Sequence[Message] | None]:
        nonlocal listing, before
        if listing is None:
            return None
        page = yield Step(where, store.list_messages(conversation_id, listing))
        fresh = [each for each in page.items if each.id not in before]
        before = {each.id for each in page.items}
        listing = replace(listing, cursor=page.cursor) if page.cursor is not None else None
        return fresh

    return next_page


def no_pages() -> Pages:
    """The pages of what is not there."""

    def next_page() -> Steps[Sequence[Message] | None]:
        yield from ()
        return None

    return next_page


class MessageReader:
    """Messages one by one, with a look at those that come."""

    def __init__(self, begin: Callable[[], Pages]) -> None:
        self._begin = begin
        self._pages = begin()
        self._held: deque[Message] = deque()
        self._ended = False

    def peek(self) -> Steps[Message | None]:
        """The next message; None at the end."""
        while not self._held and not self._ended:
            yield from self._fetch()
        return self._held[0] if self._held else None

    def take(self) -> Message:
        """Goes on past the message that `peek` showed."""
        return self._held.popleft()

    def chunk(self) -> Steps[list[Message]]:
        """The next messages, as many as one write takes; none at the end."""
        yield from self.peek()
        return [self.take() for _ in range(min(CHUNK, len(self._held)))]

    def ids(self) -> Steps[set[str]]:
        """The ids of all that come; of all there are, where those are too many to be held."""
        while not self._ended and len(self._held) < _AHEAD:
            yield from self._fetch()
        if self._ended:
            return {each.id for each in self._held}
        ids: set[str] = set()
        pages = self._begin()
        while (page := (yield from pages())) is not None:
            ids.update(each.id for each in page)
        return ids

    def _fetch(self) -> Steps[None]:
        page = yield from self._pages()
        self._ended = page is None
        self._held.extend(page or ())


class MergedMessages:
    """Messages, with those that only the target has behind the ones they stood behind.

    What stood where the source has something new is the end that it rewrote, and is left out.

    Args:
        ours: What the source has.
        theirs: The ids of what the target has.
        surplus: What only the target has, by the id of the message before it; None before all.
    """

    def __init__(
        self, ours: MessageReader, theirs: set[str], surplus: Mapping[str | None, Sequence[Message]]
    ) -> None:
        self._ours = ours
        self._theirs = theirs
        self._surplus = surplus
        self._pending: Sequence[Message] = surplus.get(None, ())

    def chunk(self) -> Steps[list[Message]]:
        """The next messages, about as many as one write takes; none at the end."""
        merged: list[Message] = []
        for message in (yield from self._ours.chunk()):
            if message.id in self._theirs:
                merged += self._pending
            merged.append(message)
            self._pending = self._surplus.get(message.id, ())
        if not merged:
            merged, self._pending = list(self._pending), ()
        return merged
