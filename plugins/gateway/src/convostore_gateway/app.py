"""The ASGI application: routes, middleware and the dialects of installed plugins.

Each part answers requests in its own module.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from convostore.dialects import Dialect
from convostore.errors import ConfigError
from convostore.plugins import dialects as installed_dialects
from convostore.store import AsyncConversationStore

from .api.app import Native
from .auth import Access, Token
from .dialects import Dialects
from .health import Readiness, healthz
from .limits import Limits
from .middleware import Origins, SecurityMiddleware
from .routing import DialectRoute, Surface
from .schema import MESSAGE_ID
from .stores import Stores

_log = logging.getLogger("convostore.gateway")


def create_app(
    store: AsyncConversationStore | Mapping[str, AsyncConversationStore],
    *,
    tokens: Sequence[Token] = (),
    open_access: bool = False,
    read_only: bool = False,
    scopes: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    cors: Sequence[str] = (),
    hosts: Sequence[str] = (),
    viewer: bool = True,
) -> Starlette:
    """Return an ASGI application that serves a store; run it under uvicorn or mount it.

    The application does not close the store.

    Args:
        store: The store, or several by namespace, among which tokens and `scopes` choose. Further
            namespaces that they name are views of the store without one (`with_namespace`).
        tokens: The accepted tokens.
        open_access: Whether to allow everything to everybody, without a token.
        read_only: Whether to refuse every change, whatever the tokens allow.
        scopes: Namespaces by the scope that a request names (FastGPT's ``appId``); a request that
            names another one is refused. None ignores the scopes of requests.
        limits: The bounds on what one client may ask for.
        cors: The origins whose pages may call the gateway, such as ``https://example.org``.
        hosts: The host names that a request may be addressed to; empty allows any. Set them where
            no token is needed, so that no other site's page can reach the gateway through DNS.
        viewer: Whether to serve the viewer under ``/viewer``.

    Raises:
        ConfigError: There are neither tokens nor `open_access`, or a token or scope names a
            namespace that is not served.
    """
    opened = {"": store} if isinstance(store, AsyncConversationStore) else dict(store)
    if not tokens and not open_access:
        raise ConfigError("tokens must not be empty: pass tokens=[Token(…)], or open_access=True")
    stores = Stores(
        stores=opened,
        views=_views(opened, tokens, scopes or {}),
        access=Access(tokens, read_only=read_only),
        scopes=scopes or {},
        limits=limits or Limits(),
    )
    middleware = list(_middleware(stores.limits, cors, hosts))
    return Starlette(routes=list(_routes(stores, viewer=viewer)), middleware=middleware)


def _routes(stores: Stores, *, viewer: bool) -> Iterator[BaseRoute]:
    yield Route("/healthz", healthz)
    yield Route("/readyz", Readiness(stores).__call__)
    yield Surface("/v1", Native(stores))
    yield DialectRoute(Dialects(_dialects(), stores))
    if viewer:
        from .viewer.app import Viewer

        yield Route("/", _to_viewer)
        yield Surface("/viewer", Viewer(stores))


def _dialects() -> list[Dialect]:
    dialects, failures = installed_dialects()
    for failure in failures:
        _log.warning("cannot load a dialect: %s", failure)
    return [dialect() for dialect in dialects.values()]


def _middleware(limits: Limits, cors: Sequence[str], hosts: Sequence[str]) -> Iterator[Middleware]:
    yield Middleware(SecurityMiddleware, limits=limits)
    yield Middleware(Origins, hosts=frozenset(hosts), cors=frozenset(cors))
    if cors:
        yield Middleware(
            CORSMiddleware,
            allow_origins=list(cors),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["etag", MESSAGE_ID],
        )


async def _to_viewer(_: Request) -> Response:
    return RedirectResponse("viewer/")


def _views(
    stores: Mapping[str, AsyncConversationStore],
    tokens: Sequence[Token],
    scopes: Mapping[str, str],
) -> dict[str, AsyncConversationStore]:
    """Return a view of each namespace without a separate store, over one store's connections.

    Raises:
        ConfigError: There is no store with namespaces.
    """
    named = {token.namespace for token in tokens if token.namespace is not None}
    missing = (named | set(scopes.values())) - stores.keys()
    root = stores.get("")
    if missing and (root is None or not root.has_namespaces or "" in missing):
        raise ConfigError(
            f"namespace {min(missing)!r} is not served: pass its store, or leave it out"
        )
    return {} if root is None else {name: root.with_namespace(name) for name in missing}
