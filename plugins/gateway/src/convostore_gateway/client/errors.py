"""Errors made from a gateway's answers that are not results; `problems` knows the kinds."""

from __future__ import annotations

from convostore.errors import ProtocolError, StoreError
from convostore.http import Request, Response
from convostore.models import JSON

from .. import problems


def error_in(data: JSON) -> StoreError | None:
    """Return the error of a problem; None if the data is not a problem."""
    error = problems.read_problem(data)
    if error is not None:
        error.detail = str(error)
    return error


def problem_in(response: Response) -> JSON:
    """Return the problem of an answer; None if it has none that can be parsed."""
    if response.media_type != problems.MEDIA_TYPE:
        return None
    try:
        return response.json()
    except ProtocolError:
        return None


def foreign_answer(request: Request, response: Response) -> ProtocolError:
    """Return the error for an answer that no gateway gives."""
    return ProtocolError(
        f"{request.method} {request.path} was answered {response.status} by something else than "
        "a gateway: check the base URL",
        excerpt=response.excerpt,
    )
