"""The plugin of `perplexica://`: its hooks, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from convostore.plugins import hookimpl

from .adapter import Perplexica

if TYPE_CHECKING:
    from .dialect import PerplexicaDialect

__all__ = ["Perplexica"]


@hookimpl
def convostore_adapters() -> Mapping[str, type[Perplexica]]:
    return {"perplexica": Perplexica}


@hookimpl
def convostore_dialects() -> Mapping[str, type[PerplexicaDialect]]:
    from .dialect import PerplexicaDialect  # a store that is opened needs none

    return {"perplexica": PerplexicaDialect}
