"""Pages cut from lists that a backend returns whole, and adapters' own cursors.

No request is made here; the cursors that callers see are the store's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

from ..errors import InvalidError, ProtocolError
from ..models import Listing, Page
from ..parsing import decode_json
from .write_rules import absent_start

T = TypeVar("T")


def paginate(
    items: Sequence[T], listing: Listing, *, key: Callable[[T], str], what: str = "list"
) -> Page[T]:
    """Return a page of a list that a backend returns whole; of messages, the oldest first.

    It also handles `start` and `reverse` of a listing; see `Traits.starts` and `Traits.orders`. The
    cursor holds the ids of the last few items before it, so that some of them may be deleted.

    Args:
        items: The whole list.
        listing: The requested page.
        key: Returns an item's id.
        what: The name of the list in errors.

    Raises:
        NotFoundError: The item that the page begins with does not exist.
        InvalidError: None of the items that the cursor remembers exists any more.
    """
    if listing.reverse or listing.order == "newest_first":
        items = items[::-1]
    start = 0
    if listing.start is not None:
        start = next((n for n, item in enumerate(items) if key(item) == listing.start), -1)
        if start < 0:
            raise absent_start(listing.start, what)
    if listing.cursor is not None:
        indexes = {key(item): index for index, item in enumerate(items)}
        known = [indexes[item_id] for item_id in _last_ids(listing.cursor) if item_id in indexes]
        if not known:
            raise InvalidError(
                f"the items before this cursor's page of the {what} no longer exist: "
                "start again without a cursor"
            )
        start = known[-1] + 1
    end = len(items) if listing.limit is None else start + listing.limit
    page = tuple(items[start:end])
    if end >= len(items):
        return Page(items=page, total=len(items))
    last_ids = [key(item) for item in items[max(0, end - _REMEMBERED) : end]]
    return Page(items=page, cursor=json.dumps(last_ids, ensure_ascii=False), total=len(items))


_REMEMBERED: Final = 5
"""The number of ids in a cursor."""


def _last_ids(cursor: str) -> list[str]:
    try:
        return [str(item_id) for item_id in json.loads(cursor)]
    except (ValueError, TypeError):
        return []


def read_position(cursor: str, *kinds: type) -> list[Any]:
    """Decode an adapter's cursor, a JSON list of values of certain classes.

    Args:
        cursor: The cursor as the adapter wrote it.
        kinds: The exact class of each value.

    Raises:
        InvalidError: It is not such a list.
    """
    position: object = None
    with suppress(ProtocolError):
        position = decode_json(cursor)
    if not isinstance(position, list) or [type(value) for value in position] != list(kinds):
        raise InvalidError("invalid cursor: pass page.cursor unchanged")
    return position
