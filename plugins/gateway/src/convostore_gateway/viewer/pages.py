"""Pages: each is rendered whole, or as the piece that an open page requests."""

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
from .render import render_messages, store_name
from .request import Visit
from .responses import page, piece
from .urls import key_of

_ROWS: Final = 100
_MESSAGES: Final = 40
_LARGE: Final = 500
"""Conversations to read at a time where only a few of them are shown."""


async def home(visit: Visit) -> Response:
    """Render the list beside the summary of the store."""
    values = await _list(visit)
    if not visit.wants_fragment:
        return page("home.html", visit.at, **values, **_frame(visit), query="")
    if visit.parameter("cursor"):
        return piece("rows.html", visit.at, **values)
    if visit.request.headers.get("hx-target") == "list":
        return piece("list.html", visit.at, **values)
    return piece("welcome_piece.html", visit.at, **values, **_frame(visit))


async def search(visit: Visit) -> Response:
    """Render the hits of a search, or the list for an empty query."""
    query = (visit.parameter("q") or "").strip()
    values = await (_hits(visit, query) if query else _list(visit))
    template = "list.html"
    if query:
        template = "hits.html" if visit.store.offers("search") else "titles.html"
    if visit.wants_fragment:
        return piece(template, visit.at, query=query, **values)
    return page("search.html", visit.at, listing=template, **_frame(visit), **values, query=query)


async def row(visit: Visit) -> Response:
    """Render one row of the list."""
    conversation = await visit.store.get_conversation(visit.ids[0])
    return piece("row.html", visit.at, conversation=conversation, current=conversation.id)


async def conversation(visit: Visit) -> Response:
    """Render a conversation with the requested page of its messages."""
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
    """Render a further page of messages."""
    values = await _messages(visit)
    return await asyncio.to_thread(piece, "messages.html", visit.at, can=can(visit.store), **values)


async def run(visit: Visit) -> Response:
    """Render the steps of the run that made an answer."""
    steps = await visit.store.get_run_details(*visit.ids)
    return piece("run.html", visit.at, steps=steps)


async def activity(visit: Visit) -> Response:
    """Render the chart of activity."""
    counts = await count(visit.store, visit.page_size(_LARGE))
    values = await asyncio.to_thread(chart, counts)
    return piece("activity.html", visit.at, chart=values, most=MOST)


async def export(visit: Visit) -> Response:
    """Return a conversation as a file to save."""
    return await downloads.export_one(visit.store, visit.ids[0], format=_format(visit), raw=True)


async def export_all(visit: Visit) -> Response:
    """Return all conversations as one file."""
    return await downloads.export_all(visit.store, format=_format(visit), raw=True)


def can(store: AsyncConversationStore) -> dict[str, bool]:
    """Return which operations of a store the pages may offer."""
    operations = (
        "update_conversation",
        "delete_conversation",
        "delete_message",
        "set_feedback",
        "get_run_details",
        "search",
    )
    return {name: store.offers(name) for name in operations} | {
        "delete_turn": store.traits.deletes == "may_delete_turn"
    }


def _frame(visit: Visit) -> dict[str, object]:
    """Return the values of the frame around every page."""
    return {
        "label": store_name(visit.store.label),
        "is_signed_in": visit.is_signed_in,
        "can_search": visit.store.offers("search"),
    }


async def _list(visit: Visit, current: str | None = None) -> dict[str, object]:
    size = visit.page_size(_ROWS)
    cursor = visit.parameter("cursor") if current is None else None
    listing = await queries.conversations(visit.store, size, cursor)
    return {"page": listing, "total": listing.total, "current": current}


async def _hits(visit: Visit, query: str) -> dict[str, object]:
    if not visit.store.offers("search"):
        titles = await queries.search_titles(visit.store, query, visit.page_size(_LARGE))
        return {"titles": titles, "current": None}
    cursor, size = visit.parameter("cursor"), visit.page_size(_ROWS)
    hits = await visit.store.search(query, limit=size, cursor=cursor)
    return {"page": hits, "current": None, "is_head": cursor is None}


async def _both(visit: Visit) -> tuple[Conversation, dict[str, object]]:
    """Read a conversation and its messages concurrently."""
    conversation, messages = await asyncio.gather(
        visit.store.get_conversation(visit.ids[0]), _messages(visit), return_exceptions=True
    )
    if isinstance(conversation, BaseException):
        raise conversation
    if isinstance(messages, BaseException):
        raise messages
    return conversation, messages


async def _messages(visit: Visit) -> dict[str, object]:
    size, target = visit.page_size(_MESSAGES), visit.parameter("message")
    if target is not None:
        message_page = await queries.page_with(visit.store, visit.ids[0], size, target)
    else:
        message_page = await queries.message_page(
            visit.store, visit.ids[0], size, order=_order(visit), cursor=visit.parameter("cursor")
        )
    messages = await asyncio.to_thread(render_messages, message_page.page.items)
    return {
        "messages": messages,
        "message_page": message_page,
        "conversation_id": visit.ids[0],
        "target": None if target is None else key_of(target),
    }


def _format(visit: Visit) -> str:
    return visit.parameter("format") or "html"


def _order(visit: Visit) -> Order:
    order = visit.parameter("order")
    if order not in {None, "oldest_first", "newest_first"}:
        raise InvalidError("order must be oldest_first or newest_first")
    return "newest_first" if order == "newest_first" else "oldest_first"
