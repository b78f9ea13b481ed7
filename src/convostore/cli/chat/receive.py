"""Replies received, or resumed after a loss, for both `ask` and `chat`.

Nothing is drawn or printed here.
"""

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

__all__ = ["Events", "can_resume", "listen", "may_have_arrived", "prepare", "resume"]

T = TypeVar("T")

Events: TypeAlias = AbstractContextManager["Iterable[ReplyEvent]"]
"""A context manager of a reply's events; entering it sends the turn."""


def prepare(make: Callable[[], T]) -> T:
    """Return what `make` returns: a turn that is not sent yet.

    Raises:
        ConfigError: The turn is invalid as it was given on the command line.
    """
    try:
        return make()
    except InvalidError as error:
        raise ConfigError(str(error)) from error


def listen(events: Events, show: Callable[[ReplyEvent], None]) -> Reply | None:
    """Pass each event to `show` as it arrives, and return the reply of the last one."""
    reply = None
    with events as arriving:
        for event in arriving:
            show(event)
            if event.kind == "reply_finished":
                reply = event.reply
    return reply


def can_resume(store: ConversationStore) -> bool:
    """Return whether the store can look for the answer to a turn that was sent before."""
    return store.offers("resume_reply") or store.offers("get_reply")


def resume(store: ConversationStore, conversation_id: str, turn_id: str) -> Events:
    """Return the answer to a turn that was sent before: its stream, or what is stored of it.

    Raises:
        StoreError: The backend offers neither, or has no such turn.
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
    """Return whether the turn may have arrived in spite of the error."""
    return error.partial is not None and isinstance(error, UnavailableError | ProtocolError)
