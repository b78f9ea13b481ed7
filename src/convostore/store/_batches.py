"""Batches: several writes as values, made into one flow of their adapter.

Each entry is the store's own method with its arguments, so that whatever checks, refuses or labels
a single write does so in a batch. Nothing is carried out here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping, MutableSequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, cast

from ..adapters import READING, Adapter, Operation, Transport
from ..errors import InvalidError, UnsupportedError
from ..flow import Flow
from ._arguments import check_flags
from ._observation import NamedFlow
from ._values import shown

if TYPE_CHECKING:
    from ._operations import AnyFlow, Operations

T = TypeVar("T")

BATCH_LIMIT: Final = 1000
"""The maximum number of writes in one batch."""
_REPLYING: Final = frozenset(
    {Operation.REPLY, Operation.STREAM_REPLY, Operation.ANSWER, Operation.STREAM_ANSWER}
)
_BATCHED: Final = frozenset(Operation) - READING - _REPLYING


@dataclass(frozen=True, slots=True, init=False)
class WriteCall:
    """One write of a batch: ``WriteCall("append_messages", "c", [message], after=None)``.

    The arguments are those of the store's method of that name; those that can change, such as lists
    and dicts, are copied. An argument that the method does not have raises a TypeError when the
    batch is written, before its first write.

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
        given: object = operation
        if not isinstance(given, str) or given not in _BATCHED:
            names = ", ".join(sorted(_BATCHED))
            raise InvalidError(f"a batch must hold writes ({names}), got {shown(given)}")
        if type(operation) is not Operation:
            operation = Operation(operation)
        object.__setattr__(self, "operation", operation)
        object.__setattr__(self, "arguments", tuple(map(_fixed, arguments)))
        fixed = {name: _fixed(option) for name, option in options.items()}
        object.__setattr__(self, "options", MappingProxyType(fixed))


def _fixed(argument: object) -> object:
    if isinstance(argument, MutableSequence):
        return tuple(argument)
    return dict(argument) if isinstance(argument, MutableMapping) else argument


class Batches:
    """The batches of a store, made into flows."""

    def __init__(self, operations: Operations) -> None:
        from ._sync import ConversationStore

        self._operations = operations
        self._recorder = ConversationStore(operations.adapter, _Recorder())

    def flow(self, calls: Iterable[WriteCall], *, atomic: bool) -> NamedFlow[tuple[object, ...]]:
        """Make the flow of a batch.

        Raises:
            InvalidError: There are too many calls, or something else than a call is among them.
        """
        batch = _checked_calls(calls)
        check_flags(atomic=atomic)
        writes = [self._write(call) for call in batch]
        operations = {call.operation for call in batch}
        adapter = self._operations.adapter

        def flow() -> AnyFlow[tuple[object, ...]]:
            self._refuse(operations)
            flows = [write() for write in writes]
            if adapter.traits.batches == "atomic":
                return (yield from adapter.batch(flows))
            if atomic:
                raise _not_atomic(adapter)
            return (yield from Adapter.batch(adapter, flows))

        return NamedFlow("write_batch", flow, all(write.repeatable for write in writes))

    def _write(self, call: WriteCall) -> NamedFlow[object]:
        """Return the flow that the store's method would run."""
        method = getattr(self._recorder, call.operation)
        return cast("NamedFlow[object]", method(*call.arguments, **call.options))

    def _refuse(self, operations: AbstractSet[Operation]) -> None:
        """Refuse a batch as a whole, before its first write is sent."""
        if self._operations.closed or not operations <= self._operations.adapter.offers:
            for operation in sorted(operations):
                with self._operations.error_context(operation):
                    pass
            self._operations.require_open()  # a batch without calls


def _checked_calls(calls: Iterable[WriteCall]) -> tuple[WriteCall, ...]:
    given: object = calls
    if not isinstance(given, Iterable):
        raise InvalidError(f"a batch must be a list of WriteCalls, got {shown(given)}")
    batch = tuple(calls)
    if len(batch) > BATCH_LIMIT:
        raise InvalidError(f"a batch must hold at most {BATCH_LIMIT:,} calls, got {len(batch):,}")
    for call in batch:
        if not isinstance(call, WriteCall):
            raise InvalidError(f"a batch must hold WriteCalls, got {type(call).__name__}")
    return batch


class _Recorder(Transport):
    """A transport that returns the flows that it is given."""

    def run(self, make: Callable[[], Flow[Any, Any, T]]) -> Any:
        return make

    def send(self, request: object) -> NoReturn:
        raise NotImplementedError(request)  # no write sends a request but by its flow


def _not_atomic(adapter: Adapter) -> UnsupportedError:
    return UnsupportedError(
        f"{adapter.name} cannot write a batch as a whole: pass atomic=False to write its calls one "
        "after the other",
        adapter=adapter.name,
        operation="write_batch",
        argument="atomic",
    )
