"""Mapping of the service's refusals to errors, path by path.

No chat and no reply is parsed here.
"""

from __future__ import annotations

from typing import Final

from convostore.errors import InvalidError, ProtocolError, StoreError, UnavailableError
from convostore.http import Request, Response, status_error
from convostore.parsing import Row, non_empty_text

from .paths import CHATS_PATH, REPLY_PATH, RESUME_PATH, SUGGESTIONS_PATH

_RESUMING: Final = RESUME_PATH.partition("{")[0]
_NEVER_ABSENT: Final = frozenset({CHATS_PATH, REPLY_PATH, SUGGESTIONS_PATH})


def refusal(request: Request, response: Response) -> StoreError | None:
    """Return the error that a response reports, or None for a result.

    A 404 means an absent chat or session only in JSON: a page is from another program. Requests
    that a model answers are patient; a probe of the same path is not.
    """
    error = status_error(request, response)
    if request.path == REPLY_PATH or request.path.startswith(_RESUMING):
        error = error or _no_stream(request, response)
    # These paths exist in every version: a 404 there comes from another program.
    absent = request.path not in _NEVER_ABSENT and error is not None and error.detail is not None
    if response.status == 404 and not absent:
        return ProtocolError(
            f"{request.method} {request.path} was answered 404, but not by this service: "
            "check the base URL (releases before 1.7.1 cannot delete)",
            excerpt=response.excerpt,
        )
    if error is None or not request.patient:
        return error
    if request.path == REPLY_PATH:
        return _turn_refused(error, response)
    if request.path.startswith(_RESUMING):
        return _not_resumed(error, response)
    return error


def _no_stream(request: Request, response: Response) -> StoreError | None:
    """Return the error of a response that is one JSON object in place of a stream."""
    if response.media_type != "application/json":
        return None
    return ProtocolError(
        f"{request.method} {request.path} was answered without a stream: check the base URL",
        excerpt=response.excerpt,
    )


def _turn_refused(error: StoreError, response: Response) -> StoreError:
    if isinstance(error, InvalidError):
        detail = "; ".join(filter(None, (error.detail, *_complaints(error, response))))
        return InvalidError(f"the turn was refused: {detail or error}", detail=detail or None)
    if response.status == 500:
        return UnavailableError(
            f"{error}; an unknown model gives the same error: check chat_model and embedding_model",
            detail=error.detail,
            retryable=False,
        )
    return error


def _complaints(error: StoreError, response: Response) -> list[str]:
    """Return the complaint of a 400 about each invalid field."""
    rows = None if error.detail is None else response.json().get("error")
    return (
        [_complaint(row) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    )


def _complaint(row: Row) -> str:
    where = non_empty_text(row, "path") or "the body"
    return f"{where}: {non_empty_text(row, 'message') or 'is invalid'}"


def _not_resumed(error: StoreError, response: Response) -> StoreError:
    if response.status == 404:
        return UnavailableError(
            "this answer is no longer being generated, and is not stored: its model failed, the "
            "server was restarted, or half an hour has passed; ask again with a new turn",
            detail=error.detail,
            retryable=False,
        )
    if response.status == 500:
        return UnavailableError(
            "this answer has ended: get_reply has it if it is stored; if not, its model failed",
            detail=error.detail,
            retryable=False,
        )
    return error
