"""The plugin of `fastgpt://`: its hooks, and nothing else."""

from collections.abc import Mapping

from convostore.plugins import hookimpl

from .adapter import FastGPT

__all__ = ["FastGPT"]


@hookimpl
def convostore_adapters() -> Mapping[str, type[FastGPT]]:
    return {"fastgpt": FastGPT}
