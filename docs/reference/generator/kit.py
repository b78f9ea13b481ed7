"""The contract kit: its clauses and its faults."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Final

from convostore.testing import FAULT_ERRORS, FaultContract, list_clauses

from .markdown import one_line, table

_FAMILIES: Final = {
    "Reading": "convostore.testing.clauses.reading",
    "Lists from an id": "convostore.testing.clauses.paging_from",
    "Writing": "convostore.testing.clauses.writing",
    "Wrong values": "convostore.testing.clauses.validation",
    "Editing": "convostore.testing.clauses.editing",
    "Owners and metadata": "convostore.testing.clauses.owners_metadata",
    "Revisions and times": "convostore.testing.clauses.revisions_times",
    "Namespaces": "convostore.testing.clauses.namespaces",
    "Keeping copies": "convostore.testing.clauses.put_fork_age",
    "Searching": "convostore.testing.clauses.search",
    "Replies": "convostore.testing.clauses.replies",
    "Streams of replies": "convostore.testing.clauses.streaming",
    "Answers to interactions": "convostore.testing.clauses.interactions",
    "Failure, of backends over HTTP": "convostore.testing.clauses.failures",
}


def kit_clauses() -> str:
    by_module: dict[str, list[Callable[..., object]]] = {}
    for clause in list_clauses().values():
        by_module.setdefault(clause.__module__, []).append(clause)
    made = []
    for family, module in _FAMILIES.items():
        found = sorted(by_module.pop(module), key=lambda each: inspect.getsourcelines(each)[1])
        rules = "".join(map(_rule, found))
        made.append(f"### {family}\n\n{rules}")
    assert not by_module, f"clauses of no family: {sorted(by_module)}"
    return "\n".join(made)


def fault_clauses() -> str:
    found = [each for name, each in vars(FaultContract).items() if name.startswith("test_")]
    in_order = sorted(found, key=lambda each: inspect.getsourcelines(each)[1])
    return "".join(map(_rule, in_order))


def _rule(clause: Callable[..., object]) -> str:
    return f"* `{clause.__name__}`: {one_line(clause)}\n"


def faults() -> str:
    rows = [
        [
            ", ".join(f"`{fault.name}`" for fault in group),
            f"`{error.__name__}`",
            "yes" if retryable else "no",
        ]
        for group, (error, retryable) in FAULT_ERRORS.items()
    ]
    return table(["faults", "end in", "retryable"], rows)


def is_clause(function: Callable[..., object]) -> bool:
    """Return whether a method is a clause, which the page of the kit lists."""
    return function.__name__.startswith("test_")
