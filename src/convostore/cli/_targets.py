"""The target of a command: named first, with an option, or the default.

A first argument is the target if it can be one: a DSN, a profile's name, or the first of as many
arguments as the command takes. Otherwise the default is the target, and all arguments are the
command's. A word that is nearly a profile's name is neither: it is an error, so that nothing is
sent to a store that was not meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand

from ..errors import ConfigError
from ._completion import complete_profile

METAVAR: Final = "TARGET"
"""Marks the argument that the default can stand in for."""

_FREE_WORDS: Final = frozenset({"QUERY"})
"""Arguments that are words of any kind, which may be near to a profile's name by chance."""
_SIMILARITY: Final = 0.75
_SIMILARITY_OF_SHORT: Final = 0.66
"""That of words in which one letter is a third of all: `dve` is nearly `dev`."""
_SHORT: Final = 3
_FILE: Final = re.compile(r".+\.(?:db|sqlite3?)", re.IGNORECASE)
_OPTION: Final = re.compile(r"--?[A-Za-z-]+")
_SCHEME: Final = re.compile(r"([a-z][a-z0-9.-]+)(?:\+https?)?:.*", re.IGNORECASE | re.DOTALL)


class TargetCommand(TyperCommand):
    """A command whose TARGET may be left out if there is a default; others are as they were."""

    def __init__(self, *args: Any, **more: Any) -> None:
        """Create the command; its TARGET gets the option ``--target`` beside it."""
        super().__init__(*args, **more)
        if (target := self._target) is not None:
            target.required = False
            self.params = _with_option(self.params)

    @property
    def _target(self) -> Any:
        first = next(iter(_arguments(self.params)), None)
        return first if getattr(first, "metavar", None) == METAVAR else None

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse a command line, with the target in its place."""
        if ctx.resilient_parsing and args and _OPTION.fullmatch(args[-1]):
            args = args[:-1]  # its value is completed; without one no argument would be parsed
        if self._target is not None:
            args = self._with_target(ctx, args)
        return super().parse_args(ctx, args)

    def _with_target(self, ctx: Any, args: list[str]) -> list[str]:
        given, extra, _ = self.make_parser(ctx).parse_args(list(args))
        if any(param.is_eager and given.get(param.name) for param in self.get_params(ctx)):
            return args  # such as --help
        named = given.get(_option().name)
        if named is not None:
            return args if ctx.resilient_parsing and not named else [_checked(str(named)), *args]
        arguments = _arguments(self.params)
        words = [*_words(given.get(param.name) for param in arguments), *extra]
        others = arguments[1:]
        is_full = len(words) > len(others) and all(param.nargs != -1 for param in others)
        is_free = bool(others) and others[0].metavar in _FREE_WORDS
        if ctx.resilient_parsing:  # a shell asks for completions
            with suppress(ConfigError):
                target = _default_for(words, is_full=is_full, is_free=True) if words else None
                return args if target is None else [target, *args]
            return args
        target = _default_for(words, is_full=is_full, is_free=is_free)
        if target is not None:
            return [_checked(target), *args]
        if not words:
            ctx.fail(
                "no store is named, and there is no default target: write a DSN or the name of a "
                "profile, or set a default with 'convostore init'"
            )
        return args


def _checked(target: str) -> str:
    """Return a target that a command line can hold as an argument.

    Raises:
        ConfigError: It is empty, as an unset variable of a script is, or would be an option.
    """
    if not target or (target.startswith("-") and target != "-"):
        raise ConfigError(
            "the target must be a DSN or the name of a profile, not "
            + ("an empty text" if not target else "a text that begins with '-'")
        )
    return target


def _arguments(params: Iterable[Any]) -> list[Any]:
    return [param for param in params if param.param_type_name == "argument"]


def _words(values: Iterable[object]) -> Iterable[str]:
    """Yield the arguments of a command line in order; a missing one has no text as its value."""
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list | tuple):
            yield from value


def _default_for(words: Sequence[str], *, is_full: bool, is_free: bool) -> str | None:
    """Return the default if it is the target; None if the first word is, or there is none.

    Args:
        words: The arguments.
        is_full: Whether there is one for each that the command takes.
        is_free: Whether the first may be any word.

    Raises:
        ConfigError: The first word is nearly a profile's name; or the file cannot be read.
    """
    first = words[0] if words else ""
    if "://" in first or (words and is_full):
        return None
    from ..config import default_target
    from ._profiles import profile_names

    profiles = profile_names()
    if first in profiles or (default := default_target()) is None:
        return None
    if words and not first:
        raise ConfigError(
            "the first argument is empty: it is not clear which store is meant: name it with "
            "--target, or leave the argument out"
        )
    if not is_free:
        if _is_like_a_dsn(first):
            return None
        if (near := _near(first, profiles)) is not None:
            raise ConfigError(
                f"there is no profile {first!r}: did you mean {near!r}? If {first!r} is not a "
                "store, name the store with --target"
            )
    return default


def _near(word: str, profiles: Iterable[str]) -> str | None:
    """Return the profile whose name a word is nearly, in any case; None if there is none."""
    names = {name.casefold(): name for name in profiles}
    folded = word.casefold()
    similarity = _SIMILARITY_OF_SHORT if len(folded) <= _SHORT else _SIMILARITY
    near = get_close_matches(folded, names, 1, similarity)
    return names[near[0]] if near else None


def _is_like_a_dsn(word: str) -> bool:
    """Return whether a word is a file of SQLite, or begins with an installed scheme."""
    if _FILE.fullmatch(word):
        return True
    match = _SCHEME.fullmatch(word)
    if match is None:
        return False
    from ..plugins import installed

    return match[1].lower() in {entry.scheme for entry in installed()}


def _with_option(params: Sequence[Any]) -> list[Any]:
    """Return a command's parameters with the option that names the target, before ``-o``."""
    names = [param.name for param in params]
    place = names.index("given") if "given" in names else len(params)
    return [*params[:place], _option(), *params[place:]]


@cache
def _option() -> Any:
    """Build the option; by Typer itself, whose classes differ from release to release."""
    host = typer.Typer(add_completion=False)
    host.command()(_template)
    (option,) = typer.main.get_command(host).params
    option.expose_value = False  # its value becomes that of the argument
    return option


def _template(
    named_target: Annotated[
        str | None,
        typer.Option(
            "--target",
            "-T",
            metavar=METAVAR,
            autocompletion=complete_profile,
            help="The store, instead of the first argument.",
        ),
    ] = None,
) -> None:
    """Declare the option."""
    del named_target
