"""Checks of what callers pass to a store, before anything is sent or stored.

Each returns the value as an adapter may rely on it, or raises an `InvalidError` that names the
argument and what it must be. Nothing of any one backend may be here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, get_args

from ..errors import InvalidError
from ..models import Listing, Message, Order, Role

if TYPE_CHECKING:
    from ..search import Search


def check_id(value: object) -> str:
    """Return an id.

    Raises:
        InvalidError: It is not a string, or empty.
    """
    if not isinstance(value, str) or not value:
        raise InvalidError(f"an id must be a non-empty string, got {value!r}")
    return value


def check_ids(values: Iterable[str]) -> Iterable[str]:
    """Return the ids; refuse a single string, whose characters would be taken for ids."""
    if isinstance(values, str):
        raise InvalidError("ids must be a list of ids, got a string: pass [id] for one")
    return values


def check_messages(values: object) -> tuple[Message, ...]:
    """Return messages as a tuple."""
    if isinstance(values, Message):
        raise InvalidError("messages must be a list, got one message: pass [message]")
    if not isinstance(values, Sequence) or not all(isinstance(value, Message) for value in values):
        raise InvalidError("messages must be a list of convostore.Message")
    return tuple(values)


def check_title(title: object) -> None:
    """Raise `InvalidError` unless a title is a string or None."""
    if title is not None and not isinstance(title, str):
        raise InvalidError(f"title must be a string, got {title!r}")


def to_utc(time: datetime | None, name: str) -> datetime | None:
    """Convert an argument that is a time to UTC; None stays None.

    Raises:
        InvalidError: It is not a datetime, has no time zone, or is out of the range of UTC.
    """
    if time is None:
        return None
    if not isinstance(time, datetime):
        raise InvalidError(f"{name} must be a datetime, got {time!r}")
    if time.utcoffset() is None:
        raise InvalidError(f"{name} has no time zone: add one, such as datetime.now(UTC)")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise InvalidError(f"{name} is a time that UTC cannot hold") from None


def check_search(search: Search) -> Search:
    """Return a search with its times in UTC."""
    if not isinstance(search.text, str):
        raise InvalidError(f"query must be a string, got {search.text!r}")
    if search.conversation_id is not None:
        check_id(search.conversation_id)
    if search.role not in (None, *get_args(Role)):
        raise InvalidError(f"role must be one of {', '.join(get_args(Role))}, got {search.role!r}")
    return replace(search, since=to_utc(search.since, "since"), until=to_utc(search.until, "until"))


def check_listing(listing: Listing, max_page: int | None) -> Listing:
    """Return a listing, its limit no larger than a page of the backend.

    Args:
        listing: What the caller asked for.
        max_page: The most items of a page; None where there is no bound.
    """
    limit = listing.limit
    if listing.order not in get_args(Order):
        raise InvalidError(f"order must be oldest_first or newest_first, got {listing.order!r}")
    if limit is not None and (type(limit) is not int or limit < 1):
        raise InvalidError(f"limit must be a positive integer, got {limit!r}")
    return replace(listing, limit=max_page if limit is None else min(limit, max_page or limit))
