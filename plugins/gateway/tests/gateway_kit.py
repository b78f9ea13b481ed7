"""A gateway over loopback for tests: uvicorn in a thread, over stores opened in its event loop.

    with served("memory://some-name") as url:
        httpx.get(f"{url}/v1/conversations")

A store in this process is seeded through its own address: `memory://some-name` is the same store
for whoever opens it.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from typing import Any, TypeAlias

import uvicorn

import convostore
from convostore.store import AsyncConversationStore
from convostore_gateway import Token
from convostore_gateway.application import app
from convostore_gateway.streams import settle

Opener: TypeAlias = Callable[[], AsyncConversationStore]
"""Opens a store; called in the server's event loop."""


@contextmanager
def served(
    target: str | Opener | Mapping[str, str | Opener],
    *,
    tokens: tuple[Token, ...] = (),
    store_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> Iterator[str]:
    """Serves a store, or several by namespace, and gives the base URL.

    Args:
        target: A DSN, or what opens a store; or several of them.
        tokens: Those of the app, which is open to everybody where there are none.
        store_options: Those of the stores, where they are named by DSN.
        options: The other ones of `app`.
    """
    targets = target if isinstance(target, Mapping) else {"": target}
    openers = {name: _opener(each, store_options or {}) for name, each in targets.items()}
    with running(openers, tokens=tokens, open_access=not tokens, **options) as url:
        yield url


@contextmanager
def running(openers: Mapping[str, Opener], **options: Any) -> Iterator[str]:
    """Runs a server in a thread; an error that ends it is raised at the end."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = _Server(openers, options)
    thread = threading.Thread(target=server.run, args=(listening,), name="gateway")
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.stop()
        thread.join()
        listening.close()
    if server.error is not None:
        raise server.error


class _Server:
    def __init__(self, openers: Mapping[str, Opener], options: Mapping[str, Any]) -> None:
        self._openers = openers
        self._options = options
        self._config = uvicorn.Config(
            app=self._answer,
            interface="asgi3",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
        )
        self._server = uvicorn.Server(self._config)
        self._app: Any = None
        self.error: BaseException | None = None

    def stop(self) -> None:
        self._server.should_exit = True

    def run(self, listening: socket.socket) -> None:
        try:
            asyncio.run(self._serve(listening))
        except BaseException as error:
            self.error = error

    async def _serve(self, listening: socket.socket) -> None:
        async with AsyncExitStack() as stack:
            stores = {
                name: await stack.enter_async_context(open())
                for name, open in self._openers.items()
            }
            self._app = app(stores, **self._options)
            await self._server.serve(sockets=[listening])
            await settle(5)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)


def _opener(target: str | Opener, options: Mapping[str, Any]) -> Opener:
    if isinstance(target, str):
        return lambda: convostore.aopen(target, **options)
    return target
