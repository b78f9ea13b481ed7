"""The contract kit: what a backend's author tests it with; the public names.

Needs pytest: ``pip install 'convostore[testing]'``. Beside it stand `strategies` (needs
Hypothesis), `loopback` (needs neither) and `saboteurs`.
"""

from .backend import Backend, Face, Kit, Service
from .checks import NotOffered, raises
from .contract import (
    Clause,
    StoreContract,
    Waiver,
    clauses,
    never,
    notimpl,
    notyet,
    run_clause,
)

__all__ = [
    "Backend",
    "Clause",
    "Face",
    "Kit",
    "NotOffered",
    "Service",
    "StoreContract",
    "Waiver",
    "clauses",
    "never",
    "notimpl",
    "notyet",
    "raises",
    "run_clause",
]
