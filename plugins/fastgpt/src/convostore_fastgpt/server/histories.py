"""The endpoints of conversations, over any store.

The service pages by offset, so its lists are read from their heads; the list of a store with
another order is sorted as a whole. Parameters are validated in `parameters`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from convostore.dialects import DialectFlow
from convostore.errors import NotFoundError
from convostore.models import JSON, Conversation, Page, Status
from convostore.parsing import Row
from convostore.store import ask, look

from .parameters import LARGEST_PAGE, Parameters, Span, require_target
from .render import history_row, progress, status_row, time_text

SOURCES: Final = (
    "test",
    "online",
    "share",
    "api",
    "cronJob",
    "feishu",
    "official_account",
    "wecom",
    "wechat",
    "mcp",
)
_OLDER_SOURCES: Final = ("team",)
_STEP: Final = 200
_MOST_STATUSES: Final = 200
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)


def get_histories(params: Parameters) -> DialectFlow[JSON]:
    """List conversations; all of a store's have the source ``api``."""
    require_target(params)
    app_id = params.app_id()
    known = (*SOURCES, *(_OLDER_SOURCES if params.fields.get("source") in _OLDER_SOURCES else ()))
    source = params.choice("source", known)
    span, times = params.span(), _TimeFilter.parse(params)
    if source not in {None, "api"}:
        return {"list": [], "total": 0}
    page, total = yield from _listed(span, times)
    return {"list": [history_row(conversation, app_id) for conversation in page], "total": total}


@dataclass(frozen=True, slots=True)
class _TimeFilter:
    """The bounds of time that a request sets, to the millisecond, as times are shown."""

    created: tuple[str | None, str | None]
    updated: tuple[str | None, str | None]

    @classmethod
    def parse(cls, params: Parameters) -> _TimeFilter:
        def bounds(what: str) -> tuple[str | None, str | None]:
            start, end = params.time(f"start{what}Time"), params.time(f"end{what}Time")
            return time_text(start), time_text(end)

        return cls(bounds("Create"), bounds("Update"))

    @property
    def all(self) -> bool:
        return not any((*self.created, *self.updated))

    def matches(self, conversation: Conversation) -> bool:
        return _within(conversation.created_at, *self.created) and _within(
            conversation.last_active_at, *self.updated
        )

    def ends_before(self, conversation: Conversation) -> bool:
        """Return whether nothing after this one matches, in a list in the service's order."""
        earliest = self.updated[0]
        if earliest is None or conversation.pinned:
            return False
        return not _within(conversation.last_active_at, earliest, None)


def _within(time: datetime | None, start: str | None, end: str | None) -> bool:
    shown = time_text(time)
    if shown is None:
        return start is None and end is None
    return (start is None or shown >= start) and (end is None or shown <= end)


def _listed(span: Span, times: _TimeFilter) -> DialectFlow[tuple[list[Conversation], int]]:
    """Return a page of the matching conversations, and their number."""
    # Only a list in the service's order can be read page by page.
    is_sorted = yield from look(lambda store: store.traits.order == "pinned_then_active")
    if not is_sorted:
        return (yield from _sorted(span, times))
    rows: list[Conversation] = []
    count = 0
    page = yield from _page(None, min(_STEP, max(1, span.end)))
    while True:
        for conversation in _matching(page, times):
            if span.start <= count < span.end:
                rows.append(conversation)
            count += 1
        if times.all and count >= span.end and page.total is not None:
            return rows, max(page.total, span.start + len(rows))
        if page.cursor is None or any(map(times.ends_before, page.items[-1:])):
            return rows, count
        page = yield from _page(page.cursor, _STEP)


def _matching(page: Page[Conversation], times: _TimeFilter) -> Iterator[Conversation]:
    return (conversation for conversation in page.items if times.matches(conversation))


def _page(cursor: str | None, limit: int) -> DialectFlow[Page[Conversation]]:
    return ask(lambda store: store.list_conversations(limit=limit, cursor=cursor))


def _sorted(span: Span, times: _TimeFilter) -> DialectFlow[tuple[list[Conversation], int]]:
    """Return the same for a store whose list is in another order."""
    rows: list[Conversation] = []
    cursor: str | None = None
    while True:
        page = yield from _page(cursor, _STEP)
        rows += [match.model_copy(update={"raw": None}) for match in _matching(page, times)]
        cursor = page.cursor
        if cursor is None:
            break
    rows.sort(key=_place)
    return rows[span.start : span.end], len(rows)


def _place(conversation: Conversation) -> tuple[bool, float, str]:
    active = conversation.last_active_at or _EARLIEST
    return not conversation.pinned, -(active - _EARLIEST).total_seconds(), conversation.id


def get_history_status(params: Parameters) -> DialectFlow[JSON]:
    """Report for some conversations whether an answer is being generated."""
    params.app_id()
    rows: list[Row] = []
    for chat_id in params.texts("chatIds", most=_MOST_STATUSES):
        with suppress(NotFoundError):
            conversation = yield from _get(chat_id)
            rows.append(status_row(conversation, (yield from newest_status(chat_id))))
    return {"list": rows}


def _get(chat_id: str) -> DialectFlow[Conversation]:
    if not chat_id:
        raise NotFoundError("no conversation has an empty id")
    return (yield from ask(lambda store: store.get_conversation(chat_id)))


def newest_status(chat_id: str) -> DialectFlow[Status | None]:
    """Return the status of a conversation's newest message."""
    page = yield from ask(lambda store: store.list_messages(chat_id, limit=1, order="newest_first"))
    return page.items[0].status if page.items else None


def mark_read(params: Parameters) -> DialectFlow[JSON]:
    """Do nothing: a store does not keep which conversations were read."""
    params.app_id()
    params.text("chatId")
    yield from ()
    return None


def update_history(params: Parameters) -> DialectFlow[JSON]:
    """Rename or pin a conversation; an absent one stays absent."""
    params.app_id()
    chat_id, change = params.text("chatId"), _change(params)
    if change:
        with suppress(NotFoundError):
            yield from ask(lambda store: store.update_conversation(chat_id, **change))
    return None


def _change(params: Parameters) -> dict[str, Any]:
    """Return the change that a request asks for; of two titles, the user's wins."""
    title, pinned = params.text_or_none("customTitle"), params.flag("top")
    if title is None:
        title = params.text_or_none("title")
    change: dict[str, Any] = {} if title is None else {"title": title or None}
    return change if pinned is None else change | {"pinned": pinned}


def delete_history(params: Parameters) -> DialectFlow[JSON]:
    """Delete a conversation for good."""
    params.app_id()
    yield from _delete(params.text("chatId"))
    return None


def delete_histories(params: Parameters) -> DialectFlow[JSON]:
    """Delete several conversations."""
    params.app_id()
    for chat_id in params.texts("chatIds", most=LARGEST_PAGE):
        yield from _delete(chat_id)
    return None


def _delete(chat_id: str) -> DialectFlow[None]:
    if chat_id:
        with suppress(NotFoundError):
            yield from ask(lambda store: store.delete_conversation(chat_id))


def clear_histories(params: Parameters) -> DialectFlow[JSON]:
    """Delete all conversations."""
    params.app_id()
    yield from ask(lambda store: store.clear_conversations())
    return None


def init(params: Parameters) -> DialectFlow[JSON]:
    """Describe a conversation and its app; an absent one looks like an empty one."""
    app_id, chat_id = params.app_id(), params.text("chatId")
    row: Row = {"chatId": chat_id, "appId": app_id, "title": "", "app": _APP}
    with suppress(NotFoundError):
        conversation = yield from _get(chat_id)
        status = yield from newest_status(chat_id)
        row |= {
            "title": conversation.title or "",
            "variables": {},
            "chatGenerateStatus": progress(status),
            "hasBeenRead": True,
        }
    return row


_APP: Final[Row] = {
    "chatConfig": {
        "welcomeText": "",
        "variables": [],
        "autoExecute": {"open": False, "defaultPrompt": ""},
        "questionGuide": {"open": False},
        "ttsConfig": {"type": "none"},
        "whisperConfig": {"open": False, "autoSend": False, "autoTTSResponse": False},
        "chatInputGuide": {"open": False, "customUrl": ""},
        "instruction": "",
    },
    "chatModels": [],
    "name": "convostore",
    "avatar": "/icon/logo.svg",
    "intro": "",
    "type": "simple",
    "pluginInputs": [],
}
"""The app of a store: without a greeting, variables or other features of the service."""
