"""The native API under `/v1` as an ASGI application: route, authenticate, parse, handle, render.

The endpoints are in `router`.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping
from functools import cache, partial
from typing import Final
from urllib.parse import quote

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from convostore.dialects import IncomingRequest, StreamedResponse, bearer
from convostore.errors import AuthError, InvalidError, StoreError
from convostore.store import AsyncConversationStore

from ..middleware import location_of
from ..problems import MEDIA_TYPE, problem_json, problem_of
from ..requests import TooLargeError, TooSlowError, head_of
from ..stores import Stores
from ..streams import stream_response
from .bodies import MediaTypeError, check_ids, take_body
from .endpoint import Call, Endpoint
from .openapi import DOCUMENT, document
from .parameters import read_query
from .responses import answer
from .router import ENDPOINTS, AbsentPathError, Paths

_log: Final = logging.getLogger("convostore.gateway")


class WrongMethodError(InvalidError):
    """The path does not have this method; `allow` names those that it has."""

    def __init__(self, method: str, allow: str) -> None:
        super().__init__(f"{method} is not allowed at this path: use {allow}")
        self.allow = allow


_STATUSES: Final[Mapping[type[StoreError], int]] = {
    AbsentPathError: 404,
    WrongMethodError: 405,
    TooSlowError: 408,
    TooLargeError: 413,
    MediaTypeError: 415,
}
"""The statuses of errors that only HTTP has."""


class Native:
    """The native API over the served stores."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        endpoints = (*ENDPOINTS, DOCUMENT)
        self._paths = Paths(endpoints)
        options = frozenset().union(*[store.reply_options for store in stores.stores.values()])
        self._document = cache(  # made at the first request: it takes long
            partial(
                document,
                endpoints,
                stores.limits,
                options,
                needs_token=not stores.access.is_open,
            )
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._respond(scope, receive)
        except ClientDisconnect:
            return
        except StoreError as error:
            response = _problem_response(error)
        except Exception as error:
            _log.error("%s at %s", type(error).__name__, location_of(error))
            response = _problem_response(StoreError("the gateway failed"))
        await response(scope, receive, _headers_only(send) if scope["method"] == "HEAD" else send)

    async def _respond(self, scope: Scope, receive: Receive) -> Response:
        head = head_of(scope)
        methods, ids = self._paths.match(head.path)
        endpoint = _select(methods, head.method)
        if endpoint.handle is None:
            return await self._describe(head, scope)
        store = self._store(head, scope)
        call = await self._read(endpoint, store, ids, scope, receive)
        result = await endpoint.handle(call)
        if isinstance(result, StreamedResponse):
            return await stream_response(store, result)
        if isinstance(result, Response):
            return result
        return await answer(result, endpoint.status, head.headers, conditional=endpoint.conditional)

    async def _describe(self, head: IncomingRequest, scope: Scope) -> Response:
        """Answer with the OpenAPI document."""
        read_query((), scope["query_string"], self._stores.limits)
        description = await asyncio.to_thread(self._document)
        if root := scope.get("root_path", ""):
            description = {**description, "servers": [{"url": quote(root)}]}
        return await answer(description, 200, head.headers, conditional=True)

    def _store(self, head: IncomingRequest, scope: Scope) -> AsyncConversationStore:
        """Return the store that the request's token reaches.

        Raises:
            AuthError: The request has no accepted token.
        """
        grant = self._stores.access.grant(bearer(head.headers))
        scope.setdefault("state", {})["token"] = grant.name
        return self._stores.store_of(grant)

    async def _read(
        self,
        endpoint: Endpoint,
        store: AsyncConversationStore,
        ids: Mapping[str, str],
        scope: Scope,
        receive: Receive,
    ) -> Call:
        head, limits = head_of(scope), self._stores.limits
        query = read_query(endpoint.parameters, scope["query_string"], limits)
        check_ids((*ids.values(), query.get("conversation_id"), query.get("start")), limits)
        body = None
        if endpoint.body is not None:
            body = await take_body(endpoint.body, head, receive, limits)
        return Call(
            store=store, ids=ids, query=query, body=body, headers=head.headers, limits=limits
        )


def _select(methods: Mapping[str, Endpoint], method: str) -> Endpoint:
    endpoint = methods.get("GET" if method == "HEAD" else method)
    if endpoint is None:
        allowed = [*methods, "HEAD"] if "GET" in methods else [*methods]
        raise WrongMethodError(method, ", ".join(allowed))
    return endpoint


def _problem_response(error: StoreError) -> Response:
    problem = problem_of(error, _STATUSES.get(type(error)))
    status = problem["status"]
    headers: dict[str, str] = {}
    if isinstance(error, AuthError) and status == 401:
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, WrongMethodError):
        headers["allow"] = error.allow
    if status in {429, 503} and (seconds := problem.get("retry_after")) is not None:
        headers["retry-after"] = str(math.ceil(seconds))
    return Response(problem_json(problem), status, headers, media_type=MEDIA_TYPE)


def _headers_only(send: Send) -> Send:
    async def send_headers(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_headers
