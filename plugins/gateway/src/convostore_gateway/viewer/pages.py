"""Pages: what is shown, each as a whole page, or as the piece of one that an open page asks for."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.responses import Response

from convostore.errors import InvalidError
from convostore.models import Conversation, Order
from convostore.store import AsyncConversationStore

from .. import downloads
from . import queries
from .activity import MOST, chart, count
from .render import shown, store_name
from .request import Visit
from .responses import page, piece
from .urls import key_of

_ROWS: Final = 100
_MESSAGES: Final = 40
_LARGE: Final = 500
"""Conversations to read at a time where only few of them are shown."""


async def home(visit: Visit) -> Response:
    """The list, and beside it what the store is."""
    listed = await _list(visit)
    if not visit.wants_fragment:
        return page("home.html", visit.at, **listed, **_frame(visit), query="")
    if visit.given("cursor"):
        return piece("rows.html", visit.at, **listed)
    if visit.request.headers.get("hx-target") == "list":
        return piece("list.html", visit.at, **listed)
    return piece("welcome_piece.html", visit.at, **listed, **_frame(visit))


async def search(visit: Visit) -> Response:
    """What was found; the list where nothing was asked for."""
    query = (visit.given("q") or "").strip()
    found = await (_found(visit, query) if query else _list(visit))
    template = "list.html"
    if query:
        template = "hits.html" if visit.store.offers("search") else "titles.html"
    if visit.wants_fragment:
        return piece(template, visit.at, query=query, **found)
    return page("search.html", visit.at, listing=template, **_frame(visit), **found, query=query)


async def row(visit: Visit) -> Response:
    """One line of the list."""
    conversation = await visit.store.get_conversation(visit.ids[0])
    return piece("row.html", visit.at, conversation=conversation, current=conversation.id)


async def conversation(visit: Visit) -> Response:
    """A conversation with the page of its messages that is asked for."""
    conversation, messages = await _both(visit)
    values = {
        "conversation": conversation,
        "key": key_of(conversation.id),
        "can": can(visit.store),
        **messages,
    }
    if visit.wants_fragment:
        return await asyncio.to_thread(piece, "conversation_piece.html", visit.at, **values)
    values |= await _list(visit, visit.ids[0]) | _frame(visit)
    return await asyncio.to_thread(page, "opened.html", visit.at, **values, query="")


async def messages(visit: Visit) -> Response:
    """A further page of messages."""
    values = await _messages(visit)
    return await asyncio.to_thread(piece, "messages.html", visit.at, can=can(visit.store), **values)


async def run(visit: Visit) -> Response:
    """The steps of the run that made an answer."""
    steps = await visit.store.get_run_details(*visit.ids)
    return piece("run.html", visit.at, steps=steps)


async def activity(visit: Visit) -> Response:
    """The chart."""
    counts = await count(visit.store, visit.page_size(_LARGE))
    drawn = await asyncio.to_thread(chart, counts)
    return piece("activity.html", visit.at, chart=drawn, most=MOST)


async def export(visit: Visit) -> Response:
    """A conversation as a file to be kept."""
    return await downloads.export_one(visit.store, visit.ids[0], format=_format(visit), raw=True)


async def export_all(visit: Visit) -> Response:
    """All conversations as one file."""
    return await downloads.export_all(visit.store, format=_format(visit), raw=True)


def can(store: AsyncConversationStore) -> dict[str, bool]:
    """What of the store's operations the pages may show."""
    wanted = (
        "update_conversation",
        "delete_conversation",
        "delete_message",
        "set_feedback",
        "get_run_details",
        "search",
    )
    return {name: store.offers(name) for name in wanted} | {
        "delete_turn": store.traits.deletes == "may_delete_turn"
    }


def _frame(visit: Visit) -> dict[str, object]:
    """What stands around every page."""
    return {
        "label": store_name(visit.store.label),
        "is_signed_in": visit.is_signed_in,
        "can_search": visit.store.offers("search"),
    }


async def _list(visit: Visit, current: str | None = None) -> dict[str, object]:
    size = visit.page_size(_ROWS)
    cursor = visit.given("cursor") if current is None else None
    found = await queries.conversations(visit.store, size, cursor)
    return {"page": found, "total": found.total, "current": current}


async def _found(visit: Visit, query: str) -> dict[str, object]:
    if not visit.store.offers("search"):
        found = await queries.titled(visit.store, query, visit.page_size(_LARGE))
        return {"found": found, "current": None}
    cursor, size = visit.given("cursor"), visit.page_size(_ROWS)
    hits = await visit.store.search(query, limit=size, cursor=cursor)
    return {"page": hits, "current": None, "is_head": cursor is None}


async def _both(visit: Visit) -> tuple[Conversation, dict[str, object]]:
    """A conversation and its messages, read side by side."""
    conversation, messages = await asyncio.gather(
        visit.store.get_conversation(visit.ids[0]), _messages(visit), return_exceptions=True
    )
    if isinstance(conversation, BaseException):
        raise conversation
    if isinstance(messages, BaseException):
        raise messages
    return conversation, messages


async def _messages(visit: Visit) -> dict[str, object]:
    size, wanted = visit.page_size(_MESSAGES), visit.given("message")
    if wanted is not None:
        found = await queries.stretch_with(visit.store, visit.ids[0], size, wanted)
    else:
        found = await queries.stretch(
            visit.store, visit.ids[0], size, order=_order(visit), cursor=visit.given("cursor")
        )
    messages = await asyncio.to_thread(shown, found.page.items)
    return {
        "messages": messages,
        "stretch": found,
        "conversation_id": visit.ids[0],
        "target": None if wanted is None else key_of(wanted),
    }


def _format(visit: Visit) -> str:
    return visit.given("format") or "html"


def _order(visit: Visit) -> Order:
    wanted = visit.given("order")
    if wanted not in {None, "oldest_first", "newest_first"}:
        raise InvalidError("there is no such order")
    return "newest_first" if wanted == "newest_first" else "oldest_first"
