"""The gateway's plugin: its hooks, and the names for those who embed it, loaded on use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from convostore.plugins import hookimpl, on_use

if TYPE_CHECKING:
    from convostore.adapter import Adapter

    from .access import Token
    from .application import app
    from .limits import Limits
    from .server.serving import running
    from .upstream import aopen_answered, open_answered

__all__ = ["Limits", "Token", "aopen_answered", "app", "open_answered", "running"]

__getattr__ = on_use(
    __name__,
    {
        "Limits": "limits",
        "Token": "access",
        "aopen_answered": "upstream",
        "app": "application",
        "open_answered": "upstream",
        "running": "server.serving",
    },
)


@hookimpl
def convostore_adapters() -> Mapping[str, type[Adapter[Any, Any]]]:
    from .client.adapter import GatewayAdapter

    return {"gateway": GatewayAdapter}


@hookimpl
def convostore_commands() -> Mapping[str, Any]:
    from .server.command import serve

    return {"serve": serve}
