"""Mutants of namespaces."""

from __future__ import annotations

from typing import Any, Self

from convostore.adapters import Adapter, Operation
from convostore.adapters.memory import MemoryAdapter
from convostore.store._operations import Operations

from .registry import in_memory, with_operations, with_stores


@in_memory("test_namespaces_do_not_mix")
class TakesNamesInAnyCase(MemoryAdapter):
    def enter_namespace(self, name: str) -> None:
        super().enter_namespace(name.casefold())


@in_memory("test_namespaces_are_written_to_side_by_side")
class ShortensNames(MemoryAdapter):
    def enter_namespace(self, name: str) -> None:
        super().enter_namespace(name[:-1])


@in_memory("test_a_namespace_is_made_without_a_request")
class OffersLessInANamespace(MemoryAdapter):
    def in_namespace(self, name: str) -> Self:
        space = super().in_namespace(name)
        space.offers = space.offers - {Operation.SEARCH}
        return space


@in_memory("test_a_namespace_is_the_same_store_by_its_name")
class NamesNoNamespaceInItsLabel(MemoryAdapter):
    @property
    def namespace_query(self) -> str:
        return ""


@in_memory("test_a_namespace_is_the_same_store_by_its_name")
class TakesAllNamespacesForOne(MemoryAdapter):
    @property
    def store_key(self) -> object:
        return self._memory


@in_memory("test_a_namespace_has_no_further_ones")
class HasNamespacesWithin(MemoryAdapter):
    @property
    def has_namespaces(self) -> bool:
        return True


@with_operations("test_the_name_of_a_namespace_is_a_non_empty_text")
class TakesAnyName(Operations):
    def in_namespace(self, name: str) -> Adapter:
        return self.adapter.in_namespace(name)


@with_stores("test_closing_a_namespace_closes_nothing")
def closes_with_its_namespaces(store: Any) -> None:
    make = store.with_namespace

    def with_namespace(name: str) -> Any:
        space = make(name)
        for close in ("close", "aclose"):
            if hasattr(space, close):
                vars(space)[close] = getattr(store, close)
        return space

    vars(store)["with_namespace"] = with_namespace


@with_stores(
    "test_a_namespace_of_a_read_only_view_is_read_only",
    "test_a_wrapper_wraps_its_namespaces",
)
def unwraps_its_namespaces(store: Any) -> None:
    make = store.view

    def view(wrap: Any) -> Any:
        seen = make(wrap)
        vars(seen)["with_namespace"] = store.with_namespace
        return seen

    vars(store)["view"] = view
