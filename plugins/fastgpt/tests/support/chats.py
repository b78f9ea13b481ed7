"""Stores of either face on a service that is a function, for tests of replies; nothing waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from convostore import AsyncConversationStore, ConversationStore
from convostore.config import open_adapter
from convostore.errors import StoreError
from convostore.flow import arun, run
from convostore.models import PartialReply, Reply, ReplyEvent
from convostore.testing.transports import AsyncServiceTransport, Service, ServiceTransport

from .service import OPTIONS


@dataclass
class Read:
    """A stream that was read: its events, what had arrived, and the error that ended it."""

    events: list[ReplyEvent]
    so_far: PartialReply
    error: StoreError | None = None
    finished: Reply | None = None

    @property
    def reply(self) -> Reply:
        if self.error is not None:
            raise self.error
        assert self.finished is not None
        return self.finished


class Chat:
    """A store, used alike on both faces.

    Attributes:
        slept: The seconds that flows asked to wait.
    """

    slept: list[float]

    def do(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        """Return the result of an operation, or of one that lists the items."""
        raise NotImplementedError

    def read(self, operation: str, *args: Any, **kwargs: Any) -> Read:
        """Read a stream to its end."""
        raise NotImplementedError

    def refused(self, operation: str, *args: Any, **kwargs: Any) -> StoreError:
        """Return the error that an operation, or a stream, ends in."""
        try:
            if operation.startswith("stream"):
                self.read(operation, *args, **kwargs).reply  # noqa: B018  # raises
            else:
                self.do(operation, *args, **kwargs)
        except StoreError as error:
            return error
        raise AssertionError(f"{operation} was not refused")

    def close(self) -> None:
        raise NotImplementedError


class SyncChat(Chat):
    def __init__(self, adapter: Any, service: Service) -> None:
        chat = self
        self.slept = []

        class Unhurried(ServiceTransport):
            def run(self, make: Any) -> Any:
                return run(make(), self.send, sleep=chat.slept.append)

        self._store = ConversationStore(adapter, Unhurried(service, []))

    def do(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        result = getattr(self._store, operation)(*args, **kwargs)
        return list(result) if isinstance(result, Iterator) else result

    def read(self, operation: str, *args: Any, **kwargs: Any) -> Read:
        stream = getattr(self._store, operation)(*args, **kwargs)
        events = []
        try:
            with stream:
                for event in stream:
                    events.append(event)  # noqa: PERF402  # those before an error count
                return Read(events, stream.so_far, finished=stream.reply)
        except StoreError as error:
            return Read(events, stream.so_far, error)

    def close(self) -> None:
        self._store.close()


class AsyncChat(Chat):
    def __init__(self, adapter: Any, service: Service) -> None:
        chat = self
        self.slept = []
        self._runner = asyncio.Runner()

        async def sleep(seconds: float) -> None:
            chat.slept.append(seconds)

        class Unhurried(AsyncServiceTransport):
            async def run(self, make: Any) -> Any:
                return await arun(make(), self.send, sleep=sleep)

        self._store = AsyncConversationStore(adapter, Unhurried(service, []))

    def do(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        async def carry_out() -> Any:
            result = getattr(self._store, operation)(*args, **kwargs)
            if hasattr(result, "__aiter__"):
                return [item async for item in result]
            return await result

        return self._runner.run(carry_out())

    def read(self, operation: str, *args: Any, **kwargs: Any) -> Read:
        async def carry_out() -> Read:
            stream = getattr(self._store, operation)(*args, **kwargs)
            events = []
            try:
                async with stream:
                    async for event in stream:
                        events.append(event)  # noqa: PERF401
                    return Read(events, stream.so_far, finished=stream.reply)
            except StoreError as error:
                return Read(events, stream.so_far, error)

        return self._runner.run(carry_out())

    def close(self) -> None:
        self._runner.run(self._store.aclose())
        self._runner.close()


CHATS: list[Callable[[Any, Service], Chat]] = [SyncChat, AsyncChat]


@contextmanager
def opened(
    face: Callable[[Any, Service], Chat], service: Service, **options: object
) -> Iterator[Chat]:
    """Open a store on a service."""
    options = {"retries": 0, **OPTIONS, **options}
    chat = face(open_adapter("fastgpt+http://chat.test", **options), service)
    try:
        yield chat
    finally:
        chat.close()
