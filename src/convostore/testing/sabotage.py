"""How saboteurs are made and listed: adapters and plans that are wrong in one way each.

No way of being wrong may stand here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ..adapter import Adapter, AsyncTransport, Operation, Transport
from ..config import open as open_store
from ..dsn import DSN
from ..http import HTTPOptions
from ..memory import Call, MemoryAdapter
from ..plan import Plan
from ..store import AsyncConversationStore, ConversationStore
from .backend import Backend
from .sample_service import SampleAdapter, SampleService

NAMES: Final = itertools.count()
"""Gives each backend, and whatever else needs one, a name of its own."""


@dataclass(frozen=True)
class Saboteur:
    """One way of being wrong.

    Attributes:
        backend: Makes a backend that is wrong so, empty.
        caught_by: The clauses that must fail on it, on both faces.
    """

    name: str
    backend: Callable[[], Backend]
    caught_by: tuple[str, ...]


ALL: list[Saboteur] = []


def in_memory(*caught_by: str) -> Callable[[type[MemoryAdapter]], type[MemoryAdapter]]:
    """Registers a spoilt memory adapter."""

    def register(adapter: type[MemoryAdapter]) -> type[MemoryAdapter]:
        def backend() -> Backend:
            target = f"memory://saboteur-{next(NAMES)}"
            return Backend(
                lambda **options: adapter(DSN.parse(target), options),
                beside=lambda: _neighbours(f"{target}-beside"),
            )

        ALL.append(Saboteur(adapter.__name__, backend, caught_by))
        return adapter

    return register


def _neighbours(target: str) -> Callable[[], int]:
    """Puts a conversation into another store in the memory, and counts what is there."""
    with open_store(target) as store:
        store.create_conversation(id="neighbour")

    def count() -> int:
        with open_store(target) as store:
            return len(store.list_conversations().items)

    return count


def over_http(*caught_by: str) -> Callable[[type[SampleAdapter]], type[SampleAdapter]]:
    """Registers a spoilt adapter of the sample service."""

    def register(adapter: type[SampleAdapter]) -> type[SampleAdapter]:
        def backend() -> Backend:
            service = SampleService()
            dsn = DSN.parse("sample+http://sample.test")
            return Backend(
                lambda **options: adapter(dsn, HTTPOptions.model_validate(options)),
                service=service.handle,
                seed=service.seed,
            )

        ALL.append(Saboteur(adapter.__name__, backend, caught_by))
        return adapter

    return register


def behind_plan(*caught_by: str) -> Callable[[type[Plan]], type[Plan]]:
    """Registers a spoilt plan: what is wrong is what the store does around its adapter."""

    def register(plan: type[Plan]) -> type[Plan]:
        ALL.append(Saboteur(plan.__name__, lambda: _SpoiltPlan(plan), caught_by))
        return plan

    return register


class _SpoiltPlan(Backend):
    """Opens right adapters behind a wrong plan; its transports stay open."""

    def __init__(self, plan: type[Plan]) -> None:
        super().__init__(f"memory://saboteur-{next(NAMES)}")
        self._plan = plan

    def adapter(self, **options: object) -> Adapter[Any, Any]:
        adapter = super().adapter(**options)
        adapter.offers -= {Operation.SET_FEEDBACK}
        return adapter

    def open(self, **options: Any) -> ConversationStore:
        store = super().open(**({"transport": _OpenTransport()} | options))
        store._plan = self._plan(store._plan.adapter)
        return store

    def aopen(self, **options: Any) -> AsyncConversationStore:
        store = super().aopen(**({"transport": _OpenAsyncTransport()} | options))
        store._plan = self._plan(store._plan.adapter)
        return store


class _OpenTransport(Transport[Call, object]):
    def send(self, request: Call) -> object:
        return request()


class _OpenAsyncTransport(AsyncTransport[Call, object]):
    async def send(self, request: Call) -> object:
        return request()
