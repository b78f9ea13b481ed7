"""The endpoint that pages through records by their ids, as a page that scrolls both ways asks it.

Walked from the newest on, with no more held than a page on either side of the record that is named.
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
from .parameters import Given
from .render import record_row

_STEP: Final = 100
_DEFAULT_PAGE: Final = 10
_ANCHORS: Final = (("initialId", "Initial"), ("nextId", "Next"), ("prevId", "Prev"))


@dataclass(slots=True)
class _Window:
    """Messages around a record, as they come by from the newest on.

    Attributes:
        newer: How many in front of it are wanted.
        older: How many behind it.
        with_it: Whether it is wanted itself.
        anchor: Its ``dataId``; None where the newest are wanted.
        end: Those of the newer side, the nearest last.
        start: It and those of the older side.
    """

    newer: int
    older: int
    with_it: bool
    anchor: str | None
    end: deque[Message] = field(default_factory=deque)
    start: list[Message] = field(default_factory=list)
    seen: int = 0
    found: bool = False
    more_newer: bool = False
    more_older: bool = False
    _behind: int = 0

    def take(self, message: Message) -> None:
        self.seen += 1
        is_it = self.anchor is not None and record_ids(message.id).data == self.anchor
        if is_it and (not self.found or not self._behind):
            self.found = True
            if self.with_it:
                self.start.append(message)
        elif self.found or self.anchor is None:
            self._take_older(message)
        else:
            self.end.append(message)
            if len(self.end) > self.newer:
                self.end.popleft()
                self.more_newer = True

    def _take_older(self, message: Message) -> None:
        self._behind += 1
        if self._behind > self.older:
            self.more_older = True
        else:
            self.start.append(message)

    @property
    def has_older(self) -> bool:
        """Whether there is more before what is shown, if only the record that was named."""
        return self.more_older or (self._leaves_it_out and not self.older)

    @property
    def has_newer(self) -> bool:
        """The same behind it."""
        return self.more_newer or (self._leaves_it_out and not self.newer)

    @property
    def _leaves_it_out(self) -> bool:
        return self.found and not self.with_it

    def oldest_first(self) -> list[Message]:
        return [*self.start[::-1], *list(self.end)[::-1]]


def get_records_around(given: Given) -> DialectFlow[DialectResponse]:
    """Records before, behind or around one that is named, or the newest.

    Raises:
        RefusedError: It is not there.
    """
    given.app_id()
    size = given.size("pageSize", _DEFAULT_PAGE)
    window, word = _window(given, size)
    chat_id = given.text_or_none("chatId")
    total = (yield from _walked(chat_id, window)) if chat_id else 0
    if chat_id and window.anchor is not None and not window.found:
        raise thrown(f"{word} item not found", of_the_user=True)
    messages = window.oldest_first()
    more = {"hasMorePrev": window.has_older, "hasMoreNext": window.has_newer}
    with_custom = given.fields.get("loadCustomFeedbacks") is True
    render = partial(_answered, messages, {"total": total} | more, with_custom)
    return (yield from ask(lambda _: asyncio.to_thread(render)))


def _window(given: Given, size: int) -> tuple[_Window, str]:
    for name, word in _ANCHORS:
        anchor = given.text_or_none(name)
        if anchor:
            around = name == "initialId"
            newer = size - size // 2 if around else size if name == "nextId" else 0
            older = size // 2 if around else size if name == "prevId" else 0
            return _Window(newer, older, around, anchor), word
    return _Window(0, size, with_it=False, anchor=None), ""


def _walked(chat_id: str, window: _Window) -> DialectFlow[int]:
    """Fills a window; returns how many records there are."""
    cursor: str | None = None
    while True:
        page = yield from newest_page(chat_id, cursor, _STEP)
        for message in page.items:
            window.take(message)
        cursor = page.cursor
        if cursor is None:
            return window.seen
        if window.more_older and page.total is not None:
            return max(page.total, window.seen)


def _answered(messages: Sequence[Message], told: Row, with_custom: bool) -> Response:
    rows = [_row(each, with_custom) for each in messages]
    return succeeded({"list": rows} | told)


def _row(message: Message, with_custom: bool) -> Row:
    """A record as this endpoint shows it: with its id twice, and without the items' types."""
    row = record_row(message, with_custom_feedbacks=with_custom)
    row["value"] = [
        {name: value for name, value in item.items() if name != "type"} for item in row["value"]
    ]
    return row | {"id": row["dataId"]} | ({"deleteTime": None} if with_custom else {})
