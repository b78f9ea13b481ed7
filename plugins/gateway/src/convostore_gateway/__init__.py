"""Hooks of the gateway's plugin, and the names for applications that embed it, loaded on use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from convostore.plugins import hookimpl, lazy_attributes

if TYPE_CHECKING:
    from convostore.adapters import Adapter

    from .app import create_app
    from .auth import Token
    from .limits import Limits
    from .server.run import running

__all__ = ["Limits", "Token", "create_app", "running"]

if not TYPE_CHECKING:  # type checkers would take any name for one that is there
    __getattr__ = lazy_attributes(
        __name__,
        {"Limits": "limits", "Token": "auth", "create_app": "app", "running": "server.run"},
    )


@hookimpl
def convostore_adapters() -> Mapping[str, type[Adapter]]:
    from .client.adapter import GatewayAdapter

    return {"gateway": GatewayAdapter}


@hookimpl
def convostore_commands() -> Mapping[str, Callable[..., None]]:
    from .server.cli import serve

    return {"serve": serve}
