"""The viewer as an ASGI application: routes, authentication and login.

The pages are in `pages`, the forms in `forms`.
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
from ..middleware import location_of
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
"""The maximum size of a form in bytes."""
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
    """The application of everything below ``/viewer``.

    Args:
        stores: The stores to show.
    """

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        at = Addresses(quote(scope.get("root_path", "")) + "/viewer")
        as_piece = wants_fragment(head_of(scope))
        try:
            request = await read_request(scope, receive, _form_limits(self._stores.limits))
            response = await self._answer(request, scope, at)
        except ClientDisconnect:
            return
        except StoreError as error:
            response = failed(error, at, as_piece=as_piece)
        except Exception as error:
            _log.error("%s at %s", type(error).__name__, location_of(error))
            response = failed(None, at, as_piece=as_piece)
        await response(scope, receive, send)

    async def _answer(self, request: IncomingRequest, scope: Scope, at: Addresses) -> Response:
        if not sessions.is_own(request, scope):
            return problem(403, "Only the viewer's own pages may do this.", at, as_piece=False)
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
        return await self._serve_page(request, method, below.removeprefix("/"), scope, at)

    async def _serve_page(
        self, request: IncomingRequest, method: str, path: str, scope: Scope, at: Addresses
    ) -> Response:
        """Authenticate, route and answer a request for a page or a form."""
        access = self._stores.access
        try:
            grant = access.grant(sessions.credentials(request))
        except AuthError:
            return _login(request, scope, at)
        scope.setdefault("state", {})["token"] = grant.name
        handlers, ids = _match(path)
        if method not in handlers:
            return _not_found(request, handlers, at)
        if any(len(id) > self._stores.limits.id for id in ids):
            raise InvalidError(f"an id must have at most {self._stores.limits.id} characters")
        visit = Visit(
            request=request,
            store=self._stores.store_of(grant),
            at=at,
            limits=self._stores.limits,
            ids=ids,
            is_signed_in=not access.is_open,
        )
        return await handlers[method](visit)

    def _log_in(self, request: IncomingRequest, scope: Scope, at: Addresses) -> Response:
        try:
            form = form_of(request)
        except ValueError:
            raise InvalidError("the body must be a form") from None
        token = form.get("token", "").strip()
        target = _login_target(form.get("next", ""), at)
        try:
            self._stores.access.grant([token])
        except AuthError:
            return _login_page(at, target, 401, is_wrong=True)
        response = RedirectResponse(target, 303)
        sessions.keep_token(response, token, scope, at.root)
        return response


def _form_limits(limits: Limits) -> Limits:
    """Return bounds within which a form costs next to nothing, whoever sends it."""
    return replace(limits, body=min(limits.body, _FORM))


def _match(path: str) -> tuple[Mapping[str, Handler], tuple[str, ...]]:
    """Return the handlers of a path by method, and the ids that it holds."""
    parts = path.split("/")
    pattern = tuple(_pattern(parts))
    try:
        ids = tuple([id_of(part) for part, name in zip(parts, pattern, strict=True) if name == "*"])
    except ValueError:
        return {}, ()
    return _BY_PARTS.get(pattern, {}), ids


def _pattern(parts: list[str]) -> Iterator[str]:
    """Yield the parts of a path with a star for each id, which follows the name of its list."""
    for place, part in enumerate(parts):
        follows = place > 0 and parts[place - 1] == ("conversations", "messages")[place > 2]
        yield "*" if place in {1, 3} and follows else part


def _not_found(
    request: IncomingRequest, handlers: Mapping[str, Handler], at: Addresses
) -> Response:
    as_piece = wants_fragment(request)
    if not handlers:
        return problem(404, "Page not found", at, as_piece=as_piece)
    response = problem(
        405, "This page does not accept this kind of request.", at, as_piece=as_piece
    )
    response.headers["allow"] = ", ".join(handlers)
    return response


def _login(request: IncomingRequest, scope: Scope, at: Addresses) -> Response:
    """Return the login page in place of the requested one."""
    if wants_fragment(request):
        response = problem(401, "Your token is no longer valid. Log in again.", at, as_piece=True)
        response.headers["hx-redirect"] = at.home
        return response
    requested = at.root + request.path.removeprefix("/viewer")
    if query := scope["query_string"].decode("latin-1"):
        requested = f"{requested}?{query}"
    return _login_page(at, _login_target(requested if request.method == "GET" else "", at), 401)


def _login_page(at: Addresses, target: str, status: int, *, is_wrong: bool = False) -> Response:
    response = page("login.html", at, status, target=target, is_wrong=is_wrong)
    response.headers["www-authenticate"] = "Bearer"
    return response


def _log_out(scope: Scope, at: Addresses) -> Response:
    response = RedirectResponse(at.home, 303)
    sessions.drop_token(response, scope, at.root)
    return response


def _login_target(requested: str, at: Addresses) -> str:
    """Return where a login leads: the requested address if it is a page of the viewer, or home."""
    is_ours = requested.startswith(at.home) and requested.isascii() and requested.isprintable()
    return requested if is_ours and "\\" not in requested else at.home
