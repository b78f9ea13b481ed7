"""Stores of either face for tests that are plain functions: each call is run to its end."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable
from dataclasses import dataclass
from typing import Any

from convostore.errors import StoreError
from convostore.models import ReplyEvent
from convostore.store import AsyncConversationStore, AsyncReplyStream, ConversationStore
from convostore.testing import StoreFace


@dataclass
class StreamOutcome:
    """A stream that was read: its events, the stream, and the error that ended it."""

    events: list[ReplyEvent]
    stream: AsyncReplyStream
    error: StoreError | None = None

    @property
    def so_far(self):
        return self.stream.so_far

    @property
    def reply(self):
        if self.error is not None:
            raise self.error
        return self.stream.reply


class PlainClient:
    """A client of either face whose methods return what they come to; used in a ``with``.

    Args:
        face: Its own, or the name of one.
        client: Whatever has methods of that face; it is closed in the end.
    """

    def __init__(self, face, client) -> None:
        self.face = StoreFace(face) if isinstance(face, str) else face
        self.client = client

    def __enter__(self):
        return self

    def __exit__(self, *raised) -> None:
        with self.face:
            finish(
                self.face,
                getattr(self.client, "aclose" if self.face.name == "async" else "close")(),
            )

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.client, name)
        if not callable(member):
            return member
        return lambda *args, **options: finish(self.face, member(*args, **options))


class PlainStore(PlainClient):
    """A store whose methods return what they come to.

    Args:
        face: Its own, or the name of one.
        target: What `StoreFace.open` takes; or a store that is open already.
    """

    def __init__(self, face, target, **options) -> None:
        face = StoreFace(face) if isinstance(face, str) else face
        is_open = isinstance(target, ConversationStore | AsyncConversationStore)
        super().__init__(face, face.wrap(target) if is_open else face.open(target, **options))

    @property
    def store(self) -> AsyncConversationStore:
        return self.client

    def read(self, operation: str, *args, stop_after: int | None = None, **options):
        """Read a stream to its end or its error, or leave it after some events."""
        return self.face.run(_read(getattr(self.store, operation)(*args, **options), stop_after))

    def events(self, operation: str, *args, **options):
        """Return a stream's events, and the stream."""
        outcome = self.read(operation, *args, **options)
        if outcome.error is not None:
            raise outcome.error
        return outcome.events, outcome.stream

    def error(self, operation: str, *args, **options) -> StoreError:
        """Return the error that an operation, or a stream, ends in."""
        try:
            if operation.startswith("stream"):
                self.events(operation, *args, **options)
            else:
                getattr(self, operation)(*args, **options)
        except StoreError as error:
            return error
        raise AssertionError(f"{operation} was not refused")


def finish(face: StoreFace, result: Any) -> Any:
    """Return what a call on a face comes to: an awaited result, or the items of an iterator."""
    if isinstance(result, AsyncReplyStream) or hasattr(result, "so_far"):
        return result
    if inspect.isawaitable(result) or isinstance(result, AsyncIterable):
        return face.run(result)
    return result


async def _read(stream: AsyncReplyStream, stop_after: int | None) -> StreamOutcome:
    outcome = StreamOutcome([], stream)
    try:
        async with stream:
            async for event in stream:
                outcome.events.append(event)
                if len(outcome.events) == stop_after:
                    break
    except StoreError as error:
        outcome.error = error
    return outcome
