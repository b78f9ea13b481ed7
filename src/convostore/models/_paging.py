"""Pages of lists: how a list is cut, a page of it, and the arguments that were not given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import (
    Final,
    Generic,
    Literal,
    TypeAlias,
    TypeVar,
)

T = TypeVar("T")


Order: TypeAlias = Literal["oldest_first", "newest_first"]


class _Sentinel(Enum):
    UNSET = "unset"
    ANY = "any"

    def __repr__(self) -> str:
        return self.name


UNSET: Final = _Sentinel.UNSET
"""An argument that was not given, where None has a meaning of its own."""


ANY: Final = _Sentinel.ANY
"""`after=ANY`: append behind whatever message is the last."""


Unset: TypeAlias = Literal[_Sentinel.UNSET]


AnyTip: TypeAlias = Literal[_Sentinel.ANY]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """How a list is to be cut.

    Attributes:
        limit: The most items to return; None for all that one answer of the backend holds.
        cursor: The adapter's own note of where the page before ended; None for the head. The store
            wraps it for its callers, and has checked that it belongs to this list and order.
        older_than: Only conversations that were last active before it. The store leaves out the
            others in any case; an adapter that can need not fetch them.
    """

    limit: int | None = None
    cursor: str | None = None
    order: Order = "oldest_first"
    older_than: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A run of a list; `cursor` leads to the next one and is None on the last.

    Attributes:
        total: How many there are in all, where the backend says.
    """

    items: tuple[T, ...]
    cursor: str | None = None
    total: int | None = None
