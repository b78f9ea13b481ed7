"""Batches: several writes as values, made into one flow of their adapter.

Each entry is the store's own method with its arguments, so that whatever checks, refuses or labels
a single write does so in a batch. Nothing is carried out here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from ..adapters import READING, Adapter, Operation, Transport
from ..errors import InvalidError, UnsupportedError
from ..flow import Flow

if TYPE_CHECKING:
    from ._operations import AnyFlow, FlowFactory, Operations

T = TypeVar("T")

BATCH_LIMIT: Final = 1000
"""The most writes of one batch."""
_REPLYING: Final = frozenset(
    {Operation.REPLY, Operation.STREAM_REPLY, Operation.ANSWER, Operation.STREAM_ANSWER}
)
_BATCHED: Final = frozenset(Operation) - READING - _REPLYING


@dataclass(frozen=True, slots=True, init=False)
class WriteCall:
    """One write of a batch: ``WriteCall("append_messages", "c", [message], after=None)``.

    The arguments are those of the store's method of that name; a list among them is copied. What
    the method does not take is a TypeError when the batch is written, before its first write.

    Attributes:
        arguments: The positional ones.
        options: Those by name.

    Raises:
        InvalidError: The operation is unknown or does not write.
    """

    operation: Operation
    arguments: tuple[object, ...]
    options: Mapping[str, object]

    def __init__(
        self, operation: Operation | str, /, *arguments: object, **options: object
    ) -> None:
        if operation not in _BATCHED:
            names = ", ".join(sorted(_BATCHED))
            raise InvalidError(f"a batch must hold writes ({names}), got {operation!r}")
        object.__setattr__(self, "operation", Operation(operation))
        object.__setattr__(self, "arguments", tuple(_fixed(arguments)))
        object.__setattr__(
            self, "options", dict(zip(options, _fixed(options.values()), strict=True))
        )


def _fixed(arguments: Iterable[object]) -> list[object]:
    return [tuple(item) if isinstance(item, list) else item for item in arguments]


def batch_flow(
    operations: Operations, calls: Iterable[WriteCall], *, atomic: bool
) -> FlowFactory[tuple[object, ...]]:
    """Make the flow of a batch.

    Raises:
        InvalidError: There are too many calls, or something else than a call is among them.
    """
    batch = _checked_calls(calls)
    adapter = operations.adapter
    writes = _flow_factories(adapter, batch)

    def flow() -> AnyFlow[tuple[object, ...]]:
        # Refused as a whole, before the first write is sent.
        for operation in dict.fromkeys([call.operation for call in batch]):
            with operations.error_context(operation):
                pass
        flows = [write() for write in writes]
        if adapter.traits.batches == "atomic":
            return (yield from adapter.batch(flows))
        if atomic:
            raise _not_atomic(adapter)
        return (yield from Adapter.batch(adapter, flows))

    return flow


def _checked_calls(calls: Iterable[WriteCall]) -> tuple[WriteCall, ...]:
    batch = tuple(calls)
    if len(batch) > BATCH_LIMIT:
        raise InvalidError(f"a batch must hold at most {BATCH_LIMIT:,} calls, got {len(batch):,}")
    for call in batch:
        if not isinstance(call, WriteCall):
            raise InvalidError(f"a batch must hold WriteCalls, got {type(call).__name__}")
    return batch


def _flow_factories(adapter: Adapter, calls: Sequence[WriteCall]) -> list[FlowFactory[object]]:
    """Return the flows that the store's methods would run."""
    from ._sync import ConversationStore

    recorder = ConversationStore(adapter, _Recorder())
    return [getattr(recorder, call.operation)(*call.arguments, **call.options) for call in calls]


class _Recorder(Transport):
    """Returns the flows that it is to carry out."""

    def run(self, make: Callable[[], Flow[Any, Any, T]]) -> Any:
        return make

    def send(self, request: object) -> NoReturn:
        raise NotImplementedError(request)  # no write sends a request but by its flow


def _not_atomic(adapter: Adapter) -> UnsupportedError:
    return UnsupportedError(
        f"{adapter.name} stores no batch as a whole: pass atomic=False to write its calls one "
        "after the other",
        adapter=adapter.name,
        operation="write_batch",
    )
