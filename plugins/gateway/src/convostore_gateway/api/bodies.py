"""A request's body, read as the class that its endpoint takes, and its ids looked at."""

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
"""Bytes of a body that is read in the event loop."""
_IDS: Final = ("id", "conversation_id", "message_id", "new_id", "turn_id", "after")


class MediaTypeError(InvalidError):
    """A request's body is of another media type than is taken."""


async def take_body(
    kind: BodyKind, head: IncomingRequest, receive: Receive, limits: Limits
) -> Value | None:
    """Reads a request's body.

    Raises:
        InvalidError: It is none of this class, or out of bounds; the message names the field.
        ClientDisconnect: The client went away.
    """
    _check_media_type(head.headers.get("content-type", "application/json"))
    content = await receive_body(head, receive, limits)
    if not content:
        if not may_be_absent(kind):
            raise InvalidError("a body is needed, which is JSON")
        content = b"null"
    if len(content) > _LARGE:
        body = await asyncio.to_thread(read_body, kind, content)
    else:
        body = read_body(kind, content)
    check_ids(_ids_of(body), limits)
    return body


def may_be_absent(kind: BodyKind) -> bool:
    """Whether a body may be left out: where it may be null, that means the same."""
    return type(None) in get_args(kind)


def check_ids(ids: Iterable[object], limits: Limits) -> None:
    """Looks whether ids are within bounds; what is no text is none.

    Raises:
        InvalidError: One is too long, or empty.
    """
    lengths = [len(each) for each in ids if isinstance(each, str)]
    if any(length > limits.id for length in lengths):
        raise InvalidError(f"an id may have {limits.id} characters")
    if 0 in lengths:
        raise InvalidError("an id has at least one character: leave out what is not known")


def _check_media_type(told: str) -> None:
    """Takes JSON only, which also keeps out the forms of strangers' pages."""
    media_type = told.partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise MediaTypeError("a body is taken as JSON: send Content-Type: application/json")


def _ids_of(body: Value | None) -> Iterator[object]:
    fields = {} if body is None else vars(body)
    for name in _IDS:
        yield fields.get(name)
    for message in fields.get("messages", ()):
        yield message.id
