"""Transport: what carries an adapter's requests to its backend, one class for each face.

`adapter` gives the names again, so that authors of adapters have one place to import from. No
service and no protocol may be known here.
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
    """A reply whose body is still to come.

    Attributes:
        reply: What came before the body; all of it where it is not to be streamed, as of a refusal.
        chunks: The body's pieces, as they come; they may raise a `StoreError`.
    """

    reply: R
    chunks: Iterator[Any]  # Any: bytes over HTTP, whatever its decoder takes elsewhere


@dataclass(frozen=True, slots=True)
class AsyncIncomingReply(Generic[R]):
    """As `IncomingReply`, for the async face."""

    reply: R
    chunks: AsyncIterator[Any]


class Transport(ABC, Generic[Q, R]):
    """Carries requests to a backend and brings its replies; shared by threads."""

    @abstractmethod
    def send(self, request: Q) -> R:
        """Carries one request out.

        Raises:
            StoreError: The backend is out of reach or its reply is not whole.
        """

    def run(self, make: Callable[[], Flow[Q, R, T]]) -> T:
        """Carries a whole flow out; one with transactions may make it anew and repeat it."""
        return run(make(), self.send)

    def stream(self, request: Q) -> AbstractContextManager[IncomingReply[R]]:
        """Carries one request out whose reply comes piece by piece; leaving closes it.

        Raises:
            UnsupportedError: This transport has no such method of its own.
        """
        raise _without_stream(self)

    def close(self) -> None:  # most have nothing to close
        """Lets go of connections; calling it twice is fine."""


class AsyncTransport(ABC, Generic[Q, R]):
    """Carries requests to a backend and brings its replies; belongs to one event loop.

    Attributes:
        concurrency: How many requests may be under way at a time.
    """

    concurrency: int = 1

    @abstractmethod
    async def send(self, request: Q) -> R:
        """Carries one request out.

        Raises:
            StoreError: The backend is out of reach or its reply is not whole.
        """

    async def run(self, make: Callable[[], Flow[Q, R, T]]) -> T:
        """Carries a whole flow out; one with transactions may make it anew and repeat it."""
        return await arun(make(), self.send, concurrency=self.concurrency)

    def stream(self, request: Q) -> AbstractAsyncContextManager[AsyncIncomingReply[R]]:
        """As `Transport.stream`; streams do not count as requests under way."""
        raise _without_stream(self)

    async def aclose(self) -> None:  # most have nothing to close
        """Lets go of connections; calling it twice is fine."""


def _without_stream(transport: object) -> UnsupportedError:
    return UnsupportedError(f"{type(transport).__name__} has no method 'stream': replies need one")
