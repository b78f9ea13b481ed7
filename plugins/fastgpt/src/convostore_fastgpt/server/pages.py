"""The endpoint that pages through records from an anchor, for clients that scroll both ways.

Messages are read from the newest on; no more than a page on either side of the anchor is in memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from convostore.dialects import DialectFlow, DialectResponse
from convostore.http import Response
from convostore.models import Message
from convostore.parsing import Row
from convostore.store import ask

from ..schema.message_ids import record_ids
from .errors import succeeded, thrown
from .find_records import newest_page
from .parameters import Parameters
from .render import record_row

_STEP: Final = 100
_DEFAULT_PAGE: Final = 10
_ANCHORS: Final = (("initialId", "Initial"), ("nextId", "Next"), ("prevId", "Prev"))


@dataclass(slots=True)
class _Window:
    """Messages around an anchor, collected from the newest on.

    Attributes:
        newer: Number of newer messages to return.
        older: Number of older messages to return.
        with_anchor: Whether the anchor itself is returned.
        anchor: Its ``dataId``; None for a window of the newest messages.
        end: The newer messages, the nearest last.
        start: The anchor and the older messages.
        seen: Number of messages so far.
        found: Whether the anchor is among them.
    """

    newer: int
    older: int
    with_anchor: bool
    anchor: str | None
    end: deque[Message] = field(default_factory=deque)
    start: list[Message] = field(default_factory=list)
    seen: int = 0
    found: bool = False
    more_newer: bool = False
    more_older: bool = False
    _older_seen: int = 0

    def add(self, message: Message) -> None:
        self.seen += 1
        is_anchor = self.anchor is not None and record_ids(message.id).data == self.anchor
        if is_anchor and (not self.found or not self._older_seen):
            self.found = True
            if self.with_anchor:
                self.start.append(message)
        elif self.found or self.anchor is None:
            self._add_older(message)
        else:
            self.end.append(message)
            if len(self.end) > self.newer:
                self.end.popleft()
                self.more_newer = True

    def _add_older(self, message: Message) -> None:
        self._older_seen += 1
        if self._older_seen > self.older:
            self.more_older = True
        else:
            self.start.append(message)

    @property
    def has_older(self) -> bool:
        """Whether an older message, or the anchor, comes before those that are returned."""
        return self.more_older or (self._omits_anchor and not self.older)

    @property
    def has_newer(self) -> bool:
        """Whether a newer message, or the anchor, comes after those that are returned."""
        return self.more_newer or (self._omits_anchor and not self.newer)

    @property
    def _omits_anchor(self) -> bool:
        return self.found and not self.with_anchor

    def oldest_first(self) -> list[Message]:
        return [*self.start[::-1], *list(self.end)[::-1]]


def get_records_around(params: Parameters) -> DialectFlow[DialectResponse]:
    """List the records before, after or around an anchor, or the newest.

    Raises:
        RefusedError: The anchor is not in the conversation.
    """
    params.app_id()
    size = params.size("pageSize", _DEFAULT_PAGE)
    window, word = _window(params, size)
    chat_id = params.text_or_none("chatId")
    total = (yield from _fill(chat_id, window)) if chat_id else 0
    if chat_id and window.anchor is not None and not window.found:
        raise thrown(f"{word} item not found", of_the_user=True)
    messages = window.oldest_first()
    more = {"hasMorePrev": window.has_older, "hasMoreNext": window.has_newer}
    with_custom = params.fields.get("loadCustomFeedbacks") is True
    render = partial(_response, messages, {"total": total} | more, with_custom)
    return (yield from ask(lambda _: asyncio.to_thread(render)))


def _window(params: Parameters, size: int) -> tuple[_Window, str]:
    for name, word in _ANCHORS:
        anchor = params.text_or_none(name)
        if anchor:
            around = name == "initialId"
            newer = size - size // 2 if around else size if name == "nextId" else 0
            older = size // 2 if around else size if name == "prevId" else 0
            return _Window(newer, older, around, anchor), word
    return _Window(0, size, with_anchor=False, anchor=None), ""


def _fill(chat_id: str, window: _Window) -> DialectFlow[int]:
    """Fill the window and return the number of records in the conversation."""
    cursor: str | None = None
    while True:
        page = yield from newest_page(chat_id, cursor, _STEP)
        for message in page.items:
            window.add(message)
        cursor = page.cursor
        if cursor is None:
            return window.seen
        if window.more_older and page.total is not None:
            return max(page.total, window.seen)


def _response(messages: Sequence[Message], counts: Row, with_custom: bool) -> Response:
    rows = [_row(message, with_custom) for message in messages]
    return succeeded({"list": rows} | counts)


def _row(message: Message, with_custom: bool) -> Row:
    """Encode a record for this endpoint: with its id twice, and without the items' types."""
    row = record_row(message, with_custom_feedbacks=with_custom)
    row["value"] = [
        {name: value for name, value in item.items() if name != "type"} for item in row["value"]
    ]
    return row | {"id": row["dataId"]} | ({"deleteTime": None} if with_custom else {})
