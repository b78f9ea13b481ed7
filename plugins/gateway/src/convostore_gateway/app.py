"""The ASGI application: which of the gateway's parts answers a request, and what surrounds each.

What the parts do stands in their own modules.
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
    """Makes the application that serves a store; run it by uvicorn, or mount it in one's own.

    The store stays the caller's, who closes it.

    Args:
        store: What is served; or several by namespace, of which tokens and `scopes` choose.
        tokens: Those that are accepted.
        open_access: Whether everybody may do everything, which needs no token.
        read_only: Whether nobody may change anything, whatever the tokens say.
        scopes: By what requests name (FastGPT's ``appId``), the namespace that it stands for; what
            is not named here is then refused. None takes no notice of it.
        limits: The bounds of what one client may ask for.
        cors: The origins whose pages may call it, such as ``https://example.org``.
        hosts: The names that a request may be addressed to; any, when there are none. A server that
            needs no token should name them, so that no page of a stranger can reach it.
        viewer: Whether the pages for people are served.

    Raises:
        ConfigError: There is no token and no `open_access`, or a token names a namespace that is
            not served.
    """
    stores = {"": store} if isinstance(store, AsyncConversationStore) else dict(store)
    if not tokens and not open_access:
        raise ConfigError("a gateway needs tokens=[Token(…)], or open_access=True to need none")
    _check_namespaces(stores, tokens, scopes or {})
    served = Stores(
        stores=stores,
        access=Access(tokens, read_only=read_only),
        scopes=scopes or {},
        limits=limits or Limits(),
    )
    found, failed = installed_dialects()
    for problem in failed:
        _log.warning("a dialect is missing: %s", problem)
    routes: list[BaseRoute] = [
        Route("/healthz", healthz),
        Route("/readyz", Readiness(served).__call__),
        Surface("/v1", Native(served)),
        DialectRoute(Dialects([each() for each in found.values()], served)),
    ]
    if viewer:
        from .viewer.app import Viewer

        routes += [Route("/", _to_viewer), Surface("/viewer", Viewer(served))]
    return Starlette(routes=routes, middleware=list(_middleware(served.limits, cors, hosts)))


def _middleware(limits: Limits, cors: Sequence[str], hosts: Sequence[str]) -> Iterator[Middleware]:
    yield Middleware(SecurityMiddleware, limits=limits)
    yield Middleware(Origins, hosts=frozenset(hosts), cors=frozenset(cors))
    if cors:
        yield Middleware(
            CORSMiddleware,
            allow_origins=list(cors),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["etag"],
        )


async def _to_viewer(_: Request) -> Response:
    return RedirectResponse("viewer/")


def _check_namespaces(
    stores: Mapping[str, AsyncConversationStore],
    tokens: Sequence[Token],
    scopes: Mapping[str, str],
) -> None:
    named = [token.namespace for token in tokens if token.namespace is not None]
    for namespace in [*named, *scopes.values()]:
        if namespace not in stores:
            raise ConfigError(f"the namespace {namespace!r} is named but not served")
