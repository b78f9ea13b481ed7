"""Plugin for `fastgpt://`: its hooks and its public names, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from convostore.plugins import hookimpl, lazy_attributes

if TYPE_CHECKING:
    from .adapter import FastGPT
    from .chat_client import AsyncChatClient, ChatClient
    from .server.dialect import FastGPTDialect

__all__ = ["AsyncChatClient", "ChatClient", "FastGPT"]

if not TYPE_CHECKING:  # type checkers would take any name for one that is there
    __getattr__ = lazy_attributes(
        __name__,
        {"AsyncChatClient": "chat_client", "ChatClient": "chat_client", "FastGPT": "adapter"},
    )


@hookimpl
def convostore_adapters() -> Mapping[str, type[FastGPT]]:
    from .adapter import FastGPT

    return {"fastgpt": FastGPT}


@hookimpl
def convostore_dialects() -> Mapping[str, type[FastGPTDialect]]:
    from .server.dialect import FastGPTDialect

    return {"fastgpt": FastGPTDialect}
