"""The two classes of a store, which applications call, and the streams of their replies.

No backend may be known here: a store is given its adapter and its transport. The streams load when
they are first used, for the events take their time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._async import AsyncConversationStore
from ._sync import ConversationStore

if TYPE_CHECKING:
    from ._streams import AsyncReplyStream, ReplyStream

__all__ = ["AsyncConversationStore", "AsyncReplyStream", "ConversationStore", "ReplyStream"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import _streams

    return getattr(_streams, name)
