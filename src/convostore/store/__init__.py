"""Stores: the sync and the async class, the streams of replies, and calls of a store as values.

No backend may be known here: a store is given its adapter and its transport. Streams and batches
load when they are first used, for the events take their time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from ._async import AsyncConversationStore
from ._calls import StoreCall, StoreFlow, ask, look
from ._sync import ConversationStore

if TYPE_CHECKING:
    from ._batches import BATCH_LIMIT, WriteCall
    from ._streams import AsyncReplyStream, ReplyStream

__all__ = [
    "BATCH_LIMIT",
    "AsyncConversationStore",
    "AsyncReplyStream",
    "ConversationStore",
    "ReplyStream",
    "StoreCall",
    "StoreFlow",
    "WriteCall",
    "ask",
    "look",
]

_LAZY: Final = {
    "AsyncReplyStream": "_streams",
    "BATCH_LIMIT": "_batches",
    "ReplyStream": "_streams",
    "WriteCall": "_batches",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
