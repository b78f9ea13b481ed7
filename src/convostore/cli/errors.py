"""Exit codes, and errors as one line for people; for every command, those of plugins included.

No command may be known here, nor how one is run.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from enum import IntEnum
from typing import Final

import typer

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
from .render.text import one_line, printable

__all__ = ["ExitCode", "error_message", "error_text", "print_to_stderr"]


_ARGUMENT: Final = re.compile(r"\bpass (?:the option )?(?P<name>[a-z_]+)=(?P<value>[^\s,;:]*)")
"""Advice of the library to pass an argument."""
_UPLOAD: Final = re.compile(r"\bpass FilePart\(url='[^']*'\) or files=\['(?P<id>[^']*)'\]")
"""Advice of the adapter of Perplexica for a file; ``--file`` takes no such address."""
_OUR_OPTIONS: Final = {"format": "--format"}
"""Options of commands, by the argument of the library; the rest are options of a store."""
_FILTERS_BY_OWNER: Final = "--owner or --without-owner"
_OPTIONAL: Final[Mapping[tuple[str | None, str | None], str]] = {
    ("list_conversations", "owner"): _FILTERS_BY_OWNER,
    ("list_conversations", "order"): "--reverse",
    ("list_conversations", "start"): "--start",
    ("list_messages", "start"): "--start",
    ("search", "owner"): _FILTERS_BY_OWNER,
    ("delete_conversations", "owner"): _FILTERS_BY_OWNER,
    ("fork_conversation", "owner"): "--owner",
    (None, "owner"): "--owner",  # of an import, which is several operations
}
"""Options that a command can do without, by the operation and its argument."""


class ExitCode(IntEnum):
    """The status that a command ends with.

    Attributes:
        DONE: Success. Deleting what does not exist is a success as well.
        FAILED: The backend cannot be reached, refused, or failed; something was left out; or the
            answer to a question was no.
        USAGE: The command, the DSN, the profile or an option is wrong, the backend does not offer
            the operation, or a question could not be asked. Nothing was changed.
        NOT_FOUND: The conversation or message does not exist.
        CREDENTIAL: The credential is missing, wrong, or not enough.
        ASKED: The answer is a question: ``ask --answer`` answers it.
        INTERRUPTED: Ctrl-C was pressed.
        PIPE_CLOSED: The reader of the output closed it, as ``head`` does.
    """

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    CREDENTIAL = 4
    ASKED = 5
    INTERRUPTED = 130
    PIPE_CLOSED = 141

    @classmethod
    def of(cls, error: Exception) -> ExitCode:
        """Return the status of a command that an error ended."""
        match error:
            case ConfigError() | UnsupportedError():
                return cls.USAGE
            case NotFoundError():
                return cls.NOT_FOUND
            case AuthError():
                return cls.CREDENTIAL
            case _:
                return cls.FAILED


def print_to_stderr(text: str) -> None:
    """Print a line for people on stderr, without control characters that command a terminal."""
    encoding = sys.stderr.encoding or "utf-8"
    typer.echo(printable(text).encode(encoding, "replace").decode(encoding), err=True)


def error_message(error: Exception) -> str:
    """Return in one line what went wrong and what to do about it.

    The text of an error that is not a `StoreError` is left out: it may hold a secret.
    """
    if isinstance(error, ModuleNotFoundError) and (missing := _missing_requirement(error)):
        return NEEDS.format(missing)
    if not isinstance(error, StoreError):
        return f"unexpected {type(error).__name__}: --debug shows where it was raised"
    text = error_text(error).rstrip(".")
    match error:
        case UnsupportedError(argument=str()):
            return _unsupported_argument(error, text)
        case UnsupportedError():
            text = f"{error.adapter} does not offer {error.operation}"
            return f"{text}: 'convostore doctor' lists what it offers"
        case NotFoundError():
            command = "show" if "message" in text.partition("'")[0] else "ls"
            return f"{text}: 'convostore {command}' lists what is there"
        case RateLimitError(retry_after=float(seconds)):
            return f"{text}: try again in {seconds:.0f} s"
        case UnavailableError(retryable=True) | ProtocolError() if error.partial is not None:
            return text  # to try again could send it twice
        case UnavailableError(retryable=True) | RateLimitError():
            return f"{text}: try again later; 'convostore doctor' shows more"
        case _:
            return text


def error_text(error: Exception) -> str:
    """Return an error's own text in one line, with options as the command line has them."""
    text = _UPLOAD.sub(r"""pass -t 'files=["\g<id>"]'""", one_line(str(error)))
    return _ARGUMENT.sub(_on_the_command_line, text)


def _unsupported_argument(error: UnsupportedError, text: str) -> str:
    reason = text.rpartition(": ")[0] or text  # what follows is advice for a program
    option = _OPTIONAL.get((error.operation, error.argument))
    return reason if option is None else f"{reason}: leave out {option}"


def _on_the_command_line(argument: re.Match[str]) -> str:
    name, value = argument["name"], argument["value"]
    option = _OUR_OPTIONS.get(name, f"-o {name}=")
    return f"pass {option}{value}"


def _missing_requirement(error: ModuleNotFoundError) -> str | None:
    """Return the distribution that is missing if the extra ``cli`` installs it."""
    name = (error.name or "").partition(".")[0]
    return name if name in {"rich", "prompt_toolkit"} else None
