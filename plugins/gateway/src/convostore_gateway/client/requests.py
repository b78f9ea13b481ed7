"""Flows of one request of the native API, and the parts of its requests.

Which request an operation needs is in `adapter`.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

from convostore.http import HTTPFlow, Method, Request, Response
from convostore.models import JSON, UNSET, Listing, Page, Unset, Value
from convostore.serialization import join_surrogates

from .. import schema
from .errors import foreign_answer

if TYPE_CHECKING:
    from convostore.adapters import ReplyAccumulator, Stream
    from convostore.models import Reply

T = TypeVar("T")

_EVENTS: Final = "text/event-stream"


def read_value(kind: type[T], request: Request) -> HTTPFlow[T]:
    """Send a request and parse the value of its answer."""
    response = yield request
    return schema.read(kind, _exact_json(response))


def read_page(kind: type[T], request: Request) -> HTTPFlow[Page[T]]:
    """Send a request and parse the page of its answer."""
    response = yield request
    return schema.read_page(kind, _exact_json(response))


def read_items(kind: type[T], request: Request) -> HTTPFlow[tuple[T, ...]]:
    """Send a request and parse the complete list of its answer."""
    response = yield request
    return schema.read_items(kind, _exact_json(response))


def _exact_json(response: Response) -> JSON:
    data = response.json()
    return join_surrogates(data) if b"\\ud" in response.content else data


def execute(request: Request) -> HTTPFlow[None]:
    """Send a request that is answered without a body.

    Raises:
        ProtocolError: The answer is another one.
    """
    response = yield request
    if response.status != 204:
        raise foreign_answer(request, response)


def with_body(method: Method, target: str, body: Value) -> Request:
    return Request(method, target, json=schema.body_json(body))


def open_stream(
    target: str, body: Value | None, turn_id: str | None
) -> HTTPFlow[Stream[Request, Response]]:
    """Return the stream of a reply; nothing is sent yet."""
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
            target,
            json=None if body is None else schema.body_json(body),
            headers=(("accept", _EVENTS),),
            patient=True,
        ),
        decoder=decoder,
        finish=finish,
        turn_id=turn_id,
        read_message_id=lambda response: schema.read_message_header(response.headers),
    )


def page_query(listing: Listing) -> tuple[tuple[str, str], ...]:
    return query(limit=listing.limit, cursor=listing.cursor, start=listing.start)


def owner_query(owner: str | Unset | None) -> tuple[tuple[str, str], ...]:
    """Return the query pair of an owner; None asks for what has none."""
    if owner is UNSET:
        return ()
    return (("without_owner", "true"),) if owner is None else (("owner", owner),)


def query(**values: object) -> tuple[tuple[str, str], ...]:
    """Return the query pairs of the values that are not None."""
    return tuple(
        [
            (name, value.isoformat() if isinstance(value, datetime) else str(value))
            for name, value in values.items()
            if value is not None
        ]
    )


def wants_events(request: Request) -> bool:
    return ("accept", _EVENTS) in request.headers


def is_event_stream(response: Response) -> bool:
    return response.media_type == _EVENTS
