"""`export` and `import`: conversations out of a store into a file, and into one out of a file."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final, TextIO, cast

import typer

from ...errors import InvalidError, StoreError
from .._arguments import Destination
from .._output import AsJSON, form, print_done
from .._progress import Bar, Progress, progress_bar
from ..errors import ExitCode, print_to_stderr
from ..options import Given, Target, opened
from ..render.reports import loss_lines, skipped_lines, write_report
from ..render.text import printable, several

if TYPE_CHECKING:
    from ...store import ConversationStore
    from ...transfer import ExportReport, ImportReport, TransferProgress

__all__ = ["export", "import_"]

_STREAM: Final = "-"
"""How the standard output or input is named where a file could be."""


class _OutputFormat(Enum):
    """The formats that can be written."""

    JSONL = "jsonl"
    MARKDOWN = "markdown"
    HTML = "html"
    OPENAI = "openai"


class _InputFormat(Enum):
    """The formats that can be read."""

    JSONL = "jsonl"
    CHATGPT = "chatgpt"
    OPENAI = "openai"


def export(
    target: Target,
    conversation_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID", help="Only these conversations; without any, all."),
    ] = None,
    file: Annotated[
        str,
        typer.Option(
            "--file",
            "-f",
            metavar="FILE",
            help="Where it is written; the standard output without it. A file that is there is "
            "replaced once the new one is whole.",
        ),
    ] = _STREAM,
    format: Annotated[
        _OutputFormat | None,
        typer.Option(help="Without it, what the file's name ends in: .jsonl, .md or .html."),
    ] = None,
    without_raw: Annotated[
        bool,
        typer.Option("--no-raw", help="JSONL without `raw`, what services themselves sent."),
    ] = False,
    given: Given = None,
) -> None:
    """Writes conversations to a file.

    As JSONL, which loses nothing and can be imported; Markdown or HTML to be read; or OpenAI-style
    messages.

    What cannot be read is left out of an export of all, which then ends with 1.
    """
    chosen = _chosen(format, file)
    to_file = file != _STREAM
    then = f"{file} was not written" if to_file else None
    with (
        opened(target, given) as store,
        progress_bar("exporting", then=then, shown=to_file) as bar,
    ):
        report = _export(store, conversation_ids, file, chosen, raw=not without_raw, bar=bar)
    for line in skipped_lines(report.skipped):
        print_to_stderr(line)
    told = several(report.conversations, "conversation")
    print_done(f"exported: {told}, {several(report.messages, 'message')}")
    for line in loss_lines(report.losses):
        print_done(line)
    if report.skipped:
        raise typer.Exit(ExitCode.FAILED)


def _chosen(format: _OutputFormat | None, file: str) -> str | None:
    """The format that is asked for; None for what the file's name ends in."""
    if format is not None:
        return format.value
    if file == _STREAM:
        return _OutputFormat.JSONL.value
    from pathlib import Path

    from ...formats import format_of

    try:
        return format_of(Path(file))
    except InvalidError:
        raise typer.BadParameter(
            "the file's name ends in none of .jsonl, .md and .html: say which format",
            param_hint="--format",
        ) from None


def _export(
    store: ConversationStore,
    ids: list[str] | None,
    file: str,
    format: str | None,
    *,
    raw: bool,
    bar: Bar,
) -> ExportReport:
    from ...transfer import export_conversations

    return export_conversations(
        store,
        _standard_output() if file == _STREAM else file,
        format=format,
        ids=ids or None,
        raw=raw,
        on_error="raise" if ids else "skip",
        progress=_telling(bar),
    )


class _Terminal:
    """A terminal as a stream for texts of strangers: none of them commands it."""

    def write(self, text: str) -> int:
        sys.stdout.write(printable(text))
        return len(text)

    def flush(self) -> None:
        sys.stdout.flush()


def _standard_output() -> TextIO:
    """What a file would get goes out the same, in whatever encoding terminals here are."""
    if sys.stdout.isatty():
        return cast("TextIO", _Terminal())
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="")
    return sys.stdout


def import_(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="JSONL that was exported, a ChatGPT export (the zip, its folder, or a "
            "conversations.json) or OpenAI-style messages; - for the standard input.",
        ),
    ],
    target: Destination,
    format: Annotated[
        _InputFormat | None,
        typer.Option(help="The file's format; without it, the file is looked at."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The store that the conversations are said to come from."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; tell what would be written.")
    ] = False,
    as_json: AsJSON = False,
    given: Given = None,
) -> None:
    """Writes the conversations of a file into a store.

    To import again changes nothing. What the store has under the same id with other messages stays
    as it is, and is reported as skipped.

    Ends with 1 when a conversation had to be skipped, or when there was nothing to import.
    """
    wanted = form(as_json=as_json)
    then = "import it again to go on from there"
    with opened(target, given) as store, progress_bar("importing", then=then) as bar:
        report = _import(file, store, format, name, dry_run=dry_run, bar=bar)
    write_report(report, wanted, dry_run=dry_run)
    if report.skipped:
        raise typer.Exit(ExitCode.FAILED)


import_.__name__ = "import"  # as the command is called


def _import(
    file: str,
    store: ConversationStore,
    format: _InputFormat | None,
    name: str | None,
    *,
    dry_run: bool,
    bar: Bar,
) -> ImportReport:
    from ...transfer import import_conversations

    with _named_input(file):
        return import_conversations(
            _standard_input() if file == _STREAM else file,
            store,
            format=None if format is None else format.value,
            name=name,
            dry_run=dry_run,
            progress=_telling(bar),
        )


def _standard_input() -> BinaryIO:
    if sys.stdin.isatty():
        raise typer.BadParameter("nothing comes through the standard input", param_hint="FILE")
    return sys.stdin.buffer


@contextmanager
def _named_input(file: str) -> Iterator[None]:
    """Says of the standard input that it cannot be read: a file is named where it is opened."""
    try:
        yield
    except OSError as error:
        if file != _STREAM or isinstance(error, StoreError):
            raise
        raise InvalidError(f"the standard input cannot be read: {error.strerror}") from error


def _telling(bar: Bar) -> Callable[[TransferProgress], None]:
    def tell(progress: TransferProgress) -> None:
        bar.tell(
            Progress(
                conversations=progress.conversations,
                messages=progress.messages,
                total=progress.total,
            )
        )

    return tell
