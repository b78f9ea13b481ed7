"""Commands of plugins, built so that they run beside the built-in ones.

They are loaded when all commands are listed, or when a word is not a built-in command: the start of
those does not depend on what is installed. Nothing here knows what the commands do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import typer
from typer.core import TyperCommand

from ..errors import ConfigError
from ._targets import TargetCommand
from .render.text import one_line

_EXTRAS: Final = {"serve": "gateway"}
"""The commands of this project's plugins, and the schemes and extras that bring them."""

SETTINGS: Final[dict[str, Any]] = {  # Any: Typer's arguments have many types
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,  # so that help need not wait for rich
    "context_settings": {"help_option_names": ["-h", "--help"]},
}
"""The settings of every Typer application of ours."""


@dataclass(frozen=True, slots=True)
class PluginCommands:
    """The commands of all plugins that load.

    Attributes:
        commands: By name, as Typer runs them.
        problems: One line for each plugin or command that did not load.
    """

    commands: dict[str, Any]  # Any: click's command, or that of Typer's copy of click
    problems: list[str]


def load_plugin_commands() -> PluginCommands:
    """Load every plugin and build its commands."""
    from ..plugins import commands

    functions, errors = commands()
    problems = [one_line(str(error)) for error in errors]
    built: dict[str, Any] = {}
    for name, function in sorted(functions.items()):
        try:
            built[name] = _build(name, function)
        except Exception as error:  # whatever Typer raises
            reason = f"{type(error).__name__}: {error}"
            problems.append(one_line(f"cannot build the command {name!r} of a plugin: {reason}"))
    return PluginCommands(built, problems)


def missing_plugin(command: str) -> ConfigError | None:
    """Return the error that names the plugin to install for a command; None if there is none."""
    from ..plugins import installed

    extra = _EXTRAS.get(command)
    if extra is None or any(entry.scheme == extra for entry in installed()):
        return None
    return ConfigError(
        f"the command {command!r} comes with the {extra}, which is not installed: "
        f'pip install "convostore[cli,{extra}]"'
    )


def _build(name: str, command: Any) -> Any:
    host = typer.Typer(**SETTINGS)
    if isinstance(command, typer.Typer):
        for inner in command.registered_commands:
            inner.cls = TargetCommand if inner.cls in {None, TyperCommand} else inner.cls
        host.add_typer(command, name=name)
    else:
        host.command(name, cls=TargetCommand)(command)
    return typer.main.get_group(host).commands[name]
