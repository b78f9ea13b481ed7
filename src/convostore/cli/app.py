"""The commands: arguments to store calls, results to `render`, errors to one line and a status."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Annotated, Final

import typer
from rich.console import Console

from ..config import open as open_store
from ..errors import ConfigError, StoreError
from ..models import Conversation
from ..store import ConversationStore
from . import render

EXIT_FAILED: Final = 1
"""The backend refused, is out of reach, or has no such thing."""
EXIT_USAGE: Final = 2
"""The DSN, the profile or an option is wrong."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Reads the chat history of any backend that is installed.",
)

Target = Annotated[
    str,
    typer.Argument(
        metavar="DSN", help="Such as perplexica+http://localhost:3000, or a profile's name."
    ),
]


@app.callback()
def _commands() -> None:
    """Keeps the names of the commands where there is only one."""


@app.command()
def ls(
    target: Target,
    limit: Annotated[int, typer.Option(min=1, help="The most conversations to show.")] = 50,
) -> None:
    """Lists conversations: a table for people, lines of id, time and title in a pipe."""
    with _opened(target) as store:
        conversations = list(islice(store.conversations(), limit))
    if sys.stdout.isatty():
        rows = [(store.label, conversation) for conversation in conversations]
        Console().print(render.conversations_table(rows, with_store=False))
    else:
        for conversation in conversations:
            _write(render.conversation_line(conversation))


@app.command()
def show(
    target: Target,
    conversation: Annotated[str, typer.Argument(help="The conversation's id, as ls shows it.")],
) -> None:
    """Shows one conversation with the sources of its answers."""
    with _opened(target) as store:
        (found,) = store.transcripts([conversation])
    header = found.conversation or Conversation(id=conversation)
    if sys.stdout.isatty():
        Console().print(render.transcript(header, found.messages))
    else:
        _write(render.transcript_text(header, found.messages))


def _write(text: str) -> None:
    """Prints text that may hold what the output's encoding cannot."""
    encoding = sys.stdout.encoding or "utf-8"
    typer.echo(text.encode(encoding, "replace").decode(encoding))


@contextmanager
def _opened(target: str) -> Iterator[ConversationStore]:
    try:
        with open_store(target) as store:
            yield store
    except ConfigError as error:
        typer.echo(f"convostore: {error}", err=True)
        raise typer.Exit(EXIT_USAGE) from None
    except StoreError as error:
        typer.echo(f"convostore: {render.printable(str(error))}", err=True)
        raise typer.Exit(EXIT_FAILED) from None
