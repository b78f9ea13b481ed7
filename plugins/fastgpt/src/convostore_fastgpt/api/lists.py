"""The service's two paged lists, conversations and records: their requests, ranks and ids.

How a page survives changes of its list is decided in `offset_pagination`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from convostore.http import HTTPFlow
from convostore.models import JSON, Order
from convostore.parsing import non_empty_text, read_time

from ..schema import records
from .endpoints import HISTORIES, RECORDS, Service
from .offset_pagination import PAGE, OffsetList, Slice, Window

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_OBJECT_ID: Final = re.compile(r"[0-9a-fA-F]{1,24}")
"""An ``_id`` of MongoDB, which sorts records by it."""


class Histories(OffsetList):
    """Conversations, the pinned ones first, then by the time of the last write.

    Args:
        service: The endpoints.
        filters: More fields of each request.
        owner: Prefix of the ids that are shown; the service itself cannot filter by it.
    """

    def __init__(self, service: Service, filters: dict[str, JSON], owner: str = "") -> None:
        self._service = service
        self._filters = filters
        self._owner = owner
        self.least = PAGE if owner else 1

    def shows(self, row: JSON) -> bool:
        return not self._owner or (self.key(row) or "").startswith(self._owner)

    def page(self, cursor: str | None, limit: int) -> HTTPFlow[Window]:
        window = yield from super().page(cursor, limit)
        while not window.rows and window.end is not None:
            window = yield from super().page(str(window.end), limit)
        return window

    def fetch(self, start: int, size: int, total: int | None) -> HTTPFlow[Slice]:  # noqa: ARG002
        data = yield from self._service.ask(
            HISTORIES, {"offset": start, "pageSize": size, **self._filters}
        )
        rows, count = records.list_of(data, start)
        return Slice(rows, start, count)

    def rank(self, row: JSON) -> JSON:
        if not isinstance(row, dict):
            return None
        time = read_time(row.get("updateTime"))
        return [row.get("top") is not True, -((time - _EPOCH) // _MILLISECOND) if time else 0]

    def key(self, row: JSON) -> str | None:
        return non_empty_text(row, "chatId")


class Records(OffsetList):
    """Records of a conversation; the service pages from the newest on, by descending ``_id``."""

    def __init__(self, service: Service, chat: dict[str, JSON], order: Order) -> None:
        self._service = service
        self._fields = {**chat, "loadCustomFeedbacks": True}
        self._backwards = order == "newest_first"
        # The record after a question decides whether it was answered.
        self.ahead = 0 if self._backwards else 1

    def fetch(self, start: int, size: int, total: int | None) -> HTTPFlow[Slice]:
        if self._backwards:
            rows, count = yield from self._ask(start, size)
            return Slice(rows[::-1], start, count)
        # Oldest first: the offset from the newest record follows from the total.
        offset = 0 if total is None else total - start - size
        if total is None:
            size -= self.ahead
        elif offset < 0:
            offset, size = 0, max(1, size + offset)
        rows, count = yield from self._ask(offset, size)
        return Slice(rows, max(0, count - offset - len(rows)), count)

    def _ask(self, offset: int, size: int) -> HTTPFlow[tuple[list[JSON], int]]:
        data = yield from self._service.ask(
            RECORDS, {"offset": offset, "pageSize": size, **self._fields}
        )
        return records.list_of(data, offset)

    def rank(self, row: JSON) -> JSON:
        own = self.key(row)
        if own is None or not _OBJECT_ID.fullmatch(own):
            return None
        number = int(own, 16)
        return -number if self._backwards else number

    def key(self, row: JSON) -> str | None:
        return non_empty_text(row, "_id")
