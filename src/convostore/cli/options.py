"""What most commands take: the target, its options, and ids; and opening a store with them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ..dsn import DSN
from ..errors import ConfigError

if TYPE_CHECKING:
    from ..store import AsyncConversationStore, ConversationStore

__all__ = [
    "ConversationId",
    "Destination",
    "Given",
    "GivenToDestination",
    "GivenToTurn",
    "MessageId",
    "Place",
    "Source",
    "Target",
    "aopened",
    "command_line",
    "opened",
    "profile_names",
    "store_options",
    "turn_options",
]


def profile_names(incomplete: str) -> list[str]:
    """The profiles that there are, for a shell to complete."""
    import tomllib

    from ..config import config_file

    try:
        profiles = tomllib.loads(config_file().read_text(encoding="utf-8"))["profiles"]
        return sorted(name for name in profiles if name.startswith(incomplete))
    except (OSError, ValueError, LookupError, TypeError):
        return []


Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        autocompletion=profile_names,
        help="A DSN, such as perplexica+http://localhost:3000, or a profile's name.",
    ),
]
Given = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        "-o",
        metavar="NAME=VALUE",
        help="An option of the backend, such as timeout=5; may be repeated. Wins over the DSN, "
        "the environment and the profile.",
    ),
]
GivenToTurn = Annotated[
    list[str] | None,
    typer.Option(
        "--turn-option",
        "-t",
        metavar="NAME=VALUE",
        help="An option of the backend for each turn, such as a model or variables; VALUE is JSON, "
        "or else a text. May be repeated.",
    ),
]
Source = Annotated[
    str,
    typer.Argument(
        metavar="SRC",
        autocompletion=profile_names,
        help="The store that is read: a DSN, or a profile's name.",
    ),
]
Destination = Annotated[
    str,
    typer.Argument(
        metavar="DST",
        autocompletion=profile_names,
        help="The store that is written to: a DSN, or a profile's name.",
    ),
]
GivenToDestination = Annotated[
    list[str] | None,
    typer.Option(
        "--to-option", "-O", metavar="NAME=VALUE", help="An option of the backend of DST, as -o."
    ),
]
ConversationId = Annotated[
    str, typer.Argument(metavar="ID", help="The conversation's id, as ls shows it.")
]
MessageId = Annotated[
    str, typer.Argument(metavar="MESSAGE_ID", help="The message's id, as show shows it.")
]


@dataclass(frozen=True, slots=True)
class Place:
    """A store that is yet to be opened."""

    target: str
    given: list[str] | None = None


def opened(target: str, given: list[str] | None) -> ConversationStore:
    """Opens the target with the options that were given on the command line."""
    from ..config import open as open_store

    return open_store(target, **store_options(given or []))  # type: ignore[arg-type]  # for transport


def aopened(target: str, given: list[str] | None) -> AsyncConversationStore:
    """As `opened`, for asyncio."""
    from ..config import aopen

    return aopen(target, **store_options(given or []))  # type: ignore[arg-type]  # for transport


def turn_options(given: list[str] | None) -> dict[str, Any]:  # Any: a backend says what it takes
    """The options of a turn that were given on the command line."""
    return {
        name: _json_or_text(value)
        for name, value in _named(given or [], "--turn-option", but=_OF_TURNS)
    }


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def store_options(given: list[str]) -> Mapping[str, str]:
    """The options of a store that were given on the command line, by name."""
    return dict(_named(given, "--option / --to-option", but=_OF_OPEN))


_OF_OPEN: Final = frozenset({"target", "transport"})
_OF_TURNS: Final = frozenset({"self", "conversation_id", "content", "turn_id", "answer"})
"""Arguments of the calls that options go to, which are none themselves."""


def _named(given: list[str], hint: str, *, but: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Splits each ``NAME=VALUE``; what is wrong is told without a value, which may be secret."""
    seen = set()
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise typer.BadParameter("write NAME=VALUE", param_hint=hint)
        if name in but:
            raise ConfigError(f"there is no option {name!r}")
        if name in seen:
            raise ConfigError(f"the option {name!r} is given twice")
        seen.add(name)
        yield name, value


def command_line(command: str, place: Place, *ids: str, options: Sequence[str] = ()) -> str:
    """A command as people can type it: without a secret, and with quotes where a shell needs them.

    Args:
        command: Such as ``"show"``.
        place: Of its target secrets are left out, and of its options the values.
        *ids: What follows the target.
        options: What stands before it.
    """
    import shlex

    from .render.text import one_line

    target = str(DSN.parse(place.target)) if "://" in place.target else place.target
    values = [word for each in place.given or () for word in ("-o", f"{each.partition('=')[0]}=…")]
    dashes = ["--"] if any(each.startswith("-") for each in ids) else []
    return one_line(shlex.join(["convostore", command, *options, *values, *dashes, target, *ids]))
