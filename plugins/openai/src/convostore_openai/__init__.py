"""Stores that a model answers: a turn's question and answer are kept in the store.

Here stand the names that others use; no surface of the gateway is known here.
"""

from __future__ import annotations

from .adapter import UpstreamAdapter, aopen_answered, open_answered
from .options import UpstreamOptions, UpstreamReplyOptions

__all__ = [
    "UpstreamAdapter",
    "UpstreamOptions",
    "UpstreamReplyOptions",
    "aopen_answered",
    "open_answered",
]
