"""Adapters: the interface of a backend, and what an author needs to write one.

An adapter's operations are flows, and it does no I/O; its `Transport` sends the requests. No
service and no protocol may be known here.

Names that only replying adapters and wrappers need load when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_attributes
from ._base import Adapter, AdapterOptions
from ._operation_table import OPERATIONS, READING, TURN_ARGUMENTS, Operation, OperationInfo
from ._options import validate_options
from ._traits import Traits
from ._transport import AsyncIncomingReply, AsyncTransport, IncomingReply, Transport

if TYPE_CHECKING:
    from ._accumulator import ReplyAccumulator
    from ._pagination import paginate, read_position
    from ._turns import Answer, AnswerContent, Decoder, Stream, Turn
    from ._wrapped import WrappedAdapter, read_only

__all__ = [
    "OPERATIONS",
    "READING",
    "TURN_ARGUMENTS",
    "Adapter",
    "AdapterOptions",
    "Answer",
    "AnswerContent",
    "AsyncIncomingReply",
    "AsyncTransport",
    "Decoder",
    "IncomingReply",
    "Operation",
    "OperationInfo",
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

if not TYPE_CHECKING:  # type checkers would take any name for one that is there
    __getattr__ = lazy_attributes(
        __name__,
        {
            "Answer": "_turns",
            "AnswerContent": "_turns",
            "Decoder": "_turns",
            "ReplyAccumulator": "_accumulator",
            "Stream": "_turns",
            "Turn": "_turns",
            "WrappedAdapter": "_wrapped",
            "paginate": "_pagination",
            "read_only": "_wrapped",
            "read_position": "_pagination",
        },
    )
