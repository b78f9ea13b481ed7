"""The plugin of `fastgpt://`: its hooks and public names, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from convostore.plugins import hookimpl

from .adapter import FastGPT
from .chat_client import AsyncChatClient, ChatClient

if TYPE_CHECKING:
    from .dialect import FastGPTDialect

__all__ = ["AsyncChatClient", "ChatClient", "FastGPT"]


@hookimpl
def convostore_adapters() -> Mapping[str, type[FastGPT]]:
    return {"fastgpt": FastGPT}


@hookimpl
def convostore_dialects() -> Mapping[str, type[FastGPTDialect]]:
    from .dialect import FastGPTDialect  # loads what only a server needs

    return {FastGPTDialect.name: FastGPTDialect}
