"""Output of commands: lines, JSON, tables for terminals, and a notice while people wait.

`render` decides how a conversation looks.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from typing import IO, TYPE_CHECKING, Annotated, Any, Final, TypeVar, cast

import typer

from .errors import print_to_stderr
from .render.text import CONTROL

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..models import Conversation, Message, Reply, ReplyEvent

T = TypeVar("T")

PATIENCE: Final = 0.8
"""Seconds until people are shown what they wait for."""

_MARKS: Final = {True: "✓", False: "✗", None: "-"}
_MARKS_IN_ASCII: Final = {True: "ok", False: "NO", None: "-"}

AsJSON = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]
AsLines = Annotated[
    bool, typer.Option("--jsonl", help="Print a line of JSON for each item as it is read.")
]
WithRaw = Annotated[
    bool, typer.Option("--raw", help="Include `raw`, the backend's own object, in the JSON.")
]


class Form(Enum):
    """The form of a result."""

    TERMINAL = "terminal"
    PLAIN = "plain"
    JSON = "json"
    JSON_LINES = "jsonl"


def choose_form(
    *, as_json: bool, as_lines: bool = False, raw: bool = False, lines: str = "--jsonl"
) -> Form:
    """Return the form that the options ask for; by default, that for a terminal or a pipe.

    Args:
        as_json: Whether one JSON document is asked for.
        as_lines: Whether lines of JSON are asked for.
        raw: Whether `raw` is asked for.
        lines: The name of the option for lines.

    Raises:
        typer.BadParameter: The options contradict each other.
    """
    if as_json and as_lines:
        raise typer.BadParameter("cannot be combined: choose one", param_hint=f"--json / {lines}")
    if raw and not (as_json or as_lines):
        raise typer.BadParameter(f"requires --json or {lines}", param_hint="--raw")
    if as_json:
        return Form.JSON
    if as_lines:
        return Form.JSON_LINES
    return Form.TERMINAL if sys.stdout.isatty() else Form.PLAIN


def write(text: str, *, end: str = "\n") -> None:
    """Print a line, or a piece of one, with ``?`` for what the output's encoding lacks."""
    encoding = sys.stdout.encoding or "utf-8"
    typer.echo(text.encode(encoding, "replace").decode(encoding) + end, nl=False)


def print_done(text: str) -> None:
    """Print on stderr what was done, for people at a terminal; a script has the exit code."""
    if sys.stderr.isatty():
        print_to_stderr(text)


def display(*renderables: RenderableType) -> None:
    """Print something on the terminal."""
    from rich.console import Console

    Console().print(*renderables)


def display_paged(blocks: Iterable[RenderableType]) -> None:
    """Print blocks on the terminal, through the pager if they are longer than the screen."""
    from rich.console import Console

    from ._pager import PagedOutput

    terminal = Console()
    if terminal.legacy_windows:  # which has no codes for colours
        display(*blocks)
        return
    with PagedOutput(terminal.height) as output:
        console = Console(file=cast("IO[str]", output), force_terminal=True)
        for block in blocks:
            console.print(block)
            if output.is_closed:
                return


def mark_of(value: bool | None) -> str:
    """Return a mark for yes, no or not known, in characters that the output's encoding has."""
    try:
        _MARKS[value].encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return _MARKS_IN_ASCII[value]
    return _MARKS[value]


def write_json(value: Any, *, indent: int | None = None) -> None:
    """Print a JSON value, with its control characters and lone surrogates escaped."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    text = json.dumps(
        _jsonable(value), indent=indent, ensure_ascii=encoding != "utf8", allow_nan=False
    )
    typer.echo(CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def _jsonable(value: Any) -> Any:
    """Return a value as JSON has it, with null for infinities and NaN."""
    match value:
        case float() if not math.isfinite(value):
            return None
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case dict():
            return {key: _jsonable(item) for key, item in value.items()}
        case list() | tuple():
            return [_jsonable(item) for item in value]
        case _:
            return value


_RAW: Final[Any] = {"raw": True, "sources": {"__all__": {"raw"}}}
_RAW_OF_REPLY: Final[Any] = {"message": _RAW, "question": _RAW}


def plain(value: Conversation | Message, *, raw: bool) -> dict[str, Any]:
    """Convert a conversation or a message to plain data, for `write_json`.

    Not in pydantic's JSON mode, which fails at a lone surrogate in a key of `raw`.
    """
    return value.model_dump(exclude=None if raw else _RAW)


def plain_reply(reply: Reply, *, raw: bool) -> dict[str, Any]:
    """Convert a reply to plain data, for `write_json`."""
    data = reply.model_dump(exclude=None if raw else _RAW_OF_REPLY)
    if not raw:
        _drop_raw(data["run_details"])
    return data


def plain_event(event: ReplyEvent, *, raw: bool) -> dict[str, Any]:
    """Convert an event of a reply to plain data, for `write_json`."""
    data = event.model_dump(exclude=None if raw else {**_RAW, "reply": True})
    if event.kind == "reply_finished":
        data["reply"] = plain_reply(event.reply, raw=raw)
    elif event.kind == "run_details_reported" and not raw:
        _drop_raw(data["steps"])
    return data


def _drop_raw(steps: Iterable[dict[str, Any]]) -> None:
    """Remove `raw` from the steps of a run, at any depth."""
    for step in steps:
        del step["raw"]
        _drop_raw(step["steps"])


def collect(items: Iterable[T], name: str) -> list[T]:
    """Return all items as a list; show people at a terminal their number if that takes long."""
    collected: list[T] = []
    with waiting(name) as show_count:
        for item in items:
            collected.append(item)
            show_count(len(collected))
    return collected


@contextmanager
def waiting(name: str) -> Iterator[Callable[[int], None]]:
    """Show what is being read, once it takes long and if stderr is a terminal.

    Args:
        name: Such as ``"messages"``.

    Yields:
        A function to call with the number of items that were read.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from threading import Timer

    from rich.console import Console

    status = Console(stderr=True).status(f"reading {name}…")
    timer = Timer(PATIENCE, status.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda count: status.update(f"reading {name}… {count:,}")
    finally:
        timer.cancel()
        timer.join()
        status.stop()
