"""Arguments and options that commands share, and opening a store with them: for plugins, too.

Options that only our own commands need do not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ._arguments import parse_options
from ._completion import complete_conversation, complete_message, complete_profile, complete_target
from ._targets import METAVAR

if TYPE_CHECKING:
    from ..store import AsyncConversationStore, ConversationStore

__all__ = [
    "ConversationId",
    "Given",
    "MessageId",
    "NamedTarget",
    "Target",
    "aopened",
    "opened",
    "store_options",
]

Target = Annotated[
    str,
    typer.Argument(
        metavar=METAVAR,
        autocompletion=complete_target,
        help="The store: a DSN, such as perplexica+http://localhost:3000, or the name of a "
        "profile. It may be left out if there is a default target.",
    ),
]
"""The argument of a command that names the store; the default target can stand in for it."""
NamedTarget = Annotated[
    str,
    typer.Argument(
        metavar="STORE",
        autocompletion=complete_profile,
        help="The store: a DSN or the name of a profile. The default target is not used here.",
    ),
]
"""The argument of a command that deletes: the store must be named."""
Given = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        "-o",
        metavar="NAME=VALUE",
        help="An option of the backend, such as timeout=5. It overrides the DSN, the environment "
        "and the profile. May be repeated.",
    ),
]
"""The option ``-o NAME=VALUE`` of a command that opens a store."""
ConversationId = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        autocompletion=complete_conversation,
        help="The conversation's id, as shown by ls; - is the last active one.",
    ),
]
"""The argument of a command that names a conversation."""
MessageId = Annotated[
    str,
    typer.Argument(
        metavar="MESSAGE_ID",
        autocompletion=complete_message,
        help="The message's id, as shown by show.",
    ),
]
"""The argument of a command that names a message."""

_ARGUMENTS_OF_OPEN: Final = frozenset({"target", "transport", "observe"})
"""Arguments of `convostore.open` that are not options of a store."""


def opened(target: str, given: list[str] | None, *, create: bool = False) -> ConversationStore:
    """Open a store; a context manager.

    Args:
        target: A DSN or a profile's name.
        given: Options from the command line, as ``NAME=VALUE``.
        create: Whether to make a database that is missing, where nothing else says so. A command
            that reads or changes what is there must not: a mistyped name would pass for an empty
            store.

    Raises:
        ConfigError: The target or an option is wrong.
    """
    from ..config import open as open_store

    return open_store(target, **_options(given, create=create))


def aopened(
    target: str, given: list[str] | None, *, create: bool = False
) -> AsyncConversationStore:
    """Open a store for asyncio; see `opened`."""
    from ..config import aopen

    return aopen(target, **_options(given, create=create))


def _options(given: list[str] | None, *, create: bool) -> dict[str, Any]:
    from ..config import Default

    return {"create": Default(create), **store_options(given or [])}


def store_options(given: list[str]) -> Mapping[str, str]:
    """Parse options of a store from the command line.

    Args:
        given: Each as ``NAME=VALUE``.

    Raises:
        ConfigError: An option is given twice, or is an argument that is not an option.
    """
    return dict(parse_options(given, "--option / --to-option", reserved=_ARGUMENTS_OF_OPEN))
