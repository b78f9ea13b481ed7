"""The running server: until a signal, or in a thread, with a graceful shutdown.

Requests in progress are finished, replies whose clients disconnected are stored, then the stores
are closed. The application is not known here.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import threading
from asyncio import Task
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from convostore.errors import ConfigError
from convostore.store import AsyncConversationStore

from ..limits import Limits
from ..stores import public_name
from ..streams import settle
from .protocol import protocol_within

GRACE: Final = 10.0
"""Seconds for answers, and then for replies without a client, to end at shutdown."""
_BACKLOG: Final = 512
_CHECK_TIMEOUT: Final = 3.0
"""Seconds for the check of a store before it is served."""
_log: Final = logging.getLogger("convostore.gateway")
_GC_THRESHOLDS: Final = (50_000, 20, 100)
"""The thresholds of Python's garbage collector, by generation."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address; port 0 chooses a free port.

    Raises:
        ConfigError: The address is not available.
    """
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = addresses[0]
        server = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
        # asyncio sets TCP_NODELAY only on sockets that name the protocol.
        return socket.socket(server.family, server.type, socket.IPPROTO_TCP, server.detach())
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "not a valid address"
    raise ConfigError(
        f"cannot listen on {host} port {port}: {reason}: choose another --host or --port"
    )


def url_of(listening: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def collect_less() -> None:
    """Make the garbage collector run less often, for a process that only serves.

    A page is thousands of objects, which are freed with its answer and are in no cycle. With a
    hundred requests in progress the collector would take a third of the time to find that out.
    """
    gc.collect()
    gc.freeze()  # what is imported by now stays
    gc.set_threshold(*_GC_THRESHOLDS)


def serve(
    app: ASGIApp,
    listening: socket.socket,
    *,
    stores: Iterable[AsyncConversationStore] = (),
    limits: Limits | None = None,
    proxies: Sequence[str] = (),
    grace: float = GRACE,
    announce: Callable[[], None] = lambda: None,
) -> bool:
    """Serve until SIGINT or SIGTERM, then shut down gracefully; a second signal stops at once.

    Args:
        app: The application of `create_app`.
        listening: A socket of `listen`; it is closed at the end.
        stores: The stores to close at the end.
        limits: The limits of the application.
        proxies: The addresses or networks of proxies whose ``X-Forwarded-…`` headers are trusted.
        grace: Seconds for requests and replies in progress to end.
        announce: Called when the server answers.

    Returns:
        Whether the shutdown was graceful, without a second signal.

    Raises:
        ConfigError: A store cannot be served as it is configured, such as a missing file that must
            not be made.
    """
    server = _Server(app, stores, limits or Limits(), proxies, grace, announce)
    asyncio.run(server.serve(sockets=[listening]))
    return not server.is_forced


class RunningServer:
    """A server that runs in a thread within a ``with``; `running` returns one.

    Entering starts the server and returns its URL, leaving shuts it down.

    Attributes:
        url: The URL, such as ``http://127.0.0.1:8000``.
    """

    def __init__(self, listening: socket.socket, server: _Server) -> None:
        self._listening = listening
        self._server = server
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="gateway")
        self.url = url_of(listening)

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return len(self._server.server_state.connections)

    @property
    def requests(self) -> int:
        """The number of requests in progress."""
        return len(self._server.server_state.tasks)

    def __enter__(self) -> str:
        self._thread.start()
        return self.url

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listening.close()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            asyncio.run(self._server.serve(sockets=[self._listening]))
        except BaseException as error:  # raised again when the `with` is left
            self._error = error


def running(
    app: ASGIApp,
    *,
    listening: socket.socket | None = None,
    stores: Iterable[AsyncConversationStore] = (),
    limits: Limits | None = None,
    grace: float = GRACE,
) -> RunningServer:
    """Return a server in a thread, for tests and demonstrations.

    Use it as ``with running(app) as url:``.

    Args:
        app: The application of `create_app`.
        listening: A socket of `listen`; None chooses a free port of this machine. It is closed at
            the end.
        stores: The stores to close at the end, in the loop in which they served.
        limits: The limits of the application.
        grace: Seconds for requests and replies in progress to end.
    """
    server = _Server(app, stores, limits or Limits(), (), grace)
    return RunningServer(listening or listen("127.0.0.1", 0), server)


class _Server(uvicorn.Server):
    """uvicorn's server; its shutdown finishes replies and closes the stores."""

    def __init__(
        self,
        app: ASGIApp,
        stores: Iterable[AsyncConversationStore],
        limits: Limits,
        proxies: Sequence[str],
        grace: float,
        announce: Callable[[], None] | None = None,
    ) -> None:
        config = uvicorn.Config(
            app,
            http=protocol_within(limits),
            ws="none",
            loop="asyncio",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            server_header=False,
            date_header=False,
        )
        super().__init__(config)
        self._stores = tuple(stores)
        self._grace = grace
        self._announce = announce
        self._forced = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def is_forced(self) -> bool:
        """Whether a second signal came."""
        return self.force_exit

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        failures = await asyncio.gather(*map(_check, self._stores))
        for store, failure in zip(self._stores, failures, strict=True):
            if self._announce and isinstance(failure, ConfigError):
                await self._close_stores()
                raise failure
            if failure is not None:
                reason = type(failure).__name__
                _log.warning("%s does not answer yet: %s", public_name(store.label), reason)
        await super().startup(sockets)
        if self._announce:
            self._announce()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Stop at the first signal, at once at the second; signals are not raised again."""
        if self.should_exit and self._loop is not None:
            self.force_exit = True
            self._loop.call_soon_threadsafe(self._forced.set)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listening in sockets or ():
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()  # after the answer in progress
        await self._unless_forced(self._wait_for_answers(), self._grace)
        await self._abort_remaining()
        await self._unless_forced(settle(self._grace), self._grace + 1)
        await self._close_stores()

    async def _close_stores(self) -> None:
        for store in self._stores:
            with suppress(Exception):  # nothing can be done about it at this point
                await store.aclose()

    async def _wait_for_answers(self) -> None:
        while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110  # uvicorn has no event for it
            await asyncio.sleep(0.02)

    async def _unless_forced(self, work: Awaitable[None], patience: float) -> None:
        both = {asyncio.ensure_future(work), asyncio.ensure_future(self._until_forced())}
        await asyncio.wait(both, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        await _cancel(both)

    async def _until_forced(self) -> None:
        await self._forced.wait()

    async def _abort_remaining(self) -> None:
        """Cancel the remaining requests, so that nothing is left in the loop."""
        await _cancel(self.server_state.tasks)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # lets transports call connection_lost


async def _check(store: AsyncConversationStore) -> Exception | None:
    """Check a store, which may learn only then what it offers, and return why it fails."""
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT):
            await store.check()
    except Exception as error:  # it may answer later; the readiness probe checks again
        return error
    return None


async def _cancel(tasks: Iterable[Task[None]]) -> None:
    cancelled = list(tasks)
    for task in cancelled:
        task.cancel()
    await asyncio.gather(*cancelled, return_exceptions=True)
