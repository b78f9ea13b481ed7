"""Adapters: what a backend is to the library, and what its author needs to write one.

An adapter's operations are flows, and it does no I/O; carrying requests to the backend is the work
of its `Transport`. No service and no protocol may be known here.
"""

from __future__ import annotations

from ._accumulator import ReplyAccumulator
from ._base import Adapter, AdapterOptions, Operation, Traits
from ._options import validate_options
from ._pagination import paginate, read_position
from ._transport import AsyncIncomingReply, AsyncTransport, IncomingReply, Transport
from ._turns import Answer, AnswerContent, Decoder, Stream, Turn
from ._wrapped import READ_OPERATIONS, WrappedAdapter, read_only

__all__ = [
    "READ_OPERATIONS",
    "Adapter",
    "AdapterOptions",
    "Answer",
    "AnswerContent",
    "AsyncIncomingReply",
    "AsyncTransport",
    "Decoder",
    "IncomingReply",
    "Operation",
    "ReplyAccumulator",
    "Stream",
    "Traits",
    "Transport",
    "Turn",
    "WrappedAdapter",
    "paginate",
    "read_only",
    "read_position",
    "validate_options",
]
