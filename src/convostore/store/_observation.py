"""Observations: what an `observe` callback receives after each operation of a store.

It is called once for each call, however often a transport repeats its requests or runs its flow
again; a `trace` callback of HTTP adapters receives those. Nothing is carried out here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import Any, Generic, NamedTuple, Self, TypeAlias, TypeVar

from ..flow import Flow
from ..models import Page, Transcript

T = TypeVar("T")


class Observation(NamedTuple):
    """The record of one operation; it holds neither ids nor texts nor secrets.

    A field may be added at the end.

    Attributes:
        operation: The name of the store's method; for an iterator, the method that reads each page.
        adapter: The adapter's name.
        seconds: The duration. That of a streamed reply includes its reader's.
        error: The class of what was raised; None if nothing was, or a stream was left early.
        items: The number of conversations, messages, hits or results; 0 for a call that returns
            nothing or failed.
    """

    operation: str
    adapter: str
    seconds: float
    error: type[BaseException] | None
    items: int


Observer: TypeAlias = Callable[[Observation], None]
"""A callback for each operation; what it raises is logged and otherwise ignored."""


@dataclass(slots=True)
class NamedFlow(Generic[T]):
    """A factory of flows that knows what they do.

    Attributes:
        operation: The name of the store's method.
        make: Makes a flow.
        repeatable: Whether a flow that may have taken effect can be run again.
    """

    operation: str
    make: Callable[[], Flow[Any, Any, T]]
    repeatable: bool = True

    def __call__(self) -> Flow[Any, Any, T]:
        return self.make()


class Watch:
    """One operation under way: a context manager that reports it at its end."""

    def __init__(self, observe: Observer | None, operation: str, adapter: str) -> None:
        self._observe = observe
        self._operation = operation
        self._adapter = adapter
        self._items = 0

    def returned(self, result: T) -> T:
        """Count a result, and return it."""
        self._items = count_items(result)
        return result

    def __enter__(self) -> Self:
        self._begun = perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._observe is None:
            return
        seconds = perf_counter() - self._begun
        error_class = None if kind is GeneratorExit else kind
        try:
            self._observe(
                Observation(self._operation, self._adapter, seconds, error_class, self._items)
            )
        except Exception:
            import logging  # takes longer than all the rest of this module

            log = logging.getLogger("convostore")
            log.exception("the observe callback failed; the operation did not")


def count_items(result: object) -> int:
    """Return the number of values that an operation returned."""
    match result:
        case None | False:
            return 0
        case Page(items=items) | Transcript(messages=items):
            return len(items)
        case int() if result is not True:
            return result
        case tuple():
            return len(result)
    return 1
