"""Transports to a stand-in for a service: a function from request to response in this process.

They return its responses, whole or in pieces, as a transport over HTTP would; or refuse every
request. No socket may be here: that is `wire_faults.server`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any, Final, TypeAlias, TypeVar

from ..adapters import AsyncIncomingReply, AsyncTransport, IncomingReply, Transport
from ..http import Request, Response

__all__ = [
    "AsyncServiceTransport",
    "RefusingAsyncTransport",
    "RefusingTransport",
    "Service",
    "ServiceTransport",
]

T = TypeVar("T")

Service: TypeAlias = Callable[[Request], Response]
"""A stand-in for a service: a function that answers a request, or raises what a transport would."""


class ServiceTransport(Transport[Request, Response]):
    """A transport whose requests a `Service` answers; threads may share it."""

    def __init__(self, service: Service, streamed: list[tuple[Request, Response]]) -> None:
        self._service = service
        self._streamed = streamed

    def send(self, request: Request) -> Response:
        return self._service(request)

    @contextmanager
    def stream(self, request: Request) -> Iterator[IncomingReply[Response]]:
        response = self._service(request)
        self._streamed.append((request, response))
        if _comes_whole(response):
            yield IncomingReply(response, iter((response.content,)))
        else:
            yield IncomingReply(replace(response, content=b""), _pieces(response.content))


class AsyncServiceTransport(AsyncTransport[Request, Response]):
    """The async counterpart of `ServiceTransport`."""

    concurrency = 4

    def __init__(self, service: Service, streamed: list[tuple[Request, Response]]) -> None:
        self._sync = ServiceTransport(service, streamed)

    async def send(self, request: Request) -> Response:
        return self._sync.send(request)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIncomingReply[Response]]:
        with self._sync.stream(request) as incoming:
            yield AsyncIncomingReply(incoming.reply, _one_after_the_other(incoming.chunks))


_PIECE: Final = 61
"""Bytes of a streamed answer at a time: a number that no frame's length is a multiple of."""


def _comes_whole(response: Response) -> bool:
    """Return whether a transport reads a response to its end, though a stream was asked for."""
    return response.status >= 300 or response.media_type in {"application/json", "text/html"}


def _pieces(content: bytes) -> Iterator[bytes]:
    return (content[start : start + _PIECE] for start in range(0, len(content), _PIECE))


async def _one_after_the_other(items: Iterable[T]) -> AsyncIterator[T]:
    for item in items:
        yield item


class RefusingTransport(Transport):
    """A transport that raises at any request, to show that a call is refused before."""

    def send(self, request: Any) -> Any:
        raise AssertionError(f"a request left: {request!r}")

    def stream(self, request: Any) -> Any:
        return self.send(request)


class RefusingAsyncTransport(AsyncTransport):
    """The async counterpart of `RefusingTransport`."""

    async def send(self, request: Any) -> Any:
        raise AssertionError(f"a request left: {request!r}")

    def stream(self, request: Any) -> Any:
        raise AssertionError(f"a request left: {request!r}")
