"""The viewer as an ASGI application: which page answers a request, and who may see it.

What pages show stands in `pages`, what they change in `changes`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final, TypeAlias
from urllib.parse import quote

from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from convostore.dialects import IncomingRequest
from convostore.errors import AuthError, InvalidError, StoreError

from ..limits import Limits
from ..middleware import place_of
from ..requests import head_of, read_request
from ..stores import Stores
from . import forms, pages, sessions
from .assets import asset_response
from .request import Visit, form_of, wants_fragment
from .responses import failed, page, problem
from .urls import Addresses, id_of

_log = logging.getLogger("convostore.gateway")
Handler: TypeAlias = Callable[[Visit], Awaitable[Response]]
_FORM: Final = 64 * 2**10
"""The most bytes of a form."""
_CONVERSATION: Final = "conversations/*"
_MESSAGE: Final = "conversations/*/messages/*"
_HANDLERS: Final[Mapping[str, Mapping[str, Handler]]] = {
    "": {"GET": pages.home},
    "search": {"GET": pages.search},
    "activity": {"GET": pages.activity},
    "export": {"GET": pages.export_all},
    _CONVERSATION: {"GET": pages.conversation},
    f"{_CONVERSATION}/row": {"GET": pages.row},
    f"{_CONVERSATION}/messages": {"GET": pages.messages},
    f"{_CONVERSATION}/export": {"GET": pages.export},
    f"{_CONVERSATION}/title": {"POST": forms.rename},
    f"{_CONVERSATION}/pin": {"POST": forms.pin},
    f"{_CONVERSATION}/delete": {"POST": forms.delete_conversation},
    f"{_MESSAGE}/run": {"GET": pages.run},
    f"{_MESSAGE}/feedback": {"POST": forms.feedback},
    f"{_MESSAGE}/delete": {"POST": forms.delete_message},
}
_BY_PARTS: Final = {tuple(path.split("/")): handlers for path, handlers in _HANDLERS.items()}


class Viewer:
    """Everything below ``/viewer``.

    Args:
        served: What is shown.
    """

    def __init__(self, served: Stores) -> None:
        self._served = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        at = Addresses(quote(scope.get("root_path", "")) + "/viewer")
        as_piece = wants_fragment(head_of(scope))
        try:
            request = await read_request(scope, receive, _of_forms(self._served.limits))
            response = await self._answer(request, scope, at)
        except ClientDisconnect:
            return
        except StoreError as error:
            response = failed(error, at, as_piece=as_piece)
        except Exception as error:
            _log.error("%s at %s", type(error).__name__, place_of(error))
            response = failed(None, at, as_piece=as_piece)
        await response(scope, receive, send)

    async def _answer(self, request: IncomingRequest, scope: Scope, at: Addresses) -> Response:
        if not sessions.is_own(request, scope):
            return problem(403, "Only the viewer's own pages may do that.", at, as_piece=False)
        below = request.path.removeprefix("/viewer")
        method = "GET" if request.method == "HEAD" else request.method
        match (method, below):
            case ("GET", ""):
                return RedirectResponse(at.home)
            case ("GET", asset) if asset.startswith("/static/"):
                return asset_response(asset.removeprefix("/static/"), request)
            case ("POST", "/login"):
                return self._log_in(request, scope, at)
            case ("POST", "/logout"):
                return _log_out(scope, at)
        return await self._visited(request, method, below.removeprefix("/"), scope, at)

    async def _visited(
        self, request: IncomingRequest, method: str, path: str, scope: Scope, at: Addresses
    ) -> Response:
        """Answers whoever may look at the store."""
        access = self._served.access
        try:
            grant = access.grant(sessions.credentials(request))
        except AuthError:
            return _login(request, scope, at)
        scope.setdefault("state", {})["token"] = grant.name
        handlers, ids = _route(path)
        if method not in handlers:
            return _no_such(request, handlers, at)
        if any(len(each) > self._served.limits.id for each in ids):
            raise InvalidError("an id is too long")
        visit = Visit(
            request=request,
            store=self._served.store_of(grant),
            at=at,
            limits=self._served.limits,
            ids=ids,
            is_signed_in=not access.is_open,
        )
        return await handlers[method](visit)

    def _log_in(self, request: IncomingRequest, scope: Scope, at: Addresses) -> Response:
        try:
            form = form_of(request)
        except ValueError:
            raise InvalidError("the form cannot be read") from None
        token = form.get("token", "").strip()
        onward = _onward(form.get("next", ""), at)
        try:
            self._served.access.grant([token])
        except AuthError:
            return _login_page(at, onward, 401, is_wrong=True)
        response = RedirectResponse(onward, 303)
        sessions.keep_token(response, token, scope, at.root)
        return response


def _of_forms(limits: Limits) -> Limits:
    """Bounds within which a form costs next to nothing, whoever sends it."""
    return replace(limits, body=min(limits.body, _FORM))


def _route(path: str) -> tuple[Mapping[str, Handler], tuple[str, ...]]:
    """The handlers of a path by method, and the ids that it names."""
    parts = path.split("/")
    pattern = tuple(_pattern(parts))
    try:
        ids = tuple([id_of(part) for part, each in zip(parts, pattern, strict=True) if each == "*"])
    except ValueError:
        return {}, ()
    return _BY_PARTS.get(pattern, {}), ids


def _pattern(parts: list[str]) -> Iterator[str]:
    """The parts of a path with a star for each id, which stands behind the name of its list."""
    for place, part in enumerate(parts):
        follows = place > 0 and parts[place - 1] == ("conversations", "messages")[place > 2]
        yield "*" if place in {1, 3} and follows else part


def _no_such(request: IncomingRequest, handlers: Mapping[str, Handler], at: Addresses) -> Response:
    as_piece = wants_fragment(request)
    if not handlers:
        return problem(404, "There is no such page.", at, as_piece=as_piece)
    response = problem(405, "This address takes no such request.", at, as_piece=as_piece)
    response.headers["allow"] = ", ".join(handlers)
    return response


def _login(request: IncomingRequest, scope: Scope, at: Addresses) -> Response:
    """The page that asks for a token, in the place of the one that was asked for."""
    if wants_fragment(request):
        response = problem(401, "The token is no longer accepted.", at, as_piece=True)
        response.headers["hx-redirect"] = at.home
        return response
    wanted = at.root + request.path.removeprefix("/viewer")
    if query := scope["query_string"].decode("latin-1"):
        wanted = f"{wanted}?{query}"
    return _login_page(at, _onward(wanted if request.method == "GET" else "", at), 401)


def _login_page(at: Addresses, onward: str, status: int, *, is_wrong: bool = False) -> Response:
    response = page("login.html", at, status, onward=onward, is_wrong=is_wrong)
    response.headers["www-authenticate"] = "Bearer"
    return response


def _log_out(scope: Scope, at: Addresses) -> Response:
    response = RedirectResponse(at.home, 303)
    sessions.drop_token(response, scope, at.root)
    return response


def _onward(wanted: str, at: Addresses) -> str:
    """Where a login leads to: a page of the viewer, whatever was named."""
    is_ours = wanted.startswith(at.home) and wanted.isascii() and wanted.isprintable()
    return wanted if is_ours and "\\" not in wanted else at.home
