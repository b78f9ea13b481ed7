"""The command line: the help of each command, and the exit codes."""

from __future__ import annotations

from typer.testing import CliRunner

from convostore.cli.app import EXAMPLES, app
from convostore.cli.errors import ExitCode

from .markdown import attributes, table


def cli_help() -> str:
    names = [command.__name__ for command in EXAMPLES]
    sections = [f"### {name}\n\n```text\n{_help(*name.split())}\n```\n" for name in names]
    return "\n".join([f"```text\n{_help()}\n```\n", *sections])


def _help(*command: str) -> str:
    shown = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "100"}).stdout
    return "\n".join(line.rstrip() for line in shown.strip().splitlines())


def exit_codes() -> str:
    told = attributes(ExitCode)
    rows = [[f"`{each.value}`", told[each.name]] for each in ExitCode]
    return table(["status", "meaning"], rows)
