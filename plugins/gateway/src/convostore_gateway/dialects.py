"""Dialects over ASGI: authenticate, parse, run the dialect's flow on a store, render.

The installed plugins bring the dialects; none is known here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.responses import Response as ASGIResponse
from starlette.types import Receive, Scope, Send

from convostore.dialects import Dialect, IncomingRequest, StreamedResponse, run_dialect
from convostore.errors import AuthError, InvalidError, StoreError, UnavailableError
from convostore.http import Response

from .auth import Grant
from .limits import Limits
from .middleware import location_of
from .requests import head_of, read_request
from .stores import Stores
from .streams import stream_response

_log = logging.getLogger("convostore.gateway")
_LARGE: Final = 256 * 1024
"""Bytes up to which a body is decoded in the event loop."""
_UNAUTHENTICATED_BODY: Final = 64 * 2**10
"""The maximum number of bytes of a body that are read without an accepted token."""


class Dialects:
    """The ASGI applications of several dialects.

    Args:
        dialects: The dialects; the first one that serves a request answers it.
        stores: The stores to serve.
    """

    def __init__(self, dialects: Sequence[Dialect], stores: Stores) -> None:
        self._dialects = dialects
        self._stores = stores

    def find(self, head: IncomingRequest) -> Dialect | None:
        """Return the first dialect that serves a request's method and path, if there is one."""
        return next((dialect for dialect in self._dialects if dialect.serves(head)), None)

    async def answer(self, dialect: Dialect, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request in a dialect: authenticate, parse, handle, render."""
        request, limits = head_of(scope), self._stores.limits
        try:
            try:
                grant = self._stores.access.grant(dialect.credentials(request))
            except AuthError:  # how a dialect reports it may depend on the body
                request = await read_request(scope, receive, _unauthenticated(limits))
                raise
            scope.setdefault("state", {})["token"] = grant.name
            request = await read_request(scope, receive, limits)
            response = await self._respond(dialect, request, grant)
        except ClientDisconnect:
            return
        except StoreError as error:
            response = _render(dialect.failed(request, error))
        except Exception as error:
            _log.error("%s at %s", type(error).__name__, location_of(error))
            response = _render(dialect.failed(request, UnavailableError("the gateway failed")))
        await response(scope, receive, send)

    async def _respond(
        self, dialect: Dialect, request: IncomingRequest, grant: Grant
    ) -> ASGIResponse:
        if len(request.content) > _LARGE:
            await asyncio.to_thread(getattr, request, "fields")  # cached on the request
        store = self._stores.store_of(grant, dialect.scope(request))
        _check_ids(request, self._stores.limits)
        answer = await run_dialect(dialect, request, store)
        if isinstance(answer, StreamedResponse):
            return await stream_response(store, answer)
        return _render(answer)


def _unauthenticated(limits: Limits) -> Limits:
    """Return bounds within which a request costs next to nothing."""
    return replace(limits, body=min(limits.body, _UNAUTHENTICATED_BODY))


def _check_ids(request: IncomingRequest, limits: Limits) -> None:
    """Check the lengths of what the address holds, before anything is decoded.

    Raises:
        InvalidError: A segment or parameter is longer than an encoded id may be.
    """
    longest = max(map(len, [*request.path.split("/"), *[value for _, value in request.query]]))
    if longest > 3 * limits.id:
        raise InvalidError(f"an id must have at most {limits.id} characters")


def _render(response: Response) -> ASGIResponse:
    return ASGIResponse(response.content, response.status, dict(response.headers))
