"""The plugin of `perplexica://`: its hooks, and nothing else."""

from collections.abc import Mapping

from convostore.plugins import hookimpl

from .adapter import Perplexica

__all__ = ["Perplexica"]


@hookimpl
def convostore_adapters() -> Mapping[str, type[Perplexica]]:
    return {"perplexica": Perplexica}
