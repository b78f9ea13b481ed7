"""Replies as both `ask` and `chat` listen to them: to the end, and how one is looked for again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from ...errors import (
    ConfigError,
    InvalidError,
    ProtocolError,
    StoreError,
    UnavailableError,
    UnsupportedError,
)
from ..render.text import backend_of

if TYPE_CHECKING:
    from ...models import Reply, ReplyEvent
    from ...store import ConversationStore

__all__ = ["Events", "checked", "listen", "looks_again", "may_have_arrived", "resumed"]

T = TypeVar("T")

Events: TypeAlias = AbstractContextManager["Iterable[ReplyEvent]"]
"""A reply's events; entering it sends the turn."""


def checked(make: Callable[[], T]) -> T:
    """Makes what will be sent.

    Raises:
        ConfigError: What was given on the command line is wrong; nothing was sent.
    """
    try:
        return make()
    except InvalidError as error:
        raise ConfigError(str(error)) from error


def listen(events: Events, take: Callable[[ReplyEvent], None]) -> Reply | None:
    """Gives each event on as it comes, and returns the reply that the last one brings."""
    reply = None
    with events as arriving:
        for event in arriving:
            take(event)
            if event.kind == "reply_finished":
                reply = event.reply
    return reply


def looks_again(store: ConversationStore) -> bool:
    """Whether the answer to a turn that was sent before can be looked for."""
    return store.offers("resume_reply") or store.offers("get_reply")


def resumed(store: ConversationStore, conversation_id: str, turn_id: str) -> Events:
    """The answer to a turn that was sent before: as it is being made, or as far as it is stored.

    Raises:
        StoreError: The backend can do neither, or the turn is not there.
    """
    if store.offers("resume_reply"):
        return store.resume_reply(conversation_id, turn_id)
    if not store.offers("get_reply"):
        raise UnsupportedError(
            "not offered", adapter=backend_of(store.label), operation="get_reply"
        )
    from ...models import ReplyFinished

    return nullcontext([ReplyFinished(reply=store.get_reply(conversation_id, turn_id))])


def may_have_arrived(error: StoreError) -> bool:
    """Whether a turn was sent of which nobody knows how it went."""
    return error.partial is not None and isinstance(error, UnavailableError | ProtocolError)
