"""The endpoints of conversations: what they answer out of any store.

The service pages by offset, so its lists are walked from their heads; of a store that keeps another
order than the service's, the whole list is sorted. No request is read here but its parameters.
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

from .parameters import LARGEST_PAGE, Given, Span, require_target
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


def get_histories(given: Given) -> DialectFlow[JSON]:
    """Lists conversations; whatever a store has is of the source ``api``."""
    require_target(given)
    app_id = given.app_id()
    known = (*SOURCES, *(_OLDER_SOURCES if given.fields.get("source") in _OLDER_SOURCES else ()))
    source = given.choice("source", known)
    span, wanted = given.span(), _Wanted.of(given)
    if source not in {None, "api"}:
        return {"list": [], "total": 0}
    found, total = yield from _listed(span, wanted)
    return {"list": [history_row(each, app_id) for each in found], "total": total}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Between which times conversations are wanted, by the millisecond as times are shown."""

    created: tuple[str | None, str | None]
    updated: tuple[str | None, str | None]

    @classmethod
    def of(cls, given: Given) -> _Wanted:
        def bounds(what: str) -> tuple[str | None, str | None]:
            start, end = given.time(f"start{what}Time"), given.time(f"end{what}Time")
            return time_text(start), time_text(end)

        return cls(bounds("Create"), bounds("Update"))

    @property
    def all(self) -> bool:
        return not any((*self.created, *self.updated))

    def takes(self, conversation: Conversation) -> bool:
        return _within(conversation.created_at, *self.created) and _within(
            conversation.last_active_at, *self.updated
        )

    def ends_before(self, conversation: Conversation) -> bool:
        """Whether nothing is wanted of a list, behind one that is sorted as the service's are."""
        earliest = self.updated[0]
        if earliest is None or conversation.pinned:
            return False
        return not _within(conversation.last_active_at, earliest, None)


def _within(time: datetime | None, start: str | None, end: str | None) -> bool:
    shown = time_text(time)
    if shown is None:
        return start is None and end is None
    return (start is None or shown >= start) and (end is None or shown <= end)


def _listed(span: Span, wanted: _Wanted) -> DialectFlow[tuple[list[Conversation], int]]:
    """A page of those that are wanted, and how many there are."""
    is_sorted = yield from look(lambda store: store.traits.order == "pinned_then_active")
    if not is_sorted:
        return (yield from _sorted(span, wanted))
    found: list[Conversation] = []
    count = 0
    page = yield from _page(None, min(_STEP, max(1, span.end)))
    while True:
        for each in _until(page, wanted):
            if span.start <= count < span.end:
                found.append(each)
            count += 1
        if wanted.all and count >= span.end and page.total is not None:
            return found, max(page.total, span.start + len(found))
        if page.cursor is None or any(map(wanted.ends_before, page.items[-1:])):
            return found, count
        page = yield from _page(page.cursor, _STEP)


def _until(page: Page[Conversation], wanted: _Wanted) -> Iterator[Conversation]:
    return (each for each in page.items if wanted.takes(each))


def _page(cursor: str | None, limit: int) -> DialectFlow[Page[Conversation]]:
    return ask(lambda store: store.list_conversations(limit=limit, cursor=cursor))


def _sorted(span: Span, wanted: _Wanted) -> DialectFlow[tuple[list[Conversation], int]]:
    """The same of a store that keeps an order of its own."""
    found: list[Conversation] = []
    cursor: str | None = None
    while True:
        page = yield from _page(cursor, _STEP)
        found += [each.model_copy(update={"raw": None}) for each in _until(page, wanted)]
        cursor = page.cursor
        if cursor is None:
            break
    found.sort(key=_place)
    return found[span.start : span.end], len(found)


def _place(conversation: Conversation) -> tuple[bool, float, str]:
    active = conversation.last_active_at or _EARLIEST
    return not conversation.pinned, -(active - _EARLIEST).total_seconds(), conversation.id


def get_history_status(given: Given) -> DialectFlow[JSON]:
    """Tells of some conversations whether answers are being made in them."""
    given.app_id()
    rows: list[Row] = []
    for chat_id in given.texts("chatIds", most=_MOST_STATUSES):
        with suppress(NotFoundError):
            conversation = yield from _get(chat_id)
            rows.append(status_row(conversation, (yield from newest_status(chat_id))))
    return {"list": rows}


def _get(chat_id: str) -> DialectFlow[Conversation]:
    if not chat_id:
        raise NotFoundError("an empty id is nobody's")
    return (yield from ask(lambda store: store.get_conversation(chat_id)))


def newest_status(chat_id: str) -> DialectFlow[Status | None]:
    """How a conversation's newest message stands."""
    page = yield from ask(lambda store: store.list_messages(chat_id, limit=1, order="newest_first"))
    return page.items[0].status if page.items else None


def mark_read(given: Given) -> DialectFlow[JSON]:
    """Takes notice of nothing: a store does not keep what was read."""
    given.app_id()
    given.text("chatId")
    yield from ()
    return None


def update_history(given: Given) -> DialectFlow[JSON]:
    """Renames or pins a conversation; one that is not there is left so."""
    given.app_id()
    chat_id, change = given.text("chatId"), _change(given)
    if change:
        with suppress(NotFoundError):
            yield from ask(lambda store: store.update_conversation(chat_id, **change))
    return None


def _change(given: Given) -> dict[str, Any]:
    """What is to change: of two titles the one that is given by hand."""
    title, pinned = given.text_or_none("customTitle"), given.flag("top")
    if title is None:
        title = given.text_or_none("title")
    change: dict[str, Any] = {} if title is None else {"title": title or None}
    return change if pinned is None else change | {"pinned": pinned}


def delete_history(given: Given) -> DialectFlow[JSON]:
    """Deletes a conversation, which is then gone."""
    given.app_id()
    yield from _delete(given.text("chatId"))
    return None


def delete_histories(given: Given) -> DialectFlow[JSON]:
    """Deletes some conversations."""
    given.app_id()
    for chat_id in given.texts("chatIds", most=LARGEST_PAGE):
        yield from _delete(chat_id)
    return None


def _delete(chat_id: str) -> DialectFlow[None]:
    if chat_id:
        with suppress(NotFoundError):
            yield from ask(lambda store: store.delete_conversation(chat_id))


def clear_histories(given: Given) -> DialectFlow[JSON]:
    """Deletes every conversation."""
    given.app_id()
    yield from ask(lambda store: store.clear_conversations())
    return None


def init(given: Given) -> DialectFlow[JSON]:
    """Tells of a conversation and its app; one that is not there is an empty one."""
    app_id, chat_id = given.app_id(), given.text("chatId")
    told: Row = {"chatId": chat_id, "appId": app_id, "title": "", "app": _APP}
    with suppress(NotFoundError):
        conversation = yield from _get(chat_id)
        status = yield from newest_status(chat_id)
        told |= {
            "title": conversation.title or "",
            "variables": {},
            "chatGenerateStatus": progress(status),
            "hasBeenRead": True,
        }
    return told


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
"""A store's app: one without a greeting, variables or anything else that is the service's own."""
