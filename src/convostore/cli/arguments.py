"""What most commands take: the target, its options, and ids; and opening a store with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..store import AsyncConversationStore, ConversationStore


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


def opened(target: str, given: list[str] | None) -> ConversationStore:
    """Opens the target with the options that were given on the command line."""
    from ..config import open as open_store

    return open_store(target, **_options(given or []))  # type: ignore[arg-type]  # for transport


def aopened(target: str, given: list[str] | None) -> AsyncConversationStore:
    """As `opened`, for asyncio."""
    from ..config import aopen

    return aopen(target, **_options(given or []))  # type: ignore[arg-type]  # for transport


def _options(given: list[str]) -> Mapping[str, str]:
    options: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise typer.BadParameter("write NAME=VALUE", param_hint="--option / --to-option")
        if name in {"target", "transport"}:  # arguments of `open` that are no options
            raise ConfigError(f"there is no option {name!r}")
        if name in options:
            raise ConfigError(f"the option {name!r} is given twice")
        options[name] = value
    return options
