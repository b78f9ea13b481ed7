"""Requests for pages of lists, pages, and the sentinels of omitted arguments.

How a list is cut into pages belongs in the adapters.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final, Generic, Literal, TypeAlias, TypeVar

T = TypeVar("T")

Order: TypeAlias = Literal["oldest_first", "newest_first"]
"""The order of a list; a backend's own order of conversations counts as ``newest_first``, and
``oldest_first`` is that one reversed."""


class _Sentinel(Enum):
    UNSET = "unset"
    ANY = "any"

    def __repr__(self) -> str:
        return self.name


UNSET: Final = _Sentinel.UNSET
"""The default of an argument for which None has a meaning."""


ANY: Final = _Sentinel.ANY
"""The value of `after`, `tip` or `was` that matches any message."""


Unset: TypeAlias = Literal[_Sentinel.UNSET]
"""The type of UNSET."""

AnyTip: TypeAlias = Literal[_Sentinel.ANY]
"""The type of ANY."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A request for a page of a list.

    Attributes:
        limit: The maximum number of items; None for all that one response of the backend holds.
        cursor: The adapter's own cursor; None for the first page. The store wraps it for its
            callers, and has checked that it belongs to this list and order.
        order: The order of messages.
        reverse: Whether conversations come in the backend's order reversed; only if `Traits.orders`
            has ``oldest_first``.
        older_than: Only conversations last active before this time. The store filters out the
            others in any case; an adapter that can filter need not fetch them.
        start: The id of the item that the page begins with, in place of a cursor; only if
            `Traits.starts` names the list.
        owner: Only conversations of this owner; None for those without one, UNSET for any. Only if
            `Traits.filters` says so.
    """

    limit: int | None = None
    cursor: str | None = None
    order: Order = "oldest_first"
    reverse: bool = False
    older_than: datetime | None = None
    start: str | None = None
    owner: str | Unset | None = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A page of a list.

    Attributes:
        cursor: The cursor of the next page; None on the last page.
        total: The number of items in the whole list; None if the backend does not report it.
    """

    items: tuple[T, ...]
    cursor: str | None = None
    total: int | None = None
