"""Forms that change conversations and answers, each answered with the changed piece of the page."""

from __future__ import annotations

from typing import Final, Literal

from starlette.responses import Response

from convostore.errors import InvalidError
from convostore.models import Feedback

from .pages import can
from .request import Visit
from .responses import piece, with_event
from .urls import key_of

_RATINGS: Final[dict[str, Literal["good", "bad"] | None]] = {
    "good": "good",
    "bad": "bad",
    "": None,
}


async def rename(visit: Visit) -> Response:
    """Rename a conversation; an empty title removes it."""
    await visit.store.update_conversation(visit.ids[0], title=visit.field("title") or None)
    return with_event(await _header(visit), "renamed", key_of(visit.ids[0]))


async def pin(visit: Visit) -> Response:
    """Pin or unpin a conversation."""
    await visit.store.update_conversation(visit.ids[0], pinned=visit.field("pinned") == "true")
    return with_event(await _header(visit), "pinned", key_of(visit.ids[0]))


async def delete_conversation(visit: Visit) -> Response:
    """Delete a conversation."""
    await visit.store.delete_conversation(visit.ids[0])
    response = piece("deleted.html", visit.at)
    response.headers["hx-push-url"] = visit.at.home
    return with_event(response, "deleted", key_of(visit.ids[0]))


async def delete_message(visit: Visit) -> Response:
    """Delete a message; the piece that replaces it is empty."""
    await visit.store.delete_message(*visit.ids)
    response = piece("nothing.html", visit.at)
    if visit.store.traits.deletes == "may_delete_turn":
        response.headers["hx-refresh"] = "true"  # only the store knows what else was deleted
    return response


async def feedback(visit: Visit) -> Response:
    """Set the feedback on an answer."""
    value = _feedback(visit)
    conversation_id, message_id = visit.ids
    await visit.store.set_feedback(conversation_id, message_id, value)
    return piece(
        "feedback.html",
        visit.at,
        feedback=value,
        conversation_id=conversation_id,
        message_id=message_id,
        key=key_of(message_id),
    )


async def _header(visit: Visit) -> Response:
    conversation = await visit.store.get_conversation(visit.ids[0])
    return piece(
        "header_piece.html",
        visit.at,
        conversation=conversation,
        key=key_of(conversation.id),
        can=can(visit.store),
    )


def _feedback(visit: Visit) -> Feedback | None:
    rating = visit.field("rating")
    if rating not in _RATINGS:
        raise InvalidError("rating must be good, bad or empty")
    value = _RATINGS[rating]
    comment = visit.form.get("comment", "").strip()
    return None if value is None else Feedback(rating=value, comment=comment or None)
