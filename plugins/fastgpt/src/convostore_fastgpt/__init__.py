"""The plugin of `fastgpt://`: its hooks and public names, and nothing else."""

from collections.abc import Mapping

from convostore.plugins import hookimpl

from .adapter import FastGPT
from .chat_client import AsyncChatClient, ChatClient

__all__ = ["AsyncChatClient", "ChatClient", "FastGPT"]


@hookimpl
def convostore_adapters() -> Mapping[str, type[FastGPT]]:
    return {"fastgpt": FastGPT}
