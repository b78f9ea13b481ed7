"""A gateway over loopback for tests: a server in a thread, over stores that it closes at its end.

    with served("memory://some-name") as url:
        httpx.get(f"{url}/v1/conversations")

A store in this process is seeded through its own address: `memory://some-name` is the same store
for whoever opens it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import httpx

import convostore
from convostore.store import AsyncConversationStore
from convostore_gateway import Limits, Token
from convostore_gateway.app import create_app
from convostore_gateway.server.run import running

PATIENCE = 60.0
"""Seconds after which something hangs."""

Target: TypeAlias = str | Callable[[], AsyncConversationStore]
"""A DSN, or what makes a store that no event loop has used yet."""


@contextmanager
def served(
    target: Target | Mapping[str, Target],
    *,
    tokens: tuple[Token, ...] = (),
    store_options: Mapping[str, Any] | None = None,
    limits: Limits | None = None,
    **options: Any,
) -> Iterator[str]:
    """Serves a store, or several by namespace, and gives the base URL.

    Args:
        target: What is served.
        tokens: Those of the app, which is open to everybody where there are none.
        store_options: Those of the stores that are named by DSN.
        limits: The app's and the server's.
        options: The other ones of `create_app`.
    """
    targets = target if isinstance(target, Mapping) else {"": target}
    stores = {name: opened(each, store_options) for name, each in targets.items()}
    made = create_app(stores, tokens=tokens, open_access=not tokens, limits=limits, **options)
    with running(made, stores=stores.values(), limits=limits) as url:
        yield url


def client_of(url: str = "", **options: Any) -> httpx.Client:
    """A client of a server over loopback, which has time and needs no certificates."""
    return httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False, verify=False, **options)


def asked(method: str, url: str, **options: Any) -> httpx.Response:
    """The answer to one request, over a connection of its own."""
    with client_of() as client:
        return client.request(method, url, **options)


def got(url: str, **options: Any) -> httpx.Response:
    """The answer to one ``GET``."""
    return asked("GET", url, **options)


def opened(target: Target, options: Mapping[str, Any] | None = None) -> AsyncConversationStore:
    """Opens what is to be served."""
    options = options or {}
    return convostore.aopen(target, **options) if isinstance(target, str) else target()
