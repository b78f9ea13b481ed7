"""Routes over percent-encoded paths, so that an id may hold a slash."""

from __future__ import annotations

from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import ASGIApp, Receive, Scope, Send

from .dialects import Dialects
from .requests import head_of


class Surface(BaseRoute):
    """The route of everything below a prefix, such as ``/v1``."""

    def __init__(self, prefix: str, application: ASGIApp) -> None:
        self._prefix = prefix
        self._application = application

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        path = head_of(scope).path
        is_below = path == self._prefix or path.startswith(self._prefix + "/")
        return (Match.FULL if is_below else Match.NONE), {}

    def url_path_for(self, name: str, /, **path_params: object) -> URLPath:
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["surface"] = self._prefix[1:]
        await self._application(scope, receive, send)


class DialectRoute(BaseRoute):
    """The route of every request that one of the dialects serves."""

    def __init__(self, dialects: Dialects) -> None:
        self._dialects = dialects

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        dialect = self._dialects.find(head_of(scope))
        return (Match.NONE, {}) if dialect is None else (Match.FULL, {"dialect": dialect})

    def url_path_for(self, name: str, /, **path_params: object) -> URLPath:
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["surface"] = scope["dialect"].name
        await self._dialects.answer(scope["dialect"], scope, receive, send)
