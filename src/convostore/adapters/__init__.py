"""Adapters: what a backend is to the library, and what its author needs to write one.

An adapter's operations are flows, and it does no I/O; carrying requests to the backend is the work
of its `Transport`. No service and no protocol may be known here.
"""

from __future__ import annotations

from ._accumulator import Draft
from ._base import Adapter, AdapterOptions, Operation, Traits
from ._options import checked_options
from ._transport import AsyncIncoming, AsyncTransport, Incoming, Transport
from ._turns import Answer, Answering, Decoder, Stream, Turn
from .pagination import cut, read_position

__all__ = [
    "Adapter",
    "AdapterOptions",
    "Answer",
    "Answering",
    "AsyncIncoming",
    "AsyncTransport",
    "Decoder",
    "Draft",
    "Incoming",
    "Operation",
    "Stream",
    "Traits",
    "Transport",
    "Turn",
    "checked_options",
    "cut",
    "read_position",
]
