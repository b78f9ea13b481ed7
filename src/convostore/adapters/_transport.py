"""Transport and AsyncTransport: the interfaces to send an adapter's requests to its backend.

No service and no protocol may be known here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ..errors import UnsupportedError
from ..flow import Flow, arun, run
from ._types import Q, R

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class IncomingReply(Generic[R]):
    """A reply whose body is still arriving.

    Attributes:
        reply: The head of the reply; the whole reply if it is not to be streamed, as for an error.
        chunks: The chunks of the body as they arrive; iterating may raise a `StoreError`.
    """

    reply: R
    chunks: Iterator[Any]  # Any: bytes over HTTP, whatever its decoder takes elsewhere


@dataclass(frozen=True, slots=True)
class AsyncIncomingReply(Generic[R]):
    """The async counterpart of `IncomingReply`."""

    reply: R
    chunks: AsyncIterator[Any]


class Transport(ABC, Generic[Q, R]):
    """An interface to send requests to a backend and receive replies; threads may share it."""

    @abstractmethod
    def send(self, request: Q) -> R:
        """Send one request and return its reply.

        Raises:
            StoreError: The backend is out of reach or its reply is incomplete.
        """

    def run(self, make: Callable[[], Flow[Q, R, T]]) -> T:
        """Run a flow; a transport with transactions may make it again, to repeat it."""
        return run(make(), self.send)

    def stream(self, request: Q) -> AbstractContextManager[IncomingReply[R]]:
        """Send one request whose reply arrives in chunks; leaving the block closes it.

        Raises:
            UnsupportedError: This transport does not override the method.
        """
        raise _without_stream(self)

    def close(self) -> None:  # most have nothing to close
        """Close the connections; calling it twice is fine."""


class AsyncTransport(ABC, Generic[Q, R]):
    """An interface to send requests to a backend and receive replies; belongs to one event loop.

    Attributes:
        concurrency: How many requests may run at a time.
    """

    concurrency: int = 1

    @abstractmethod
    async def send(self, request: Q) -> R:
        """Send one request and return its reply.

        Raises:
            StoreError: The backend is out of reach or its reply is incomplete.
        """

    async def run(self, make: Callable[[], Flow[Q, R, T]]) -> T:
        """Run a flow; a transport with transactions may make it again, to repeat it."""
        return await arun(make(), self.send, concurrency=self.concurrency)

    def stream(self, request: Q) -> AbstractAsyncContextManager[AsyncIncomingReply[R]]:
        """Send one request as `Transport.stream` does; `concurrency` does not count streams."""
        raise _without_stream(self)

    async def aclose(self) -> None:  # most have nothing to close
        """Close the connections; calling it twice is fine."""


def _without_stream(transport: object) -> UnsupportedError:
    return UnsupportedError(f"{type(transport).__name__} must override 'stream' to stream replies")
