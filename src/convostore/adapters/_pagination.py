"""Pages of lists that come whole, and the positions that cursors hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from ..errors import InvalidError, ProtocolError
from ..models import (
    Listing,
    Page,
)
from ..parsing import decode_json
from ._transport import AsyncIncomingReply as AsyncIncomingReply
from ._transport import AsyncTransport as AsyncTransport
from ._transport import IncomingReply as IncomingReply
from ._transport import Transport as Transport

T = TypeVar("T")


def paginate(
    items: Sequence[T], listing: Listing, *, key: Callable[[T], str], what: str = "list"
) -> Page[T]:
    """Makes a page of a list that came whole, oldest first where it is of messages.

    The cursor holds the ids of the last items seen, so that some of them may be deleted.

    Args:
        items: All of them.
        listing: What was asked for.
        key: An item's id.
        what: How an error names the list.

    Raises:
        InvalidError: Nothing of what the cursor remembers is there any more.
    """
    if listing.order == "newest_first":
        items = items[::-1]
    start = 0
    if listing.cursor is not None:
        places = {key(item): place for place, item in enumerate(items)}
        surviving = [places[each] for each in _remembered(listing.cursor) if each in places]
        if not surviving:
            raise InvalidError(
                f"what stood before this cursor's page of the {what} is gone: "
                "start again without a cursor"
            )
        start = surviving[-1] + 1
    end = len(items) if listing.limit is None else start + listing.limit
    page = tuple(items[start:end])
    if end >= len(items):
        return Page(items=page, total=len(items))
    last_seen = [key(item) for item in items[max(0, end - _REMEMBERED) : end]]
    return Page(items=page, cursor=json.dumps(last_seen), total=len(items))


_REMEMBERED = 5


def _remembered(cursor: str) -> list[str]:
    try:
        return [str(each) for each in json.loads(cursor)]
    except (ValueError, TypeError):
        return []


def read_position(cursor: str, *kinds: type) -> list[Any]:
    """Reads an adapter's own note of where a page ended: a JSON list of values of these classes.

    Raises:
        InvalidError: It is none.
    """
    position: object = None
    with suppress(ProtocolError):
        position = decode_json(cursor)
    if not isinstance(position, list) or [type(each) for each in position] != list(kinds):
        raise InvalidError("invalid cursor: pass page.cursor unchanged")
    return position
