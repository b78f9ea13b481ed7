"""The group of all commands: it runs one, and every error becomes one line and an exit code.

Nothing that a command raises gets past here, and no command may be known here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final, NoReturn

import typer
from typer.core import TyperGroup

from ..dsn import DSN
from ..errors import ConfigError, ProtocolError, StoreError
from ._plugins import PluginCommands, load_plugin_commands, missing_plugin
from .errors import ExitCode, error_message, print_to_stderr
from .render.text import one_line

NAME: Final = "convostore"
COMPLETE_VARIABLE: Final = "_CONVOSTORE_COMPLETE"
"""Set by a shell's completion script when it asks for completions."""
DEBUG: Final = "--debug"
NO_PAGER: Final = "--no-pager"
_ANYWHERE: Final = (DEBUG, NO_PAGER)
"""Options of the group that may be written after the command as well."""

_FIRST: Final = ("init", "profiles")
"""The commands to begin with: Typer lists groups after all others."""

# Not imported from click: newer releases of Typer bring a copy of it and do not depend on it.
_ClickException: Final[Any] = next(
    cls for cls in typer.BadParameter.__mro__ if cls.__name__ == "ClickException"
)


class CommandGroup(TyperGroup):
    """The commands: ours first, then those of plugins, which are loaded when they are needed."""

    _plugin_commands: PluginCommands | None = None

    def main(
        self,
        args: Sequence[str] | None = None,
        *_: Any,
        **__: Any,  # no caller changes the name or the exit codes
    ) -> NoReturn:
        """Run one command and exit with its status."""
        _open_closed_streams()
        _replace_unencodable()
        arguments = list(sys.argv[1:] if args is None else args)
        if os.environ.get(COMPLETE_VARIABLE):
            from typer.completion import completion_init  # type: ignore[attr-defined]

            completion_init()
        try:
            status = super().main(
                _in_order(arguments), NAME, COMPLETE_VARIABLE, standalone_mode=False
            )
            sys.stdout.flush()  # so that a failed write is reported here, not by the interpreter
        except _ClickException as error:
            status = _report_misuse(error, arguments)
        except OSError as error:
            status = _report_failed_output(error)
        sys.exit(status or ExitCode.DONE)

    def invoke(self, ctx: Any) -> None:
        """Run the command; report its errors as one line and a status."""
        try:
            super().invoke(ctx)
            sys.stdout.flush()
            return
        except (typer.Exit, _ClickException):
            raise
        except KeyboardInterrupt:
            status = ExitCode.INTERRUPTED
        except Exception as error:
            status = _report(error, debug=ctx.params["debug"])
        raise typer.Exit(status)

    def list_commands(self, ctx: Any) -> list[str]:
        self._add_plugin_commands()
        names = super().list_commands(ctx)
        return [*(name for name in _FIRST if name in names), *(n for n in names if n not in _FIRST)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.commands:
            self._add_plugin_commands()
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        super().format_commands(ctx, formatter)
        self._report_broken_plugins()

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except _ClickException:
            self._report_broken_plugins()  # one of them may have been to bring the command
            if error := missing_plugin(args[0]):
                raise error from None
            raise

    def _add_plugin_commands(self) -> None:
        if self._plugin_commands is None:
            self._plugin_commands = load_plugin_commands()
            for name, command in self._plugin_commands.commands.items():
                self.commands.setdefault(name, command)

    def _report_broken_plugins(self) -> None:
        for problem in self._plugin_commands.problems if self._plugin_commands else ():
            print_to_stderr(f"{NAME}: {problem}")


def _in_order(arguments: list[str]) -> list[str]:
    """Move the group's options to the front, where they are parsed; with none, ask for help."""
    if not arguments:
        return ["--help"]
    end = arguments.index("--") if "--" in arguments else len(arguments)
    moved = [option for option in _ANYWHERE if option in arguments[:end]]
    return [*moved, *(word for word in arguments[:end] if word not in moved), *arguments[end:]]


def _report_misuse(error: Any, arguments: list[str]) -> ExitCode:
    """Report in one line what is wrong with a command line, without values that may be secret."""
    text = one_line(error.format_message()).rstrip(".")
    for word in sorted(arguments, key=len, reverse=True):
        text = text.replace(word, _without_values(word))
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else NAME
    print_to_stderr(f"convostore: {text[:1].lower()}{text[1:]}: see {command} --help")
    return ExitCode.USAGE


def _without_values(word: str) -> str:
    """Return a word of the command line without what may be a secret."""
    if "://" in word:
        try:
            return str(DSN.parse(word))
        except ConfigError:
            return word.partition("://")[0] + "://…"
    name, equals, _ = word.partition("=")
    return f"{name}=…" if equals else word


def _open_closed_streams() -> None:
    """Open the null device for each standard stream that the caller closed (``>&-``)."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            null = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115  # until the end
            setattr(sys, name, null)


def _replace_unencodable() -> None:
    """Print ``?`` for each character that the output's encoding lacks, whoever prints it."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _report(error: Exception, *, debug: bool) -> ExitCode:
    """Print an error in one line, with its traceback if `debug`, and return its status."""
    if debug and not isinstance(error, BrokenPipeError):
        import traceback

        print_to_stderr("".join(traceback.format_exception(error)).rstrip())
        if isinstance(error, ProtocolError) and error.excerpt:
            print_to_stderr(f"The service sent: {error.excerpt}")
    if isinstance(error, OSError) and not isinstance(error, StoreError):
        return _report_failed_output(error)
    print_to_stderr(f"convostore: {error_message(error)}")
    return ExitCode.of(error)


def _report_failed_output(error: OSError) -> ExitCode:
    """Report why the output could not be written, unless its reader closed it."""
    status = ExitCode.PIPE_CLOSED
    if not isinstance(error, BrokenPipeError):
        status = ExitCode.FAILED
        print_to_stderr(
            f"convostore: {error.strerror or type(error).__name__}: is there room to write?"
        )
    # What is still buffered goes to the null device, so that the interpreter exits quietly.
    with suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    return status
