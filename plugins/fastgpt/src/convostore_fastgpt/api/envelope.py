"""The envelope around results, and the errors that its `code` means.

A bad key is a 500 over HTTP, and a 200 may be a refusal; so the body's code decides before the
status does, by the contract's table. No endpoint and no record here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from convostore.errors import (
    AuthError,
    ConflictError,
    InvalidError,
    NotFoundError,
    ProtocolError,
    StoreError,
    UnavailableError,
    UnsupportedError,
)
from convostore.http import Request, Response, status_error
from convostore.models import JSON

_SHOWN: Final = 200
_BARE: Final = "/chat/completions"
"""The end of the paths whose results are not in the envelope."""


class AbsentPathError(ProtocolError):
    """The server has no such path: Next.js answers unknown routes with a page of HTML."""


class InvalidLinkError(AuthError):
    """The server knows no such share link."""


class AbsentAppError(NotFoundError):
    """The server knows no such app."""


def is_absent_path(response: Response) -> bool:
    """Return whether the status and the headers mean that the server has no such path."""
    return response.status == 404 and response.media_type == "text/html"


def failure(request: Request, response: Response) -> StoreError | None:
    """Return the error that an answer reports, or None for a result.

    This is where an envelope is opened: a result that passes has its field ``data``. Completions
    come without an envelope, unless they failed.
    """
    envelope = _envelope(response)
    if envelope is not None and envelope["code"] != 200:
        return _error(request, response, envelope)
    error = status_error(request, response)
    # `Generations.ask` catches this one, and tries the older path.
    if is_absent_path(response):
        return AbsentPathError(str(error), excerpt=response.excerpt)
    if error is not None or request.path.endswith(_BARE):
        return error
    return _shape_error(response)


def _shape_error(response: Response) -> ProtocolError | None:
    """Return the error of a result that is not in the envelope, or None."""
    try:
        body = response.json()
    except ProtocolError as error:
        return error
    if isinstance(body, dict) and "data" in body:
        return None
    return ProtocolError(
        "the answer is not FastGPT's: it has no field 'data': check the base URL",
        excerpt=response.excerpt,
    )


def stream_error(request: Request, data: JSON) -> StoreError:
    """Return the error of an ``error`` event, whose data is an envelope or only a message."""
    row: dict[str, Any] = data if isinstance(data, dict) else {"message": data}
    code = row.get("code")
    if not isinstance(code, int) or isinstance(code, bool) or code == 200:
        row = {**row, "code": 500}
    return _error(request, Response(200), row)


def failed_run(message: str) -> StoreError:
    """Return the error of a failed run; the message is from its last node or its record."""
    detail = message[:_SHOWN]
    return UnavailableError(f"the app's run failed: {detail}", detail=detail, retryable=False)


def _envelope(response: Response) -> dict[str, Any] | None:
    if response.media_type != "application/json":
        return None
    try:
        body = response.json()
    except ProtocolError:
        return None
    code = body.get("code") if isinstance(body, dict) else None
    return body if isinstance(code, int) and not isinstance(code, bool) else None


_NAMED: Final[dict[str, tuple[type[StoreError], str]]] = {
    "linkUnInvalid": (InvalidLinkError, "; the share link is not valid: check share_id"),
    "notSupported": (UnsupportedError, ": the store that this gateway serves does not offer it"),
}
"""The meanings of the code 501 by `statusText`, each with its remedy."""


def _error(request: Request, response: Response, envelope: dict[str, Any]) -> StoreError:
    code: int = envelope["code"]
    name = envelope.get("statusText")
    name = name if isinstance(name, str) else ""
    detail = _message(envelope)
    text = f"{request.method} {request.path} was answered {code} {name}".rstrip()
    text = f"{text}: {detail}" if detail else text
    if code == 501 and name in _NAMED:
        kind, mend = _NAMED[name]
        return kind(text + mend, detail=detail)
    if code in _REFUSED or name.startswith("unAuth"):
        return AuthError(f"{text}; {_REFUSED.get(code, _REFUSED[403])}", detail=detail)
    match code:
        case 502000:
            return AbsentAppError(f"{text}; there is no such app: check app_id", detail=detail)
        case 504001:
            return ConflictError(
                f"{text}; an answer is being generated here: try again when it is done",
                detail=detail,
                retryable=True,
            )
        case 507004:
            return InvalidError(f"{text}; a parameter is missing", detail=detail)
        case 400:
            return InvalidError(f"{text}{_fields(envelope)}", detail=detail)
        case 500:
            return _thrown(text, detail)
    error = None
    if 300 <= code < 600:
        error = status_error(request, replace(response, status=code), detail)
    return error or UnavailableError(text, detail=detail, retryable=False)


_REFUSED: Final = {
    403: "the credential is missing or not accepted: check api_key, or the share link",
    514: "the API key is not accepted: check api_key",
    502001: "the API key's owner may not use this app: check app_id, or ask for the permission",
    504000: "this conversation or app may not be read with this credential: check app_id, api_key "
    "or the share link",
}


def _thrown(text: str, detail: str | None) -> StoreError:
    """Return the error that a handler's own text means; most texts mean a broken server."""
    match detail or "":
        case "Chat item not found":
            return NotFoundError(f"{text}; this conversation has no such answer", detail=detail)
        case "app is empty":
            return AbsentAppError(f"{text}; there is no such app: check app_id", detail=detail)
        case "messages is empty" | "messages is not array":
            return InvalidError(f"{text}; a turn needs a text or a file", detail=detail)
        case thrown if thrown.startswith("Chat dataId already exists"):
            return ConflictError(
                f"{text}; this turn was sent before: get_reply reads its answer", detail=detail
            )
        case thrown if thrown.startswith(("Cast to ObjectId failed", "appId is empty")):
            return InvalidError(f"{text}; check app_id, 24 hexadecimal digits", detail=detail)
        case thrown if thrown.startswith("Key is error"):
            return AuthError(f"{text}; check api_key", detail=detail)
    return UnavailableError(text, detail=detail, retryable=False)


def _message(envelope: dict[str, Any]) -> str | None:
    message = envelope.get("message")
    return message[:_SHOWN] if isinstance(message, str) and message else None


def _fields(envelope: dict[str, Any]) -> str:
    """List the fields that a validation error names, each with its message."""
    complaints = envelope.get("zodError")
    if not isinstance(complaints, list):
        return ""
    texts = []
    for complaint in complaints:
        if isinstance(complaint, dict):
            path, text = complaint.get("path"), complaint.get("message")
            where = ".".join(map(str, path)) if isinstance(path, list) else ""
            texts.append(f"{where}: {text}" if where else str(text))
    return f" ({'; '.join(texts)})"[: 2 * _SHOWN] if texts else ""
