"""HTTPTransport and AsyncHTTPTransport: requests and streams over httpx.

Only I/O is here; all else that the two share is in `_exchange` and `_redirects`.
"""

# How a request is bounded, and who closes what
#
# A deadline is a moment of `Clock.monotonic`. It is fixed when a request is first sent, after the
# client has been made, as `timeout` seconds from then (`reply_timeout` if a model answers), and all
# that the request is redirected to shares it. A retry is a new request with a new deadline: retries
# are made above, by `flow.retrying`, and no deadline runs during the waits between them.
#
# httpx has no such bound. Its time-outs are those of single reads and writes, so a service that
# sends one byte a second never exceeds them. Therefore:
#
# - The sync transport puts a `BoundedBackend` below the client's pools. A blocking call cannot be
#   interrupted from outside, so each step on a socket gets what is left of the time. The deadline
#   belongs to the thread, not to the connection, which serves one request after another.
# - The async transport runs in `asyncio.timeout`, which cancels it wherever it is, even in the TLS
#   handshake. httpcore closes a connection after errors, but not after a cancellation at that
#   point, so a `ClosingBackend` does.
#
# httpx has no argument for a backend, so `install_backend` reaches for private attributes. Where
# they are missing, the first request is a ConfigError, and so is a response that came over another
# connection than a backend's (`require_stream`): a deadline never vanishes in silence.
#
# A streamed body has no deadline, since a model may write for minutes. Its head has one; after it
# each read is bounded by httpx's read time-out, `reply_timeout`. What would not be worth streaming
# (a refusal, a JSON object, a page of HTML) is read whole before the caller sees it, within the
# deadline and `max_body`, so that an error can quote it.
#
# Each with-block closes what it opened, however it is left:
#
# - `send` closes its response, which returns the connection to the pool if the body was read to its
#   end, and closes it if not.
# - `stream` has an exit stack with each response it opened, those of redirects included, and closes
#   them when the caller leaves the block. The async stack also has the generator that reads the
#   body, above its response: the garbage collector would close an abandoned async generator in
#   another task, and too late.
# - `close` closes the client with all its connections. First it sets a flag, so that later requests
#   fail with a clear error; a request of another thread is woken by the shutdown of its socket.
#
# A signal handler may raise anywhere in the main thread, also between two steps of httpx's or
# httpcore's bookkeeping. A lock of a connection may then stay held, and the next request that gets
# the connection would never end. So the main thread has a client of its own, which no request of
# another thread can meet, and it is abandoned if anything but an error of ours passed through it:
# later requests get a new one. A handler may also call `close`, while the main thread is within the
# lock of a pool: then only the sockets are closed, and the request that was interrupted closes its
# client as it ends.
#
# Errors are converted where they arise, by `_translating`: in `_fetch` and `_open`, and again in
# `_chunks`, which runs after `_open` has returned.

from __future__ import annotations

import threading
from collections import Counter
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
from ..errors import StoreError
from ..flow import Flow, arun, run
from ._client import (
    install_backend,
    make_async_client,
    make_client,
    require_stream,
)
from ._deadlines import (
    BoundedBackend,
    BoundedStream,
    ClosingBackend,
    ClosingStream,
    Deadline,
    clock,
)
from ._exchange import (
    BoundedBody,
    ExchangeStats,
    HTTPExchange,
    is_streamed,
    response_of,
    take_location,
)
from ._messages import Request, Response
from ._options import HTTPOptions
from ._redirects import REDIRECTS, OutgoingRequest, follow_redirect

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")


class HTTPTransport(HTTPExchange["httpx.Client"], Transport[Request, Response]):
    """A transport over one `httpx.Client`, made at the first request; threads may share it."""

    def __init__(
        self,
        base_url: str,
        options: HTTPOptions,
        authorization: str | None = None,
        *,
        scheme: str | None = None,
    ) -> None:
        super().__init__(base_url, options, authorization, scheme=scheme)
        self._deadline = Deadline()
        self._main_client: httpx.Client | None = None
        self._uses: Counter[httpx.Client] = Counter()
        """How often each client of the main thread is in use; no other thread changes it."""
        self._streams: set[BoundedStream] = set()

    def _make_client(self) -> httpx.Client:
        client = make_client(
            self.options, self._authorization, event_hooks={"response": [take_location]}
        )
        install_backend(
            client,
            lambda backend: BoundedBackend(clock().backend(backend), self._deadline, self._streams),
        )
        return client

    def _ensure_client(self) -> httpx.Client:
        if threading.current_thread() is not threading.main_thread():
            return super()._ensure_client()
        client = self._main_client
        if client is None:
            client = self._main_client = self._make_client()
        return client

    @contextmanager
    def _using_client(self) -> Iterator[httpx.Client]:
        """Use this thread's client; that of the main thread is abandoned after an interrupt."""
        client = self._ensure_client()
        is_main = client is self._main_client
        if is_main:
            self._uses[client] += 1
        try:
            yield client
        except (StoreError, GeneratorExit):
            raise
        except BaseException:
            self._abandon(client)
            raise
        finally:
            if is_main:
                self._leave(client)
            if self._closed:
                self._close_streams()  # also one that was made meanwhile

    def _abandon(self, client: httpx.Client) -> None:
        if self._main_client is client:
            self._main_client = None

    def _leave(self, client: httpx.Client) -> None:
        if self._uses[client] == 1 and (self._closed or self._main_client is not client):
            client.close()
        self._uses[client] -= 1
        if not self._uses[client]:
            del self._uses[client]

    def send(self, request: Request) -> Response:
        with self._reporting(request) as stats:
            outgoing = self._outgoing(request)
            while (response := self._fetch(outgoing)).status in REDIRECTS:
                outgoing = follow_redirect(outgoing, response)
            stats.status, stats.size = response.status, len(response.content)
            return response

    def run(self, make: Callable[[], Flow[Request, Response, T]]) -> T:
        return run(make(), self.send, sleep=clock().sleep)

    def _fetch(self, outgoing: OutgoingRequest) -> Response:
        body = BoundedBody(self.options.max_body)
        with (
            self._using_client() as client,
            self._translating(outgoing),
            self._deadline.at(outgoing.deadline),
            client.stream(**self._arguments(outgoing)) as reply,
        ):
            require_stream(reply, BoundedStream)
            for chunk in reply.iter_bytes():
                body.add(chunk)
            return response_of(reply, body.chunks)

    @contextmanager
    def stream(self, request: Request) -> Iterator[IncomingReply[Response]]:
        with self._reporting(request) as stats, ExitStack() as replies:
            outgoing = self._outgoing(request)
            while (incoming := self._open(outgoing, replies, stats)).reply.status in REDIRECTS:
                outgoing = follow_redirect(outgoing, incoming.reply)
            stats.status = incoming.reply.status
            yield incoming

    def _open(
        self, outgoing: OutgoingRequest, replies: ExitStack, stats: ExchangeStats
    ) -> IncomingReply[Response]:
        """Open a response: read its head, and its body if that is not to be streamed."""
        client = replies.enter_context(self._using_client())
        with self._translating(outgoing, streamed=True), self._deadline.at(outgoing.deadline):
            reply = replies.enter_context(client.stream(**self._arguments(outgoing)))
            require_stream(reply, BoundedStream)
            chunks = self._chunks(outgoing, client, reply, stats)
            if is_streamed(reply):
                return IncomingReply(response_of(reply, []), chunks)
            body = BoundedBody(self.options.max_body)
            for chunk in chunks:
                body.add(chunk)
            response = response_of(reply, body.chunks)
            return IncomingReply(response, iter((response.content,)))

    def _chunks(
        self,
        outgoing: OutgoingRequest,
        client: httpx.Client,
        reply: httpx.Response,
        stats: ExchangeStats,
    ) -> Iterator[bytes]:
        try:
            with self._translating(outgoing, streamed=True):
                for chunk in reply.iter_bytes():
                    stats.size += len(chunk)
                    yield chunk
        except (StoreError, GeneratorExit):
            raise
        except BaseException:  # whoever reads may handle it, and leave as if nothing had happened
            self._abandon(client)
            raise

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for client in (self._client, self._main_client):
            # One in use may be in use right here, below a signal handler, and hold a lock.
            if client is not None and client not in self._uses:
                client.close()
        self._close_streams()

    def _close_streams(self) -> None:
        for stream in tuple(self._streams):
            stream.close()


class AsyncHTTPTransport(HTTPExchange["httpx.AsyncClient"], AsyncTransport[Request, Response]):
    """A transport over one `httpx.AsyncClient`, which sends `concurrency` requests at a time."""

    def __init__(
        self,
        base_url: str,
        options: HTTPOptions,
        authorization: str | None = None,
        *,
        scheme: str | None = None,
    ) -> None:
        import asyncio

        super().__init__(base_url, options, authorization, scheme=scheme)
        self.concurrency = options.concurrency
        self._slots = asyncio.Semaphore(self.concurrency)

    def _make_client(self) -> httpx.AsyncClient:
        client = make_async_client(
            self.options, self._authorization, event_hooks={"response": [_take_location]}
        )
        install_backend(client, lambda backend: ClosingBackend(clock().async_backend(backend)))
        return client

    async def send(self, request: Request) -> Response:
        async with self._slots:
            with self._reporting(request) as stats:
                outgoing = self._outgoing(request)
                while (response := await self._fetch(outgoing)).status in REDIRECTS:
                    outgoing = follow_redirect(outgoing, response)
                stats.status, stats.size = response.status, len(response.content)
                return response

    async def run(self, make: Callable[[], Flow[Request, Response, T]]) -> T:
        return await arun(
            make(), self.send, concurrency=self.concurrency, sleep=clock().async_sleep
        )

    async def _fetch(self, outgoing: OutgoingRequest) -> Response:
        import asyncio

        body = BoundedBody(self.options.max_body)
        with self._translating(outgoing):
            async with (
                asyncio.timeout(outgoing.deadline - clock().monotonic()),
                self._ensure_client().stream(**self._arguments(outgoing)) as reply,
            ):
                require_stream(reply, ClosingStream)
                async for chunk in reply.aiter_bytes():
                    body.add(chunk)
                return response_of(reply, body.chunks)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIncomingReply[Response]]:
        async with AsyncExitStack() as replies:
            stats = replies.enter_context(self._reporting(request))
            outgoing = self._outgoing(request)
            while (
                incoming := await self._open(outgoing, replies, stats)
            ).reply.status in REDIRECTS:
                outgoing = follow_redirect(outgoing, incoming.reply)
            stats.status = incoming.reply.status
            yield incoming

    async def _open(
        self, outgoing: OutgoingRequest, replies: AsyncExitStack, stats: ExchangeStats
    ) -> AsyncIncomingReply[Response]:
        """Open a response: read its head, and its body if that is not to be streamed."""
        import asyncio

        with self._translating(outgoing, streamed=True):
            async with asyncio.timeout(outgoing.deadline - clock().monotonic()):
                reply = await replies.enter_async_context(
                    self._ensure_client().stream(**self._arguments(outgoing))
                )
                require_stream(reply, ClosingStream)
                chunks = await replies.enter_async_context(
                    aclosing(self._chunks(outgoing, reply, stats))
                )
                if is_streamed(reply):
                    return AsyncIncomingReply(response_of(reply, []), chunks)
                body = BoundedBody(self.options.max_body)
                async for chunk in chunks:
                    body.add(chunk)
        response = response_of(reply, body.chunks)
        whole = await replies.enter_async_context(aclosing(_only(response.content)))
        return AsyncIncomingReply(response, whole)

    async def _chunks(
        self, outgoing: OutgoingRequest, reply: httpx.Response, stats: ExchangeStats
    ) -> AsyncGenerator[bytes]:
        with self._translating(outgoing, streamed=True):
            async for chunk in reply.aiter_bytes():
                stats.size += len(chunk)
                yield chunk

    async def aclose(self) -> None:
        self._closed = True
        if self._client is not None:
            await self._client.aclose()


async def _take_location(reply: httpx.Response) -> None:
    take_location(reply)


async def _only(chunk: bytes) -> AsyncGenerator[bytes]:
    yield chunk
