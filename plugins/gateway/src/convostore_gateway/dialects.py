"""Dialects over ASGI: a request is read, its flow carried out on the store, its answer sent.

Which services there are, the installed plugins say; none is known here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.responses import Response as Sent
from starlette.types import Receive, Scope, Send

from convostore.dialects import Dialect, IncomingRequest, StreamedResponse, run_dialect
from convostore.errors import AuthError, InvalidError, StoreError, UnavailableError
from convostore.http import Response

from .auth import Grant
from .limits import Limits
from .middleware import place_of
from .requests import head_of, read_request
from .stores import Stores
from .streams import stream_response

_log = logging.getLogger("convostore.gateway")
_LARGE: Final = 256 * 1024
"""Bytes of a body that is decoded in the event loop."""
_OF_STRANGERS: Final = 64 * 2**10
"""The most bytes of the body of a request without the right token."""


class Dialects:
    """The ASGI applications of several dialects.

    Args:
        dialects: The first that serves a request answers it.
        served: What they serve.
    """

    def __init__(self, dialects: Sequence[Dialect], served: Stores) -> None:
        self._dialects = dialects
        self._served = served

    def serving(self, head: IncomingRequest) -> Dialect | None:
        """Return the first dialect that serves a request's method and path, if there is one."""
        return next((dialect for dialect in self._dialects if dialect.serves(head)), None)

    async def answer(self, dialect: Dialect, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request in a dialect."""
        request, limits = head_of(scope), self._served.limits
        try:
            try:
                grant = self._served.access.grant(dialect.credentials(request))
            except AuthError:  # how it is told may depend on the body
                request = await read_request(scope, receive, _for_strangers(limits))
                raise
            scope.setdefault("state", {})["token"] = grant.name
            request = await read_request(scope, receive, limits)
            response = await self._answered(dialect, request, grant)
        except ClientDisconnect:
            return
        except StoreError as error:
            response = _sent(dialect.failed(request, error))
        except Exception as error:
            _log.error("%s at %s", type(error).__name__, place_of(error))
            response = _sent(dialect.failed(request, UnavailableError("it failed inside")))
        await response(scope, receive, send)

    async def _answered(self, dialect: Dialect, request: IncomingRequest, grant: Grant) -> Sent:
        if len(request.content) > _LARGE:
            await asyncio.to_thread(getattr, request, "fields")  # which are kept
        store = self._served.store_of(grant, dialect.scope(request))
        _check_ids(request, self._served.limits)
        answer = await run_dialect(dialect, request, store)
        if isinstance(answer, StreamedResponse):
            return await stream_response(store, answer)
        return _sent(answer)


def _for_strangers(limits: Limits) -> Limits:
    """Bounds within which a request costs next to nothing."""
    return replace(limits, body=min(limits.body, _OF_STRANGERS))


def _check_ids(request: IncomingRequest, limits: Limits) -> None:
    """Refuses an address with something in it that is longer than an id may be."""
    longest = max(map(len, [*request.path.split("/"), *[value for _, value in request.query]]))
    if longest > 3 * limits.id:
        raise InvalidError(f"an id may have {limits.id} characters")


def _sent(response: Response) -> Sent:
    return Sent(response.content, response.status, dict(response.headers))
