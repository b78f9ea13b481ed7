"""The commands that plugins bring, made ready to stand among our own.

They are looked for when all commands are to be listed, or when a word is none of ours; what our own
commands cost to start does not depend on what is installed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import typer

from .render.text import one_line

SETTINGS: Final[dict[str, Any]] = {  # Any: Typer's own arguments, each of a type of its own
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,  # so that asking for help need not wait for rich
    "context_settings": {"help_option_names": ["-h", "--help"]},
}
"""How every application of ours is set up."""


@dataclass(frozen=True, slots=True)
class Plugged:
    """What plugins bring.

    Attributes:
        commands: By name, as Typer carries them out.
        problems: What did not load, in a line each.
    """

    commands: dict[str, Any]  # Any: click's own, or Typer's copy of it
    problems: list[str]


def plugged() -> Plugged:
    """Loads every plugin for its commands."""
    from ..plugins import commands

    brought, failed = commands()
    problems = [one_line(str(error)) for error in failed]
    made: dict[str, Any] = {}
    for name, command in sorted(brought.items()):
        try:
            made[name] = _made(name, command)
        except Exception as error:  # whatever Typer says of it
            told = f"the command {name!r} of a plugin is none: {type(error).__name__}: {error}"
            problems.append(one_line(told))
    return Plugged(made, problems)


def _made(name: str, command: Any) -> Any:
    host = typer.Typer(**SETTINGS)
    if isinstance(command, typer.Typer):
        host.add_typer(command, name=name)
    else:
        host.command(name)(command)
    return typer.main.get_group(host).commands[name]
