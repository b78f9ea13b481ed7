"""Checks of what callers pass to a store, before anything is sent or stored.

Each returns the value as an adapter may rely on it, or raises an `InvalidError` that names the
argument and what it must be. Nothing of any one backend may be here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, get_args

from ..errors import InvalidError
from ..models import (
    ANY,
    JSON,
    UNSET,
    ConversationChange,
    ConversationFilter,
    Listing,
    Message,
    NewConversation,
    Order,
    Role,
)
from ..models._metadata import check_metadata, copy_changes
from ._values import check_message, check_origin, check_text, shown

if TYPE_CHECKING:
    from ..search import Search


_ORDERS: Final = get_args(Order)


def check_id(value: object) -> str:
    """Return an id.

    Raises:
        InvalidError: It is not a string, or empty.
    """
    return check_text(value, "an id")


def check_ids(values: Iterable[str]) -> Iterable[str]:
    """Return the ids; refuse a single string, whose characters would be taken for ids."""
    if isinstance(values, str):
        raise InvalidError("ids must be a list of ids, got a string: pass [id] for one")
    given: object = values
    if isinstance(given, bytes) or not isinstance(given, Iterable):
        raise InvalidError(f"ids must be a list of ids, got {shown(given)}")
    return values


def check_namespace(name: object) -> str:
    """Return the name of a namespace.

    Raises:
        InvalidError: It is not a string, or empty.
    """
    return check_text(name, "a namespace")


def check_flags(**flags: object) -> None:
    """Check arguments that are yes or no: any text, ``"no"`` as well, would pass for a yes.

    Raises:
        InvalidError: One is not a bool.
    """
    for name, value in flags.items():
        if type(value) is not bool:
            raise InvalidError(f"{name} must be True or False, got {shown(value)}")


def check_messages(values: object) -> tuple[Message, ...]:
    """Return messages as a tuple, each checked.

    Raises:
        InvalidError: One of them is not a message, or wrong; the error names it.
    """
    if isinstance(values, Message):
        raise InvalidError("messages must be a list, got one message: pass [message]")
    if not isinstance(values, Sequence) or isinstance(values, str | bytes):
        raise InvalidError(f"messages must be a list of convostore.Message, got {shown(values)}")
    checked: list[Message] = []
    try:
        for value in values:
            checked.append(check_message(value))  # noqa: PERF401  # an error counts them
    except InvalidError as error:
        raise InvalidError(f"messages[{len(checked)}]: {error}") from None
    return tuple(checked)


def check_title(title: object) -> None:
    """Raise `InvalidError` unless a title is a string or None."""
    if title is not None and not isinstance(title, str):
        raise InvalidError(f"title must be a string, got {shown(title)}")


def check_owner(owner: object) -> None:
    """Raise `InvalidError` unless an owner is a non-empty string or None."""
    if owner is not None and (not isinstance(owner, str) or not owner):
        raise InvalidError(f"owner must be a non-empty string or None, got {shown(owner)}")


def check_filter(which: ConversationFilter) -> ConversationFilter:
    """Return a filter with its time in UTC.

    Raises:
        InvalidError: A field is wrong, or none is given.
    """
    older_than = to_utc(which.older_than, "older_than")
    check_owner_filter(which.owner)
    if older_than is None and which.owner is UNSET:
        raise InvalidError("owner or older_than must be given: clear_conversations deletes all")
    return replace(which, older_than=older_than)


def check_owner_filter(owner: object) -> None:
    """Raise `InvalidError` unless an owner, that of any conversation if UNSET, can be asked for."""
    if owner is not UNSET:
        check_owner(owner)


def check_new(new: NewConversation) -> NewConversation:
    """Return a new conversation's fields, each checked."""
    if new.id is not None:
        check_id(new.id)
    check_title(new.title)
    check_origin(new.origin)
    check_owner(new.owner)
    return replace(
        new,
        created_at=to_utc(new.created_at, "created_at"),
        metadata=_check_metadata(new.metadata, check_metadata),
    )


def check_change(change: ConversationChange) -> ConversationChange:
    """Return a change of a conversation, each of its values checked."""
    if change.title is not UNSET:
        check_title(change.title)
    if change.pinned is not UNSET and type(change.pinned) is not bool:
        raise InvalidError(f"pinned must be a bool, got {shown(change.pinned)}")
    check_owner_filter(change.owner)
    if change.metadata is UNSET:
        return change
    return replace(change, metadata=_check_metadata(change.metadata, copy_changes))


def check_new_metadata(metadata: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return a copy of a new conversation's metadata."""
    return _check_metadata(metadata, check_metadata)


def _check_metadata(
    metadata: object, check: Callable[[object], dict[str, JSON]]
) -> dict[str, JSON]:
    try:
        return check(metadata)
    except ValueError as error:
        raise InvalidError(f"metadata {error}") from None


def check_tip(tip: object, name: str, *, nullable: bool = True) -> None:
    """Raise `InvalidError` unless an argument is a message's id, ANY or, if nullable, None."""
    if (isinstance(tip, str) and tip) or tip is ANY or (nullable and tip is None):
        return
    choices = "a message's id, None or ANY" if nullable else "a message's id or ANY"
    raise InvalidError(f"{name} must be {choices}, got {shown(tip)}")


def to_utc(time: datetime | None, name: str) -> datetime | None:
    """Convert an argument that is a time to UTC; None stays None.

    Raises:
        InvalidError: It is not a datetime, has no time zone, or is out of the range of UTC.
    """
    if time is None:
        return None
    if not isinstance(time, datetime):
        raise InvalidError(f"{name} must be a datetime, got {shown(time)}")
    if time.utcoffset() is None:
        raise InvalidError(f"{name} has no time zone: add one, such as datetime.now(UTC)")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise InvalidError(f"{name} must be a time that UTC can represent, got {time}") from None


def check_search(search: Search) -> Search:
    """Return a search with its times in UTC."""
    if not isinstance(search.text, str):
        raise InvalidError(f"query must be a string, got {shown(search.text)}")
    if search.conversation_id is not None:
        check_id(search.conversation_id)
    check_owner_filter(search.owner)
    if search.role not in (None, *get_args(Role)):
        raise InvalidError(
            f"role must be one of {', '.join(get_args(Role))}, got {shown(search.role)}"
        )
    return replace(search, since=to_utc(search.since, "since"), until=to_utc(search.until, "until"))


def is_reversed(order: Order) -> bool:
    """Check an order, and return whether conversations then come in the backend's own reversed.

    Raises:
        InvalidError: There is no such order.
    """
    _check_order(order)
    return order == "oldest_first"


def _check_order(order: object) -> None:
    if order not in _ORDERS:
        raise InvalidError(f"order must be oldest_first or newest_first, got {shown(order)}")


def check_listing(listing: Listing, max_page: int | None) -> Listing:
    """Return a listing, its limit no larger than a page of the backend.

    Args:
        listing: What the caller asked for.
        max_page: The maximum number of items in a page; None where there is no bound.
    """
    limit = listing.limit
    if listing.start is not None:
        check_id(listing.start)
        if listing.cursor is not None:
            raise InvalidError("start and cursor must not be given together: pass one of them")
    _check_order(listing.order)
    if limit is not None and (type(limit) is not int or limit < 1):
        raise InvalidError(f"limit must be a positive integer, got {shown(limit)}")
    if max_page is None or (limit is not None and limit <= max_page):
        return listing
    return replace(listing, limit=max_page)
