"""Bodies of requests, parsed as the class that the endpoint takes; and checks of ids."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Final, get_args

from starlette.types import Receive

from convostore.dialects import IncomingRequest
from convostore.errors import InvalidError
from convostore.models import Value

from ..limits import Limits
from ..requests import receive_body
from ..schema import read_body
from .endpoint import BodyKind

_LARGE: Final = 256 * 1024
"""Bytes up to which a body is parsed in the event loop."""
_IDS: Final = ("id", "conversation_id", "message_id", "new_id", "turn_id", "after", "tip", "owner")


class MediaTypeError(InvalidError):
    """A request's body has another media type than JSON."""


async def take_body(
    kind: BodyKind, head: IncomingRequest, receive: Receive, limits: Limits
) -> Value | None:
    """Receive and parse a request's body.

    Raises:
        InvalidError: The body is not of this class, or exceeds a bound; the message names the
            field.
        ClientDisconnect: The client disconnected.
    """
    _check_media_type(head.headers.get("content-type", "application/json"))
    content = await receive_body(head, receive, limits)
    if not content:
        if not may_be_absent(kind):
            raise InvalidError("a JSON body is required")
        content = b"null"
    if len(content) > _LARGE:
        body = await asyncio.to_thread(read_body, kind, content)
    else:
        body = read_body(kind, content)
    check_ids(_ids_of(body), limits)
    return body


def may_be_absent(kind: BodyKind) -> bool:
    """Check whether a body may be absent: where it may be null, that means the same."""
    return type(None) in get_args(kind)


def check_ids(ids: Iterable[object], limits: Limits) -> None:
    """Check the lengths of ids; values that are not texts are skipped.

    Raises:
        InvalidError: An id is too long or empty.
    """
    lengths = [len(id) for id in ids if isinstance(id, str)]
    if any(length > limits.id for length in lengths):
        raise InvalidError(f"an id and an owner must have at most {limits.id} characters")
    if 0 in lengths:
        raise InvalidError("an id must not be empty: leave out one that is not known")


def _check_media_type(content_type: str) -> None:
    """Accept JSON only, which also refuses the forms of other sites' pages."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise MediaTypeError("the body must be JSON: send Content-Type: application/json")


def _ids_of(body: Value | None) -> Iterator[object]:
    fields = {} if body is None else vars(body)
    for name in _IDS:
        yield fields.get(name)
    for message in (*fields.get("messages", ()), fields.get("message"), fields.get("was")):
        yield getattr(message, "id", None)
