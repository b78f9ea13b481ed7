"""Plugin for `perplexica://`: its hooks and its public name, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from convostore.plugins import hookimpl, lazy_attributes

if TYPE_CHECKING:
    from .adapter import Perplexica
    from .server.dialect import PerplexicaDialect

__all__ = ["Perplexica"]

if not TYPE_CHECKING:  # type checkers would take any name for one that is there
    __getattr__ = lazy_attributes(__name__, {"Perplexica": "adapter"})


@hookimpl
def convostore_adapters() -> Mapping[str, type[Perplexica]]:
    from .adapter import Perplexica

    return {"perplexica": Perplexica}


@hookimpl
def convostore_dialects() -> Mapping[str, type[PerplexicaDialect]]:
    from .server.dialect import PerplexicaDialect

    return {"perplexica": PerplexicaDialect}
