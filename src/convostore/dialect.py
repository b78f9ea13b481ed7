"""Dialect: the server half of a service's API, sans-IO, as an adapter is its client half.

Only the type lives here. A backend's plugin brings its dialect beside its adapter, so that both
read and write the same `wire.py`; a gateway serves any store in it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias, TypeVar

from .adapter import Adapter
from .exchange import Request, Response
from .flow import Flow

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoreCall:
    """What a dialect asks of the store that it serves: one operation, with its arguments.

    Attributes:
        make: Takes the adapter behind the store to the flow to carry out.
    """

    make: Callable[[Adapter[object, object]], Flow[object, object, object]]


DialectFlow: TypeAlias = Flow[StoreCall, object, Response]
"""Yields operations on the store, is sent their results, returns the answer."""


class Dialect(ABC):
    """Answers a service's requests out of any store.

    Attributes:
        name: The scheme of the adapter that speaks it.
    """

    name: ClassVar[str]

    @abstractmethod
    def handle(self, request: Request) -> DialectFlow:
        """Answers one request; an error of the store is thrown in and becomes the service's own."""
