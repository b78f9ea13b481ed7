"""Requests of the native API and what is made of their answers: the pieces that `adapter` uses.

Which request an operation is, the adapter says.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

from convostore.http import HTTPFlow, Method, Request, Response
from convostore.models import Listing, Page, Value

from .. import schema
from .errors import elsewhere

if TYPE_CHECKING:
    from convostore.adapters import ReplyAccumulator, Stream
    from convostore.models import Reply

T = TypeVar("T")

_EVENTS: Final = "text/event-stream"


def asked(kind: type[T], request: Request) -> HTTPFlow[T]:
    """A flow of one request that is answered with a value."""
    reply = yield request
    return schema.read(kind, reply.json())


def page(kind: type[T], request: Request) -> HTTPFlow[Page[T]]:
    reply = yield request
    return schema.read_page(kind, reply.json())


def items(kind: type[T], request: Request) -> HTTPFlow[tuple[T, ...]]:
    reply = yield request
    return schema.read_items(kind, reply.json())


def done(request: Request) -> HTTPFlow[None]:
    """A flow of one request that is answered with nothing, by which it is done.

    Raises:
        ProtocolError: It is answered with something.
    """
    reply = yield request
    if reply.status != 204:
        raise elsewhere(request, reply)


def writing(method: Method, where: str, body: Value) -> Request:
    return Request(method, where, json=schema.body_json(body))


def streamed(
    where: str, body: Value | None, turn_id: str | None
) -> HTTPFlow[Stream[Request, Response]]:
    from convostore.adapters import Stream

    from .decoder import EventDecoder

    yield from ()
    decoder = EventDecoder()

    def finish(_: ReplyAccumulator) -> HTTPFlow[Reply]:
        yield from ()
        return decoder.reply

    return Stream(
        request=Request(
            "POST",
            where,
            json=None if body is None else schema.body_json(body),
            headers=(("accept", _EVENTS),),
            patient=True,
        ),
        decoder=decoder,
        finish=finish,
        turn_id=turn_id,
    )


def listed(listing: Listing) -> tuple[tuple[str, str], ...]:
    return named(limit=listing.limit, cursor=listing.cursor)


def named(**values: object) -> tuple[tuple[str, str], ...]:
    """What of a query is given."""
    return tuple(
        [
            (name, value.isoformat() if isinstance(value, datetime) else str(value))
            for name, value in values.items()
            if value is not None
        ]
    )


def is_no_stream(request: Request, response: Response) -> bool:
    return ("accept", _EVENTS) in request.headers and response.media_type != _EVENTS
