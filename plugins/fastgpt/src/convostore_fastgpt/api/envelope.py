"""The envelope of every answer: what its `code` means, whatever the HTTP status says.

A bad key is a 500 over HTTP, and a 200 may be a refusal: so the body's code decides first, by the
contract's table. No endpoint and no record here.
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
    """The server has no such path: a page of HTML, as Next.js answers for unknown routes."""


class InvalidLinkError(AuthError):
    """The server knows no such share link."""


class AbsentAppError(NotFoundError):
    """The server knows no such app."""


def is_absent_path(response: Response) -> bool:
    """Whether the server has no such path, by the status and the headers."""
    return response.status == 404 and response.media_type == "text/html"


def failure(request: Request, response: Response) -> StoreError | None:
    """Return the error that an answer reports, or None for a result.

    This is where an envelope is opened: a result that passes has its field ``data``. Completions
    come without an envelope, unless they failed.
    """
    envelope = _envelope(response)
    if envelope is not None and envelope["code"] != 200:
        return _meant(request, response, envelope)
    error = status_error(request, response)
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


def told_in_stream(request: Request, said: JSON) -> StoreError:
    """The error that an event of a stream tells: an envelope, or no more than a message."""
    row: dict[str, Any] = said if isinstance(said, dict) else {"message": said}
    code = row.get("code")
    if not isinstance(code, int) or isinstance(code, bool) or code == 200:
        row = {**row, "code": 500}
    return _meant(request, Response(200), row)


def failed_run(said: str) -> StoreError:
    """The error of a run that ended in one, by what its last node or its record tells."""
    told = said[:_SHOWN]
    return UnavailableError(f"the app's run failed: {told}", detail=told, retryable=False)


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
    "notSupported": (UnsupportedError, ": a gateway's, of what the store behind it lacks"),
}
"""By `statusText`, what 501 means and how it is mended; it has two meanings."""


def _meant(request: Request, response: Response, envelope: dict[str, Any]) -> StoreError:
    code: int = envelope["code"]
    name = envelope.get("statusText")
    name = name if isinstance(name, str) else ""
    said = _said(envelope)
    told = f"{request.method} {request.path} was answered {code} {name}".rstrip()
    told = f"{told}: {said}" if said else told
    if code == 501 and name in _NAMED:
        kind, mend = _NAMED[name]
        return kind(told + mend, detail=said)
    if code in _REFUSED or name.startswith("unAuth"):
        return AuthError(f"{told}; {_REFUSED.get(code, _REFUSED[403])}", detail=said)
    match code:
        case 502000:
            return AbsentAppError(f"{told}; there is no such app: check app_id", detail=said)
        case 504001:
            return ConflictError(
                f"{told}; an answer is being made in this conversation: try again when it is done",
                detail=said,
                retryable=True,
            )
        case 507004:
            return InvalidError(f"{told}; the request lacks something", detail=said)
        case 400:
            return InvalidError(f"{told}{_fields(envelope)}", detail=said)
        case 500:
            return _thrown(told, said)
    error = None
    if 300 <= code < 600:
        error = status_error(request, replace(response, status=code), said)
    return error or UnavailableError(told, detail=said, retryable=False)


_REFUSED: Final = {
    403: "the credential is missing or not accepted: check api_key, or the share link",
    514: "the API key is not accepted: check api_key",
    502001: "the API key's owner may not use this app: check app_id, or ask for the permission",
    504000: "this conversation or app may not be read with this credential: check app_id, api_key "
    "or the share link",
}


def _thrown(told: str, said: str | None) -> StoreError:
    """What a handler's own text means; most texts mean that something is broken over there."""
    match said or "":
        case "Chat item not found":
            return NotFoundError(f"{told}; it is no answer of this conversation", detail=said)
        case "app is empty":
            return AbsentAppError(f"{told}; there is no such app: check app_id", detail=said)
        case "messages is empty" | "messages is not array":
            return InvalidError(f"{told}; a turn needs a text or a file", detail=said)
        case text if text.startswith("Chat dataId already exists"):
            return ConflictError(
                f"{told}; this turn arrived before: get_reply reads it", detail=said
            )
        case text if text.startswith(("Cast to ObjectId failed", "appId is empty")):
            return InvalidError(f"{told}; check app_id, 24 hexadecimal digits", detail=said)
        case text if text.startswith("Key is error"):
            return AuthError(f"{told}; check api_key", detail=said)
    return UnavailableError(told, detail=said, retryable=False)


def _said(envelope: dict[str, Any]) -> str | None:
    message = envelope.get("message")
    return message[:_SHOWN] if isinstance(message, str) and message else None


def _fields(envelope: dict[str, Any]) -> str:
    """The fields that a validation error names, and what is wrong with each."""
    complaints = envelope.get("zodError")
    if not isinstance(complaints, list):
        return ""
    told = []
    for each in complaints:
        if isinstance(each, dict):
            place = each.get("path")
            where = ".".join(map(str, place)) if isinstance(place, list) else ""
            told.append(f"{where}: {each.get('message')}" if where else str(each.get("message")))
    return f" ({'; '.join(told)})"[: 2 * _SHOWN] if told else ""
