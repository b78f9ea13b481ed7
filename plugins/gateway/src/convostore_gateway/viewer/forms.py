"""Changes: what people do to conversations and answers, each answered by the piece that changed."""

from __future__ import annotations

from typing import Final, Literal

from starlette.responses import Response

from convostore.errors import InvalidError
from convostore.models import Feedback

from .pages import can
from .request import Visit
from .responses import piece, telling
from .urls import key_of

_RATINGS: Final[dict[str, Literal["good", "bad"] | None]] = {
    "good": "good",
    "bad": "bad",
    "": None,
}


async def rename(visit: Visit) -> Response:
    """Gives a conversation the title of the form; an empty one takes its title away."""
    await visit.store.update_conversation(visit.ids[0], title=visit.field("title") or None)
    return telling(await _header(visit), "renamed", key_of(visit.ids[0]))


async def pin(visit: Visit) -> Response:
    """Pins a conversation, or no longer does."""
    await visit.store.update_conversation(visit.ids[0], pinned=visit.field("pinned") == "true")
    return telling(await _header(visit), "pinned", key_of(visit.ids[0]))


async def delete_conversation(visit: Visit) -> Response:
    """Deletes a conversation."""
    await visit.store.delete_conversation(visit.ids[0])
    response = piece("deleted.html", visit.at)
    response.headers["hx-push-url"] = visit.at.home
    return telling(response, "deleted", key_of(visit.ids[0]))


async def delete_message(visit: Visit) -> Response:
    """Deletes a message, which leaves nothing to be shown."""
    await visit.store.delete_message(*visit.ids)
    response = piece("nothing.html", visit.at)
    if visit.store.traits.deletes == "may_delete_turn":
        response.headers["hx-refresh"] = "true"  # what else went with it, only the store knows
    return response


async def feedback(visit: Visit) -> Response:
    """Sets what the reader thinks of an answer."""
    given = _feedback(visit)
    conversation_id, message_id = visit.ids
    await visit.store.set_feedback(conversation_id, message_id, given)
    return piece(
        "feedback.html",
        visit.at,
        feedback=given,
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
        raise InvalidError("there is no such rating")
    known = _RATINGS[rating]
    comment = visit.form.get("comment", "").strip()
    return None if known is None else Feedback(rating=known, comment=comment or None)
