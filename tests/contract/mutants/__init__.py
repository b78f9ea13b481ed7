"""Mutants of stores: adapters that are wrong in one way each, to show that each clause can fail.

Each mutant names the clauses that must catch it; together they name all. An author who adds a
clause adds its mutant.
"""

from . import (
    editing,
    namespaces,
    owners_metadata,
    paging_from,
    put_fork_age,
    reading_writing,
    replies,
    revisions_times,
    search,
    streaming,
    validation,
)
from .registry import ALL, Mutant

__all__ = [
    "ALL",
    "Mutant",
    "editing",
    "namespaces",
    "owners_metadata",
    "paging_from",
    "put_fork_age",
    "reading_writing",
    "replies",
    "revisions_times",
    "search",
    "streaming",
    "validation",
]
