"""What the service's refusals mean, path by path."""

from __future__ import annotations

from typing import Final

from convostore.errors import InvalidError, ProtocolError, StoreError, UnavailableError
from convostore.http import Request, Response, status_error
from convostore.parsing import Row, non_empty_text

from .paths import CHATS_PATH, REPLY_PATH, RESUME_PATH, SUGGESTIONS_PATH

_RESUMING: Final = RESUME_PATH.partition("{")[0]
_NEVER_ABSENT: Final = frozenset({CHATS_PATH, REPLY_PATH, SUGGESTIONS_PATH})


def refusal(request: Request, response: Response) -> StoreError | None:
    """The error that a reply stands for; None when it is a result.

    A 404 is an absent chat, or an absent session, only in JSON: a page is another program's. What
    a model does is asked with patience; a probe is not.
    """
    error = status_error(request, response)
    if request.path == REPLY_PATH or request.path.startswith(_RESUMING):
        error = error or _no_stream(request, response)
    absent = request.path not in _NEVER_ABSENT and error is not None and error.detail is not None
    if response.status == 404 and not absent:
        return ProtocolError(
            f"{request.method} {request.path} was answered 404, but not as this service does: "
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
    """One object in the place of a stream."""
    if response.media_type != "application/json":
        return None
    return ProtocolError(
        f"{request.method} {request.path} was answered by no stream: check the base URL",
        excerpt=response.excerpt,
    )


def _turn_refused(error: StoreError, response: Response) -> StoreError:
    if isinstance(error, InvalidError):
        said = "; ".join(filter(None, (error.detail, *_complaints(error, response))))
        return InvalidError(f"the turn was refused: {said or error}", detail=said or None)
    if response.status == 500:
        return UnavailableError(
            f"{error}; an unknown model is answered so as well: check chat_model and "
            "embedding_model",
            detail=error.detail,
            retryable=False,
        )
    return error


def _complaints(error: StoreError, response: Response) -> list[str]:
    """What a 400 says of each field that is wrong."""
    rows = None if error.detail is None else response.json().get("error")
    return (
        [_complaint(row) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    )


def _complaint(row: Row) -> str:
    where = non_empty_text(row, "path") or "the body"
    return f"{where}: {non_empty_text(row, 'message') or 'is wrong'}"


def _not_resumed(error: StoreError, response: Response) -> StoreError:
    if response.status == 404:
        return UnavailableError(
            "this answer is not being made any more, and it is not stored: its model failed, the "
            "server was restarted, or half an hour has passed; ask again by a new turn",
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
