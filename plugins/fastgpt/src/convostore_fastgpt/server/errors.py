"""The service's errors as responses, and the mapping of a store's errors to them.

The HTTP statuses are those of 4.14.11 and later. Texts are the service's or fixed ones, so that
nothing internal of a store leaks. No endpoint here.
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
"""Codes that are also the HTTP status; every other code comes with the status 500."""
_SHOWN: Final = 300


class RefusedError(StoreError):
    """A refusal in the service's format.

    Attributes:
        body: Body of the response.
        status: HTTP status.
        checked: Whether the service refuses before it begins a response, even a streamed one.
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
        """Whether a stream contains only the message of the error."""
        return bool(self.body["code"] == 500)


class MalformedError(StoreError):
    """A body that is not JSON."""


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
    """Make the error that a handler of the service throws as a text."""
    error = RefusedError(500, "error", message)
    if of_the_user:
        error.body["errorType"] = "UserError"
    return error


def not_offered(message: str) -> RefusedError:
    """Make the error of what the served store cannot do; the service has no such error."""
    return RefusedError(501, "notSupported", message[:_SHOWN], status=501, checked=True)


def unfit(message: str, *path: str | int, code: str = "custom", **more: JSON) -> RefusedError:
    """Make the error of a parameter that an endpoint's schema refuses."""
    issue = {**more, "code": code, "path": list(path), "message": message}
    return RefusedError(400, "error", "Data validation error", checked=True, zodError=[issue])


def refusal(error: StoreError, *, with_key: bool, turn_id: str | None) -> RefusedError:
    """Map an error of a store, or of its access control, to one of the service.

    Args:
        error: The error.
        with_key: Whether the request had a key.
        turn_id: The id that the request chose for its turn, or None.
    """
    match error:
        case RefusedError():
            return error
        case ForbiddenError():
            return forbidden_app()
        case AuthError(adapter=None):
            return bad_key() if with_key else no_authorization()
        case UnsupportedError():
            return _unsupported(error)
        case AbsentScopeError():
            return absent_app()
        case NotFoundError():
            return absent_app() if error.adapter is None else forbidden_chat()
        case ConflictError():
            return _conflict(error, turn_id)
        case RateLimitError():
            return RefusedError(429, "error", "Too many requests", errorType="UserError")
        case InvalidError():
            return unfit("The store refused the request" if error.detail else str(error)[:_SHOWN])
    return thrown("The store that is served here failed")


def _unsupported(error: UnsupportedError) -> RefusedError:
    argument = "" if error.argument is None else f"the argument {error.argument} of "
    return not_offered(f"The store that is served here does not offer {argument}{error.operation}")


def _conflict(error: ConflictError, turn_id: str | None) -> RefusedError:
    if error.retryable or turn_id is None:
        return still_generating()
    return thrown(f"Chat dataId already exists: {turn_id}", of_the_user=True)


def refused_answer(error: RefusedError) -> Response:
    """Make the response of an error."""
    return Response(error.status, JSON_TYPE, to_json(error.body).encode("ascii"))


def error_event(error: RefusedError) -> bytes:
    """Encode an error as an event of a stream; of a thrown text, just the text."""
    data = {"message": error.body["message"]} if error.is_bare else error.body
    return b"event: error\ndata: %s\n\n" % to_json(data).encode("ascii")


def absent_path() -> Response:
    """Make the page for a path that does not exist."""
    return Response(404, _HTML_TYPE, _PAGE)


def malformed() -> Response:
    """Make the response to a body that is not JSON."""
    return Response(400, {"content-type": "text/plain; charset=utf-8"}, b"Invalid JSON")


def succeeded(data: JSON) -> Response:
    """Put a result into the envelope."""
    body = {"code": 200, "statusText": "", "message": "", "data": data}
    return Response(200, JSON_TYPE, to_json(body).encode("ascii"))
