"""Stores: the sync and the async class, the streams of replies, and calls of a store as values.

No backend may be known here: a store is given its adapter and its transport. Streams, calls
and batches load when they are first used, for the events take their time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_attributes
from ._async import AsyncConversationStore
from ._sync import ConversationStore

if TYPE_CHECKING:
    from ._batches import BATCH_LIMIT, WriteCall
    from ._calls import StoreCall, StoreFlow, ask, look
    from ._observation import Observation, Observer
    from ._streams import AsyncReplyStream, ReplyStream

__all__ = [
    "BATCH_LIMIT",
    "AsyncConversationStore",
    "AsyncReplyStream",
    "ConversationStore",
    "Observation",
    "Observer",
    "ReplyStream",
    "StoreCall",
    "StoreFlow",
    "WriteCall",
    "ask",
    "look",
]

if not TYPE_CHECKING:  # type checkers would take any name for one that is there
    __getattr__ = lazy_attributes(
        __name__,
        {
            "AsyncReplyStream": "_streams",
            "BATCH_LIMIT": "_batches",
            "Observation": "_observation",
            "Observer": "_observation",
            "ReplyStream": "_streams",
            "StoreCall": "_calls",
            "StoreFlow": "_calls",
            "WriteCall": "_batches",
            "ask": "_calls",
            "look": "_calls",
        },
    )
