"""A gateway in the place of a service, in the same process: the real app answers its adapter.

The contract kit takes it for a stand-in (`convostore.testing.Service`). Nothing goes over a socket:
each request is one call of the ASGI application, whole with all that surrounds it.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from anyio.from_thread import BlockingPortal, start_blocking_portal
from starlette.types import ASGIApp

from convostore.adapters import Adapter
from convostore.config import open_adapter
from convostore.flow import run
from convostore.http import Request, Response
from convostore.http._redirects import encode_body, request_url
from convostore.testing.transports import Service
from convostore_gateway.app import create_app
from convostore_gateway.streams import settle

from .gateway import Target, opened

ADDRESS = "gateway+http://gateway.test"


class Gateway:
    """The app over a store, which is asked from any thread."""

    def __init__(self, portal: BlockingPortal, app: ASGIApp) -> None:
        self._portal = portal
        self._app = app
        self._told: dict[str, Response] = {}

    def __call__(self, request: Request) -> Response:
        return self._portal.call(answered, self._app, request)

    def tell(self, request: Request) -> Response:
        """The same answer each time, for what does not change while the app runs."""
        if request.path not in self._told:
            self._told[request.path] = self(request)
        return self._told[request.path]


@contextmanager
def serving(target: Target, **options: Any) -> Iterator[Gateway]:
    """Gives a function that answers requests out of a store; threads may share it.

    Args:
        target: The store, which is opened here and closed at the end.
        options: Those of the app, which is open to everybody unless they say otherwise.
    """
    with start_blocking_portal() as portal:
        store = opened(target)
        served = create_app(store, **{"open_access": "tokens" not in options} | options)
        try:
            yield Gateway(portal, served)
        finally:
            portal.call(settle, 5)
            portal.call(store.aclose)


def informed(service: Service, target: str = ADDRESS, **options: object) -> Adapter:
    """An adapter that has looked what is served, as `check` does."""
    adapter = open_adapter(target, **options)
    run(adapter.check(), service.tell if isinstance(service, Gateway) else service)
    return adapter


async def answered(application: ASGIApp, request: Request) -> Response:
    """What an ASGI application answers to a request, read to its end."""
    target, _, query = request_url("", request).partition("?")
    content, headers = encode_body(request)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(target),
        "raw_path": target.encode("ascii"),
        "root_path": "",
        "query_string": query.encode("ascii"),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("gateway.test", 80),
    }
    arriving = iter([{"type": "http.request", "body": content or b"", "more_body": False}])
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return next(arriving, None) or await _never()

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await application(scope, receive, send)
    start, *pieces = sent
    return Response(
        start["status"],
        {name.decode(): value.decode() for name, value in start["headers"]},
        b"".join([piece.get("body", b"") for piece in pieces]),
    )


async def _never() -> MutableMapping[str, Any]:
    """Who has sent all waits for the answer, and does not hang up."""
    from anyio import sleep_forever

    await sleep_forever()
    raise AssertionError("nothing wakes it")
