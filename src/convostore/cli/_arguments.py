"""Arguments and options of the built-in commands, and command lines to suggest to people.

No store is opened here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from ..dsn import DSN
from ..errors import ConfigError
from ._completion import complete_profile

_STDIN: Final = "-"
"""The name of the standard input in the place of a text."""


TurnOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--turn-option",
        "-t",
        metavar="NAME=VALUE",
        help="An option of each turn, such as a model or variables. VALUE is JSON, or else text. "
        "May be repeated.",
    ),
]
Source = Annotated[
    str,
    typer.Argument(
        metavar="SRC",
        autocompletion=complete_profile,
        help="The store to read: a DSN or the name of a profile.",
    ),
]
Destination = Annotated[
    str,
    typer.Argument(
        metavar="DST",
        autocompletion=complete_profile,
        help="The store to write to: a DSN or the name of a profile.",
    ),
]
DestinationOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--to-option", "-O", metavar="NAME=VALUE", help="An option of DST's backend, like -o."
    ),
]


@dataclass(frozen=True, slots=True)
class Place:
    """A store that is not open yet.

    Attributes:
        target: A DSN or a profile's name.
        options: From the command line, as ``NAME=VALUE``.
    """

    target: str
    options: list[str] | None = None


def turn_options(options: list[str] | None) -> dict[str, Any]:  # Any: the backend's types
    """Parse options of a turn from the command line.

    Args:
        options: Each as ``NAME=VALUE``; a value that is not JSON is a text.

    Raises:
        ConfigError: An option is given twice, or is an argument that is not an option.
    """
    from ..adapters import TURN_ARGUMENTS

    pairs = parse_options(options or [], "--turn-option", reserved=TURN_ARGUMENTS)
    return {name: json_or_text(value) for name, value in pairs}


def tag_values(tags: list[str]) -> dict[str, Any]:
    """Parse values of metadata from the command line; an empty one takes its key away.

    Args:
        tags: Each as ``KEY=VALUE``; a value that is not JSON is a text.
    """
    pairs = parse_options(tags, "KEY=VALUE", reserved=frozenset())
    return {key: json_or_text(value) if value else None for key, value in pairs}


def text_or_stdin(text: str | None) -> str:
    """Return a text from the command line; for None and ``-``, what comes through a pipe.

    Raises:
        typer.BadParameter: Nothing is piped in, or it is not text.
    """
    if text is not None and text != _STDIN:
        return text
    if sys.stdin.isatty():
        raise typer.BadParameter("write a text, or pipe one in", param_hint="TEXT")
    return _piped()


def text_and_stdin(text: str | None) -> str:
    """Return a text from the command line, and below it, after an empty line, what is piped in.

    Raises:
        typer.BadParameter: There is neither, or what is piped in is not text.
    """
    if text is None or text == _STDIN or sys.stdin.isatty():
        return text_or_stdin(text)
    piped = _piped().strip("\r\n")
    return f"{text}\n\n{piped}" if piped.strip() else text


def _piped() -> str:
    try:
        piped = sys.stdin.read()
        piped.encode()
    except UnicodeError:
        raise typer.BadParameter(
            "the standard input must be text in its encoding", param_hint="TEXT"
        ) from None
    return piped


def json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def parse_options(
    options: list[str], hint: str, *, reserved: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Split each ``NAME=VALUE``.

    Args:
        options: As they are on the command line.
        hint: The name of the option that they were given with, for error messages.
        reserved: Names that are not options.

    Raises:
        ConfigError: A name is reserved or repeated. No message holds a value: it may be secret.
    """
    seen = set()
    for option in options:
        name, equals, value = option.partition("=")
        if not equals or not name:
            raise typer.BadParameter("must be NAME=VALUE", param_hint=hint)
        if name in reserved:
            raise ConfigError(f"there is no option {name!r}")
        if name in seen:
            raise ConfigError(f"the option {name!r} is given twice")
        seen.add(name)
        yield name, value


def command_line(command: str, place: Place, *ids: str, options: Sequence[str] = ()) -> str:
    """Return a command that people can type, quoted for a shell and without secrets.

    Args:
        command: Such as ``"show"``.
        place: Its target without secrets, and the names of its options without their values.
        *ids: The arguments after the target.
        options: The options before it.
    """
    import shlex

    from .render.text import one_line

    target = str(DSN.parse(place.target)) if "://" in place.target else place.target
    names = [option.partition("=")[0] for option in place.options or ()]
    masked = [word for name in names for word in ("-o", f"{name}=…")]
    dashes = ["--"] if any(argument.startswith("-") for argument in ids) else []
    return one_line(shlex.join(["convostore", command, *options, *masked, *dashes, target, *ids]))
