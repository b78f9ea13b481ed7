"""What answers of a gateway that are no results mean to its adapter; `problems` knows the kinds."""

from __future__ import annotations

from convostore.errors import ProtocolError, StoreError
from convostore.http import Request, Response
from convostore.models import JSON

from .. import problems


def error_in(told: JSON) -> StoreError | None:
    """The error that a problem tells; None where it is none."""
    error = problems.read_problem(told)
    if error is not None:
        error.detail = str(error)
    return error


def problem_in(response: Response) -> JSON:
    """What an answer tells as a problem; None where it is none that can be read."""
    if response.media_type != problems.MEDIA_TYPE:
        return None
    try:
        return response.json()
    except ProtocolError:
        return None


def elsewhere(request: Request, response: Response) -> ProtocolError:
    return ProtocolError(
        f"{request.method} {request.path} was answered {response.status} as by another program "
        "than a gateway: check the base URL",
        excerpt=response.excerpt,
    )
