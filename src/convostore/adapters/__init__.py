"""Adapters: the interface of a backend, and what an author needs to write one.

An adapter's operations are flows, and it does no I/O; its `Transport` sends the requests. No
service and no protocol may be known here.
"""

from __future__ import annotations

from ._accumulator import ReplyAccumulator
from ._base import Adapter, AdapterOptions, Operation, Traits
from ._options import validate_options
from ._pagination import paginate, read_position
from ._transport import AsyncIncomingReply, AsyncTransport, IncomingReply, Transport
from ._turns import Answer, AnswerContent, Decoder, Stream, Turn

__all__ = [
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
    "paginate",
    "read_position",
    "validate_options",
]
