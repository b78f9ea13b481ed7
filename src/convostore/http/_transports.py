"""The two transports of HTTP, over one client each, made at the first request."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import (
    AsyncExitStack,
    ExitStack,
    aclosing,
    asynccontextmanager,
    contextmanager,
)
from typing import TYPE_CHECKING, TypeVar

from ..adapters import AsyncIncomingReply, AsyncTransport, IncomingReply, Transport
from ..flow import Flow, arun, run
from ._client import client_arguments, config_errors, install_backend, parsed
from ._deadlines import BoundedBackend, ClosingBackend, Deadline, clock
from ._exchange import HTTPExchange, comes_piecemeal, response_of, take_location
from ._messages import Request, Response
from ._options import HTTPOptions
from ._redirects import OutgoingRequest

if TYPE_CHECKING:
    import httpx

    from ._exchange import ExchangeStats

T = TypeVar("T")


class HTTPTransport(HTTPExchange, Transport[Request, Response]):
    """Carries requests over one `httpx.Client`, made at the first; threads may share it."""

    _client: httpx.Client | None = None

    def __init__(
        self, base_url: str, options: HTTPOptions, authorization: str | None = None
    ) -> None:
        super().__init__(base_url, options, authorization)
        self._lock = threading.Lock()
        self._deadline = Deadline()

    def send(self, request: Request) -> Response:
        return run(self._exchange(request), self._fetch)

    def run(self, make: Callable[[], Flow[Request, Response, T]]) -> T:
        return run(make(), self.send, sleep=clock().sleep)

    def _fetch(self, hop: OutgoingRequest) -> Response:
        client = self._connect()
        with (
            self._translating(hop),
            self._deadline.at(hop.deadline),
            client.stream(hop.method, parsed(hop.url), **self._sent(hop)) as reply,
        ):
            chunks, size = [], 0
            for chunk in reply.iter_bytes():
                size += len(chunk)
                self._bound(size)
                chunks.append(chunk)
            return response_of(reply, chunks)

    @contextmanager
    def stream(self, request: Request) -> Iterator[IncomingReply[Response]]:
        with self._telling(request) as told, ExitStack() as replies:
            opened: list[tuple[OutgoingRequest, httpx.Response]] = []

            def start(hop: OutgoingRequest) -> Response:
                client = self._connect()
                with self._translating(hop, streamed=True), self._deadline.at(hop.deadline):
                    reply = replies.enter_context(
                        client.stream(hop.method, parsed(hop.url), **self._sent(hop))
                    )
                    opened[:] = [(hop, reply)]
                    whole = [] if comes_piecemeal(reply) else list(self._whole(hop, reply, told))
                    return response_of(reply, whole)

            response = run(self._hops(request), start)
            told.status = response.status
            hop, reply = opened[0]
            yield IncomingReply(
                response,
                self._pieces(hop, reply, told)
                if comes_piecemeal(reply)
                else iter((response.content,)),
            )

    def _whole(
        self, hop: OutgoingRequest, reply: httpx.Response, told: ExchangeStats
    ) -> Iterator[bytes]:
        for chunk in self._pieces(hop, reply, told):
            self._bound(told.size)
            yield chunk

    def _pieces(
        self, hop: OutgoingRequest, reply: httpx.Response, told: ExchangeStats
    ) -> Iterator[bytes]:
        with self._translating(hop, streamed=True):
            for chunk in reply.iter_bytes():
                told.size += len(chunk)
                yield chunk

    def _connect(self) -> httpx.Client:
        if self._client is not None:
            return self._client
        import httpx

        with self._lock:
            if self._client is None:
                with config_errors():
                    client = httpx.Client(
                        **client_arguments(self.options, self._authorization),
                        event_hooks={"response": [take_location]},
                    )
                install_backend(
                    client,
                    lambda backend: BoundedBackend(clock().backend(backend), self._deadline),
                )
                self._client = client
            return self._client

    def close(self) -> None:
        self._closed = True
        if self._client is not None:
            self._client.close()


class AsyncHTTPTransport(HTTPExchange, AsyncTransport[Request, Response]):
    """Carries requests over one `httpx.AsyncClient`, `concurrency` of them at a time."""

    _client: httpx.AsyncClient | None = None

    def __init__(
        self, base_url: str, options: HTTPOptions, authorization: str | None = None
    ) -> None:
        import asyncio

        super().__init__(base_url, options, authorization)
        self.concurrency = options.concurrency
        self._slots = asyncio.Semaphore(self.concurrency)

    async def send(self, request: Request) -> Response:
        async with self._slots:
            return await arun(self._exchange(request), self._fetch)

    async def run(self, make: Callable[[], Flow[Request, Response, T]]) -> T:
        return await arun(
            make(), self.send, concurrency=self.concurrency, sleep=clock().async_sleep
        )

    async def _fetch(self, hop: OutgoingRequest) -> Response:
        import asyncio

        client = self._connect()
        with self._translating(hop):
            async with (
                asyncio.timeout(hop.deadline - clock().monotonic()),
                client.stream(hop.method, parsed(hop.url), **self._sent(hop)) as reply,
            ):
                chunks, size = [], 0
                async for chunk in reply.aiter_bytes():
                    size += len(chunk)
                    self._bound(size)
                    chunks.append(chunk)
                return response_of(reply, chunks)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIncomingReply[Response]]:
        async with AsyncExitStack() as replies:
            told = replies.enter_context(self._telling(request))
            opened: list[tuple[OutgoingRequest, httpx.Response]] = []

            async def start(hop: OutgoingRequest) -> Response:
                import asyncio

                client = self._connect()
                with self._translating(hop, streamed=True):
                    async with asyncio.timeout(hop.deadline - clock().monotonic()):
                        reply = await replies.enter_async_context(
                            client.stream(hop.method, parsed(hop.url), **self._sent(hop))
                        )
                        opened[:] = [(hop, reply)]
                        if comes_piecemeal(reply):
                            return response_of(reply, [])
                        whole = []
                        async with aclosing(self._pieces(hop, reply, told)) as pieces:
                            async for piece in pieces:
                                self._bound(told.size)
                                whole.append(piece)
                        return response_of(reply, whole)

            response = await arun(self._hops(request), start)
            told.status = response.status
            hop, reply = opened[0]
            chunks = (
                self._pieces(hop, reply, told)
                if comes_piecemeal(reply)
                else _only(response.content)
            )
            async with aclosing(chunks):
                yield AsyncIncomingReply(response, chunks)

    async def _pieces(
        self, hop: OutgoingRequest, reply: httpx.Response, told: ExchangeStats
    ) -> AsyncGenerator[bytes]:
        with self._translating(hop, streamed=True):
            async for chunk in reply.aiter_bytes():
                told.size += len(chunk)
                yield chunk

    def _connect(self) -> httpx.AsyncClient:
        if self._client is not None:
            return self._client
        import httpx

        async def put_aside(reply: httpx.Response) -> None:
            take_location(reply)

        with config_errors():
            self._client = httpx.AsyncClient(
                **client_arguments(self.options, self._authorization),
                event_hooks={"response": [put_aside]},
            )
        install_backend(
            self._client, lambda backend: ClosingBackend(clock().async_backend(backend))
        )
        return self._client

    async def aclose(self) -> None:
        self._closed = True
        if self._client is not None:
            await self._client.aclose()


async def _only(chunk: bytes) -> AsyncGenerator[bytes]:
    yield chunk
