"""Dialects over ASGI: a request is read, its flow carried out on the store, its answer sent.

Which services there are, the installed plugins say; none is known here.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from starlette.requests import ClientDisconnect
from starlette.responses import Response as Sent
from starlette.types import Receive, Scope, Send

from convostore.dialect import Dialect, IncomingRequest, StreamedResponse, answered
from convostore.errors import InvalidError, StoreError, UnavailableError
from convostore.exchange import Response

from .incoming import headers_of, path_of, read_request
from .limits import Limits
from .served import Served
from .streams import stream_response

_log = logging.getLogger("convostore.gateway")


class Dialects:
    """The ASGI applications of several dialects.

    Args:
        dialects: The first that serves a request answers it.
        served: What they serve.
    """

    def __init__(self, dialects: Sequence[Dialect], served: Served) -> None:
        self._dialects = dialects
        self._served = served

    def serving(self, scope: Scope) -> Dialect | None:
        """The dialect of a request, by its method and path; None when it is nobody's."""
        request = _head(scope)
        return next((each for each in self._dialects if each.serves(request)), None)

    async def answer(self, dialect: Dialect, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request in a dialect."""
        request = _head(scope)
        try:
            request = await read_request(scope, receive, self._served.limits)
            response = await self._answered(dialect, request)
        except ClientDisconnect:
            return
        except StoreError as error:
            response = _sent(dialect.failed(request, error))
        except Exception as error:
            _log.error("%s in the dialect of %s", type(error).__name__, dialect.name)
            response = _sent(dialect.failed(request, UnavailableError("it failed inside")))
        await response(scope, receive, send)

    async def _answered(self, dialect: Dialect, request: IncomingRequest) -> Sent:
        store = self._served.store(dialect.credentials(request), dialect.scope(request))
        _check_ids(request, self._served.limits)
        answer = await answered(dialect, request, store)
        if isinstance(answer, StreamedResponse):
            return await stream_response(store, answer)
        return _sent(answer)


def _head(scope: Scope) -> IncomingRequest:
    """A request whose body is not read yet."""
    return IncomingRequest(method=scope["method"], path=path_of(scope), headers=headers_of(scope))


def _check_ids(request: IncomingRequest, limits: Limits) -> None:
    """Refuses an address with something in it that is longer than an id may be."""
    longest = max(map(len, [*request.path.split("/"), *[value for _, value in request.query]]))
    if longest > 3 * limits.id:
        raise InvalidError(f"an id may have {limits.id} characters")


def _sent(response: Response) -> Sent:
    return Sent(response.content, response.status, dict(response.headers))
