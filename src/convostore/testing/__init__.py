"""The contract kit: what the author of a backend tests it with.

The public names are loaded on use. `StoreContract`, `FaultContract` and `both_faces` need pytest:
``pip install 'convostore[testing]'``; `strategies` and `value_strategies` need Hypothesis.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._assertions import NotOffered, collect, raises
    from ._backend import Backend, Kit, Prompts
    from ._contract import (
        Clause,
        StoreContract,
        Waiver,
        list_clauses,
        never,
        notimpl,
        notyet,
        run_clause,
    )
    from ._faces import FACES, Face, StoreFace, both_faces
    from .wire_faults._contract import FAULT_ERRORS, FaultContract

__all__ = [
    "FACES",
    "FAULT_ERRORS",
    "Backend",
    "Clause",
    "Face",
    "FaultContract",
    "Kit",
    "NotOffered",
    "Prompts",
    "StoreContract",
    "StoreFace",
    "Waiver",
    "both_faces",
    "collect",
    "list_clauses",
    "never",
    "notimpl",
    "notyet",
    "raises",
    "run_clause",
]

_HOMES = {
    "_backend": ("Backend", "Kit", "Prompts"),
    "_faces": ("FACES", "Face", "StoreFace", "both_faces"),
    "_assertions": ("NotOffered", "collect", "raises"),
    "wire_faults._contract": ("FAULT_ERRORS", "FaultContract"),
}


if not TYPE_CHECKING:  # type checkers would take any name for one that is there

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import_module("._rewriting", __name__)  # before the modules that it names
        home = next((home for home, names in _HOMES.items() if name in names), "_contract")
        return getattr(import_module(f".{home}", __name__), name)
