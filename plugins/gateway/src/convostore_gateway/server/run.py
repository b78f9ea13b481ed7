"""Running the application: a server of its own, until it is told to end, or in a thread.

Requests that are being answered are let end, replies whose clients went away are stored, then the
stores are closed. What is served is not known here.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import threading
from asyncio import Task
from collections.abc import Awaitable, Iterable, Sequence
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
"""Seconds that answers, and then replies without a client, are let go on when a server ends."""
_BACKLOG: Final = 512
_PATIENCE: Final = 3.0
"""Seconds that a store may take to be looked at before it is served."""
_log: Final = logging.getLogger("convostore.gateway")
_COLLECTED: Final = (50_000, 20, 100)
"""After how many objects the collector looks, and after how many looks it looks further."""


def listen(host: str, port: int) -> socket.socket:
    """Listens at an address; port 0 takes any that is free.

    Raises:
        ConfigError: The address cannot be had; says why.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        made = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
        # Only of a socket that says it is TCP's does asyncio send at once what is little.
        return socket.socket(made.family, made.type, socket.IPPROTO_TCP, made.detach())
    except (OSError, OverflowError, UnicodeError) as error:
        told = getattr(error, "strerror", None) or "it is no address"
    raise ConfigError(
        f"cannot listen on {host} port {port}: {told}: choose another --host or --port"
    )


def url_of(listening: socket.socket) -> str:
    """The URL of what is served there."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def collect_less() -> None:
    """Makes Python's collector look less often, for a process that does nothing but serve.

    A page is thousands of objects, which are gone with its answer and in no cycle. With a hundred
    requests under way the collector would take a third of the time to find that out.
    """
    gc.collect()
    gc.freeze()  # what is loaded by now stays
    gc.set_threshold(*_COLLECTED)


def serve(
    app: ASGIApp,
    listening: socket.socket,
    *,
    stores: Iterable[AsyncConversationStore] = (),
    limits: Limits | None = None,
    proxies: Sequence[str] = (),
    grace: float = GRACE,
) -> bool:
    """Serves until SIGINT or SIGTERM, then ends in order; a second signal breaks off what is left.

    Args:
        app: What `application.app` makes.
        listening: As of `listen`; it is closed at the end.
        stores: Those that are closed at the end.
        limits: As the application's.
        proxies: The addresses or networks of proxies, whose ``X-Forwarded-…`` headers are believed.
        grace: Seconds that what is under way is let go on.

    Returns:
        Whether it ended in order, and not by a second signal.
    """
    server = _Server(app, stores, limits or Limits(), proxies, grace)
    asyncio.run(server.serve(sockets=[listening]))
    return not server.is_forced


class RunningServer:
    """A server that runs in a thread while its ``with`` does; `running` makes one.

    Entering starts it and gives its URL, leaving ends it in order.

    Attributes:
        url: Such as ``http://127.0.0.1:8000``.
    """

    def __init__(self, listening: socket.socket, server: _Server) -> None:
        self._listening = listening
        self._server = server
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="gateway")
        self.url = url_of(listening)

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._server.server_state.connections)

    @property
    def requests(self) -> int:
        """How many requests are being answered."""
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
        except BaseException as error:  # whoever leaves the `with` gets it
            self._error = error


def running(
    app: ASGIApp,
    *,
    listening: socket.socket | None = None,
    stores: Iterable[AsyncConversationStore] = (),
    limits: Limits | None = None,
    grace: float = GRACE,
) -> RunningServer:
    """A server in a thread, for tests and demonstrations: ``with running(app) as url: …``.

    Args:
        app: What `application.app` makes.
        listening: As of `listen`; by default at any port of this machine that is free. It is closed
            at the end.
        stores: Those that are closed at the end, in the loop in which they served.
        limits: As the application's.
        grace: Seconds that what is under way is let go on at the end.
    """
    server = _Server(app, stores, limits or Limits(), (), grace)
    return RunningServer(listening or listen("127.0.0.1", 0), server)


class _Server(uvicorn.Server):
    """uvicorn's, which ends with what it answers for."""

    def __init__(
        self,
        app: ASGIApp,
        stores: Iterable[AsyncConversationStore],
        limits: Limits,
        proxies: Sequence[str],
        grace: float,
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
        self._forced = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def is_forced(self) -> bool:
        """Whether a second signal came."""
        return self.force_exit

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await asyncio.gather(*map(_look, self._stores))
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Ends at the first signal, and breaks off at the second; none is raised again."""
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
            connection.shutdown()  # as soon as it has answered
        await self._unless_forced(self._answered(), self._grace)
        await self._break_off()
        await self._unless_forced(settle(self._grace), self._grace + 1)
        for store in self._stores:
            with suppress(Exception):  # nobody could do anything about it any more
                await store.aclose()

    async def _answered(self) -> None:
        while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.02)

    async def _unless_forced(self, work: Awaitable[None], patience: float) -> None:
        both = {asyncio.ensure_future(work), asyncio.ensure_future(self._until_forced())}
        await asyncio.wait(both, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        await _cancel(both)

    async def _until_forced(self) -> None:
        await self._forced.wait()

    async def _break_off(self) -> None:
        """Ends what did not end by itself, so that nothing of it is left in the loop."""
        await _cancel(self.server_state.tasks)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # in which the transports tell their protocols


async def _look(store: AsyncConversationStore) -> None:
    """Looks at a store before it is served: it then knows what it offers, where only that tells."""
    try:
        async with asyncio.timeout(_PATIENCE):
            await store.check()
    except Exception as error:  # it may come yet; the probe of readiness goes on asking
        _log.warning("%s does not answer yet: %s", public_name(store.label), type(error).__name__)


async def _cancel(tasks: Iterable[Task[None]]) -> None:
    cancelled = list(tasks)
    for task in cancelled:
        task.cancel()
    await asyncio.gather(*cancelled, return_exceptions=True)
