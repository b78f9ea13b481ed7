"""What the service says no with: its errors as bodies, and what a store's errors become.

The HTTP statuses are those of 4.14.11 and later. Texts are the service's own or fixed ones: what a
store says of its inside goes no further. No endpoint here.
"""

from __future__ import annotations

from typing import Final

from convostore.dialects import AbsentScopeError
from convostore.errors import (
    AuthError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    RateLimitError,
    StoreError,
    UnsupportedError,
)
from convostore.http import Response
from convostore.models import JSON
from convostore.parsing import Row
from convostore.serialization import to_json

JSON_TYPE: Final = {"content-type": "application/json; charset=utf-8"}
_HTML_TYPE: Final = {"content-type": "text/html; charset=utf-8"}
_PAGE: Final = b"<!DOCTYPE html><html><head><title>404</title></head><body>404</body></html>"
_MAPPED: Final = frozenset({400, 403, 404, 413, 429})
"""Codes that are the HTTP status as well; every other one comes with 500."""
_SHOWN: Final = 300


class RefusedError(StoreError):
    """A request that the service itself would refuse.

    Attributes:
        body: The error's body.
        status: The HTTP status.
        checked: Whether it is refused before anything is answered, a stream, too.
    """

    def __init__(
        self,
        code: int,
        name: str,
        message: str,
        *,
        status: int | None = None,
        checked: bool = False,
        **more: JSON,
    ) -> None:
        super().__init__(message)
        self.body: Row = {
            "code": code,
            "statusText": name,
            "message": message,
            "data": None,
            **more,
        }
        self.status = status or (code if code in _MAPPED else 500)
        self.checked = checked

    @property
    def is_bare(self) -> bool:
        """Whether a stream tells no more of it than its message."""
        return bool(self.body["code"] == 500)


class MalformedError(StoreError):
    """A body that is no JSON."""


def no_authorization() -> RefusedError:
    return RefusedError(403, "unAuthorization", "common:code_error.error_message.403")


def bad_key() -> RefusedError:
    return RefusedError(514, "unAuthApiKey", "common:code_error.error_message.514")


def forbidden_app() -> RefusedError:
    return RefusedError(502001, "unAuthApp", "common:code_error.app_error.un_auth_app")


def absent_app() -> RefusedError:
    return RefusedError(502000, "appUnExist", "common:code_error.app_error.not_exist")


def forbidden_chat() -> RefusedError:
    return RefusedError(504000, "unAuthChat", "common:code_error.chat_error.un_auth")


def still_generating() -> RefusedError:
    return RefusedError(504001, "chatIsGenerating", "common:code_error.chat_error.chat_generating")


def invalid_link() -> RefusedError:
    return RefusedError(501, "linkUnInvalid", "common:code_error.outlink_error.invalid_link")


def missing_params() -> RefusedError:
    return RefusedError(507004, "missingParams", "common:error.missingParams")


def thrown(message: str, *, of_the_user: bool = False) -> RefusedError:
    """What a handler of the service throws as a text."""
    told = RefusedError(500, "error", message)
    if of_the_user:
        told.body["errorType"] = "UserError"
    return told


def not_offered(message: str) -> RefusedError:
    """What the store behind cannot do: no case of the service's own."""
    return RefusedError(501, "notSupported", message[:_SHOWN], status=501, checked=True)


def unfit(message: str, *path: str | int, code: str = "custom", **more: JSON) -> RefusedError:
    """A parameter that the schema of an endpoint refuses."""
    fault = {**more, "code": code, "path": list(path), "message": message}
    return RefusedError(400, "error", "Data validation error", checked=True, zodError=[fault])


def refusal(error: StoreError, *, with_key: bool, turn_id: str | None) -> RefusedError:
    """What the service says where a store, or who guards it, raised an error.

    Args:
        error: What was raised.
        with_key: Whether the request had a key.
        turn_id: The id that it gave to a turn, if any.
    """
    match error:
        case RefusedError():
            return error
        case ForbiddenError():
            return forbidden_app()
        case AuthError(adapter=None):
            return bad_key() if with_key else no_authorization()
        case UnsupportedError():
            return not_offered(f"The store that is served here does not offer {error.operation}")
        case AbsentScopeError():
            return absent_app()
        case NotFoundError():
            return absent_app() if error.adapter is None else forbidden_chat()
        case ConflictError():
            return _conflict(error, turn_id)
        case RateLimitError():
            return RefusedError(429, "error", "Too many requests", errorType="UserError")
        case InvalidError():
            said = "The store refused the request" if error.detail else str(error)[:_SHOWN]
            return unfit(said)
    return thrown("The store that is served here failed")


def _conflict(error: ConflictError, turn_id: str | None) -> RefusedError:
    if error.retryable or turn_id is None:
        return still_generating()
    return thrown(f"Chat dataId already exists: {turn_id}", of_the_user=True)


def refused_answer(error: RefusedError) -> Response:
    """The answer that tells an error."""
    return Response(error.status, JSON_TYPE, to_json(error.body).encode("ascii"))


def told_in_stream(error: RefusedError) -> bytes:
    """The event of a stream that tells an error: of a thrown text no more than that."""
    said = {"message": error.body["message"]} if error.is_bare else error.body
    return b"event: error\ndata: %s\n\n" % to_json(said).encode("ascii")


def absent_path() -> Response:
    """What an address gets that is none: a page."""
    return Response(404, _HTML_TYPE, _PAGE)


def malformed() -> Response:
    """What a body gets that is no JSON."""
    return Response(400, {"content-type": "text/plain; charset=utf-8"}, b"Invalid JSON")


def succeeded(data: JSON) -> Response:
    """The envelope of a result."""
    body = {"code": 200, "statusText": "", "message": "", "data": data}
    return Response(200, JSON_TYPE, to_json(body).encode("ascii"))
