"""The command `chat`: a conversation at a terminal.

The loop belongs to `convostore.cli.chat`.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ...errors import ConfigError
from .._arguments import Place, TurnOptions, turn_options
from .._completion import complete_conversation
from .._lookup import find_id
from ..chat.receive import prepare
from ..options import Given, Target, opened

__all__ = ["chat"]


def chat(
    target: Target,
    conversation_id: Annotated[
        str | None,
        typer.Argument(
            metavar="ID",
            autocompletion=complete_conversation,
            help="Continue this conversation; - is the last active one. By default a new one is "
            "started.",
        ),
    ] = None,
    turn_given: TurnOptions = None,
    given: Given = None,
) -> None:
    """Chat at the terminal.

    Answers are rendered as they arrive, with their sources. If the flow asks a question, you can
    answer it here. Ctrl-C stops an answer, Ctrl-D ends the chat, /help lists the commands.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError("chat needs a terminal: in a pipe, use 'convostore ask'")
    options = turn_options(turn_given)
    with opened(target, given) as store:
        prepare(lambda: store.stream_reply(None, "?", **options))  # checked, never sent
        from ..chat.session import ChatSession

        known = None if conversation_id is None else find_id(store, conversation_id)
        ChatSession(store, Place(target, given), options).run(known)
