"""The command `chat`: a conversation at a terminal.

The loop belongs to `convostore.cli.chat`.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ...errors import ConfigError
from .._arguments import Place, TurnOptions, turn_options
from ..chat.receive import prepare
from ..options import Given, Target, opened

__all__ = ["chat"]


def chat(
    target: Target,
    conversation_id: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="The conversation to go on with; else a new one."),
    ] = None,
    turn_given: TurnOptions = None,
    given: Given = None,
) -> None:
    """Talk with a backend.

    Answers are rendered as they come, with their sources; what the flow asks is asked here. Ctrl-C
    stops an answer and keeps the conversation; Ctrl-D leaves it. /help shows the rest.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError("chat needs a terminal: in a pipe, use 'convostore ask'")
    options = turn_options(turn_given)
    with opened(target, given) as store:
        prepare(lambda: store.stream_reply(None, "?", **options))  # checked, never sent
        from ..chat.session import ChatSession

        ChatSession(store, Place(target, given), options).run(conversation_id)
