"""The rim of the command: errors become one line and a status, and nothing else leaves a trace.

Whatever a command raises ends here. No command may be known here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from enum import IntEnum
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final, NoReturn

import typer
from typer.core import TyperGroup

from ..dsn import DSN
from ..errors import (
    AuthError,
    ConfigError,
    NotFoundError,
    ProtocolError,
    RateLimitError,
    StoreError,
    UnavailableError,
    UnsupportedError,
)
from . import NEEDS
from ._plugins import Plugged, plugged
from .render.text import one_line, printable

__all__ = [
    "COMPLETE_VARIABLE",
    "DEBUG",
    "NAME",
    "CommandGroup",
    "ExitCode",
    "error_message",
    "print_to_stderr",
]

NAME: Final = "convostore"
COMPLETE_VARIABLE: Final = "_CONVOSTORE_COMPLETE"
"""Set by a shell's completion script when it asks what may come next."""
DEBUG: Final = "--debug"

# Older typers use click itself, newer ones a copy of their own: this class is in either.
_CommandLineError: Final[Any] = typer.BadParameter.__mro__[2]


class ExitCode(IntEnum):
    """What the status says that the command ends with.

    Attributes:
        DONE: It is done. What was to be deleted and was not there counts as done.
        FAILED: The backend is out of reach, refused, or failed; something had to be left out; or
            the question was answered no.
        USAGE: The command, the DSN, the profile or an option is wrong, the backend does not offer
            the operation, or a question could not be asked. Nothing was changed.
        NOT_FOUND: There is no such conversation or message.
        CREDENTIAL: The credential is missing, wrong, or not enough.
        ASKED: The answer is a question: ``ask --answer`` goes on.
        INTERRUPTED: Ctrl-C ended it.
        PIPE_CLOSED: Whoever read the output went away, as ``head`` does.
    """

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    CREDENTIAL = 4
    ASKED = 5
    INTERRUPTED = 130
    PIPE_CLOSED = 141


class CommandGroup(TyperGroup):
    """The commands, those of plugins behind our own, with what surrounds each of them."""

    _plugged: Plugged | None = None

    def main(
        self,
        args: Sequence[str] | None = None,
        *_: Any,
        **__: Any,  # who calls with other wishes gets the name and the status all the same
    ) -> NoReturn:
        """Runs one command and leaves with its status."""
        _open_what_is_closed()
        _let_anything_be_written()
        given = list(sys.argv[1:] if args is None else args)
        if os.environ.get(COMPLETE_VARIABLE):
            from typer.completion import completion_init  # type: ignore[attr-defined]

            completion_init()
        try:
            status = super().main(_arranged(given), NAME, COMPLETE_VARIABLE, standalone_mode=False)
            sys.stdout.flush()  # so that what cannot be written fails here, not at the end
        except _CommandLineError as error:
            status = _misused(error, given)
        except OSError as error:
            status = _not_written(error)
        sys.exit(status or ExitCode.DONE)

    def invoke(self, ctx: Any) -> None:
        """Carries the command out; its errors become a line and a status."""
        try:
            super().invoke(ctx)
            sys.stdout.flush()
            return
        except (typer.Exit, _CommandLineError):
            raise
        except KeyboardInterrupt:
            status = ExitCode.INTERRUPTED
        except Exception as error:
            status = _failed(error, debug=ctx.params["debug"])
        raise typer.Exit(status)

    def list_commands(self, ctx: Any) -> list[str]:
        self._plug_in()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.commands:
            self._plug_in()
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        super().format_commands(ctx, formatter)
        self._say_what_did_not_load()

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except _CommandLineError:
            self._say_what_did_not_load()  # it may be what would have brought the command
            raise

    def _plug_in(self) -> None:
        if self._plugged is None:
            self._plugged = plugged()
            for name, command in self._plugged.commands.items():
                self.commands.setdefault(name, command)

    def _say_what_did_not_load(self) -> None:
        for problem in self._plugged.problems if self._plugged else ():
            print_to_stderr(f"{NAME}: {problem}")


def print_to_stderr(text: str) -> None:
    """Writes a line for people beside the output, with nothing in it that commands a terminal."""
    encoding = sys.stderr.encoding or "utf-8"
    typer.echo(printable(text).encode(encoding, "replace").decode(encoding), err=True)


def _arranged(given: list[str]) -> list[str]:
    """Puts ``--debug`` where it is read, wherever it was written; no word at all asks for help."""
    if not given:
        return ["--help"]
    end = given.index("--") if "--" in given else len(given)
    if DEBUG not in given[:end]:
        return given
    return [DEBUG, *(word for word in given[:end] if word != DEBUG), *given[end:]]


def _misused(error: Any, given: list[str]) -> ExitCode:
    """Says in one line what is wrong with a command line, without a value that may be secret."""
    told = one_line(error.format_message()).rstrip(".")
    for word in sorted(given, key=len, reverse=True):
        told = told.replace(word, _without_values(word))
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else NAME
    print_to_stderr(f"convostore: {told[:1].lower()}{told[1:]}: see {command} --help")
    return ExitCode.USAGE


def _without_values(word: str) -> str:
    """A word of the command line as it may be repeated: what may be a secret is left out."""
    if "://" in word:
        try:
            return str(DSN.parse(word))
        except ConfigError:
            return word.partition("://")[0] + "://…"
    name, equals, _ = word.partition("=")
    return f"{name}=…" if equals else word


def _open_what_is_closed() -> None:
    """Gives a stream that the caller closed (``>&-``) somewhere to go."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115  # to the end
            setattr(sys, name, nowhere)


def _let_anything_be_written() -> None:
    """Shows what the output's encoding cannot hold as ``?``, whoever writes it."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _failed(error: Exception, *, debug: bool) -> ExitCode:
    if debug and not isinstance(error, BrokenPipeError):
        import traceback

        print_to_stderr("".join(traceback.format_exception(error)).rstrip())
        if isinstance(error, ProtocolError) and error.excerpt:
            print_to_stderr(f"The service said: {error.excerpt}")
    if isinstance(error, OSError) and not isinstance(error, StoreError):
        return _not_written(error)
    print_to_stderr(f"convostore: {error_message(error)}")
    return _status(error)


def error_message(error: Exception) -> str:
    """What went wrong, and what can be done, in one line."""
    if isinstance(error, ModuleNotFoundError) and (missing := _of_the_extra(error)):
        return NEEDS.format(missing)
    if not isinstance(error, StoreError):
        # Its text is not ours and may hold anything.
        return f"{type(error).__name__}, which was not foreseen: --debug shows where"
    told = one_line(str(error)).rstrip(".")
    match error:
        case UnsupportedError():
            told = f"{error.adapter} does not offer {error.operation}"
            return f"{told}: 'convostore doctor' shows what it does"
        case NotFoundError():
            return f"{told}: 'convostore ls' shows what is there"
        case RateLimitError(retry_after=float(seconds)):
            return f"{told}: try again in {seconds:.0f} s"
        case UnavailableError(retryable=True) | ProtocolError() if error.partial is not None:
            return told  # to try again could send it twice
        case UnavailableError(retryable=True) | RateLimitError():
            return f"{told}: try again later; 'convostore doctor' tells more"
        case _:
            return told


def _of_the_extra(error: ModuleNotFoundError) -> str | None:
    """The distribution that is missing, when it is one that the extra brings."""
    name = (error.name or "").partition(".")[0]
    return name if name in {"rich", "prompt_toolkit"} else None


def _status(error: Exception) -> ExitCode:
    match error:
        case ConfigError() | UnsupportedError():
            return ExitCode.USAGE
        case NotFoundError():
            return ExitCode.NOT_FOUND
        case AuthError():
            return ExitCode.CREDENTIAL
        case _:
            return ExitCode.FAILED


def _not_written(error: OSError) -> ExitCode:
    """Says why the output could not be written, but for a reader that had enough."""
    status = ExitCode.PIPE_CLOSED
    if not isinstance(error, BrokenPipeError):
        status = ExitCode.FAILED
        print_to_stderr(
            f"convostore: {error.strerror or type(error).__name__}: is there room to write?"
        )
    # What is still to be written goes to nowhere, so that the interpreter's end is quiet.
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    return status
