"""The commands `export` and `import`: write conversations to a file, and read them from one.

Formats are not known here, but by name.
"""

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
from .._completion import complete_conversation
from .._lookup import find_id
from .._output import AsJSON, choose_form, print_done
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
"""The name of the standard output or input in the place of a file."""


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
        typer.Argument(
            metavar="ID",
            autocompletion=complete_conversation,
            help="Only these conversations; - is the last active one. By default all.",
        ),
    ] = None,
    file: Annotated[
        str,
        typer.Option(
            "--file",
            "-f",
            metavar="FILE",
            help="The file to write; by default the standard output. An existing file is replaced "
            "once the new one is complete.",
        ),
    ] = _STREAM,
    format: Annotated[
        _OutputFormat | None,
        typer.Option(help="The format; by default it follows from the file's name."),
    ] = None,
    without_raw: Annotated[
        bool,
        typer.Option("--no-raw", help="Leave `raw`, the backend's own objects, out of JSONL."),
    ] = False,
    given: Given = None,
) -> None:
    """Export conversations to a file.

    JSONL is lossless and can be imported. Markdown and HTML are for reading. OpenAI-style messages
    are for other programs.

    If all are exported, conversations that cannot be read are left out, and the command exits with
    1.
    """
    format_name = _format_name(format, file)
    to_file = file != _STREAM
    advice = f"{file} was not written" if to_file else None
    with (
        opened(target, given) as store,
        progress_bar("exporting", advice=advice, shown=to_file) as bar,
    ):
        ids = [find_id(store, word) for word in conversation_ids or ()]
        report = _export(store, ids, file, format_name, raw=not without_raw, bar=bar)
        label = store.label
    for line in skipped_lines(report.skipped):
        print_to_stderr(line)
    if not (report.conversations or report.skipped):
        print_to_stderr(f"nothing was exported: {label} lists no conversations")
    conversations = several(report.conversations, "conversation")
    print_done(f"exported: {conversations}, {several(report.messages, 'message')}")
    for line in loss_lines(report.losses):
        print_done(line)
    if report.skipped:
        raise typer.Exit(ExitCode.FAILED)


def _format_name(format: _OutputFormat | None, file: str) -> str | None:
    """Return the format to write: the one asked for, or that of the file's name.

    Raises:
        typer.BadParameter: The file's name ends in no known suffix.
    """
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
            "the file's name must end in .jsonl, .md or .html: choose a format",
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
        progress=_reporter(bar),
    )


class _Terminal:
    """A terminal as a stream that replaces control characters in the texts of strangers."""

    def write(self, text: str) -> int:
        sys.stdout.write(printable(text))
        return len(text)

    def flush(self) -> None:
        sys.stdout.flush()


def _standard_output() -> TextIO:
    """Return the standard output: in UTF-8 like a file, whatever the locale's encoding is."""
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
            help="Exported JSONL, a ChatGPT export (the zip, its folder, or a conversations.json) "
            "or OpenAI-style messages; - is the standard input.",
        ),
    ],
    target: Destination,
    format: Annotated[
        _InputFormat | None,
        typer.Option(help="The file's format; by default it is detected."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The name of the store that the conversations come from."
        ),
    ] = None,
    owner: Annotated[
        str | None,
        typer.Option(
            metavar="OWNER", help="The owner of new conversations; by default as in the file."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; report what would be written.")
    ] = False,
    as_json: AsJSON = False,
    given: Given = None,
) -> None:
    """Import conversations from a file into a store.

    Importing a file again changes nothing. A conversation that the store has under the same id, but
    with other messages, is left unchanged and reported as skipped.

    Exits with 1 if a conversation had to be skipped, or if there was nothing to import.
    """
    form = choose_form(as_json=as_json)
    advice = "import it again to continue from there"
    with (
        opened(target, given, create=True) as store,
        progress_bar("importing", advice=advice) as bar,
    ):
        report = _import(file, store, format, name, owner, dry_run=dry_run, bar=bar)
    write_report(report, form, dry_run=dry_run)
    if report.skipped:
        raise typer.Exit(ExitCode.FAILED)


import_.__name__ = "import"  # the name of the command


def _import(
    file: str,
    store: ConversationStore,
    format: _InputFormat | None,
    name: str | None,
    owner: str | None,
    *,
    dry_run: bool,
    bar: Bar,
) -> ImportReport:
    from ...models import UNSET
    from ...transfer import import_conversations

    with _name_input_in_errors(file):
        return import_conversations(
            _standard_input() if file == _STREAM else file,
            store,
            format=None if format is None else format.value,
            name=name,
            owner=UNSET if owner is None else owner,
            dry_run=dry_run,
            progress=_reporter(bar),
        )


def _standard_input() -> BinaryIO:
    if sys.stdin.isatty():
        raise typer.BadParameter("stdin is a terminal: pipe a file in", param_hint="FILE")
    return sys.stdin.buffer


@contextmanager
def _name_input_in_errors(file: str) -> Iterator[None]:
    """Name the standard input in errors of reading it, as those of a file name the file."""
    try:
        yield
    except OSError as error:
        if file != _STREAM or isinstance(error, StoreError):
            raise
        raise InvalidError(f"cannot read the standard input: {error.strerror}") from error


def _reporter(bar: Bar) -> Callable[[TransferProgress], None]:
    def report(progress: TransferProgress) -> None:
        bar.update(
            Progress(
                conversations=progress.conversations,
                messages=progress.messages,
                total=progress.total,
            )
        )

    return report
