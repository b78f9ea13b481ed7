"""What leaves the command: lines, JSON, tables for terminals, and a word while one waits."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from .errors import print_to_stderr
from .render.text import CONTROL

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..models import Conversation, Message, Reply, ReplyEvent

T = TypeVar("T")

PATIENCE: Final = 0.8
"""Seconds that one waits before a word is said about it."""

AsJSON = Annotated[bool, typer.Option("--json", help="One JSON document, for programs.")]
AsLines = Annotated[
    bool, typer.Option("--jsonl", help="A line of JSON for each, written as it is read.")
]
WithRaw = Annotated[
    bool, typer.Option("--raw", help="In JSON also `raw`, what the service itself sent.")
]


class Form(Enum):
    """How a result is written."""

    TERMINAL = "terminal"
    PLAIN = "plain"
    JSON = "json"
    JSON_LINES = "jsonl"


def form(
    *, as_json: bool, as_lines: bool = False, raw: bool = False, lines: str = "--jsonl"
) -> Form:
    """What the options ask for; by default it depends on whether people look on.

    Args:
        as_json: Whether one document is asked for.
        as_lines: Whether lines of JSON are.
        raw: Whether `raw` is to be there.
        lines: What the option for lines is called.
    """
    if as_json and as_lines:
        raise typer.BadParameter("choose one of the two", param_hint=f"--json / {lines}")
    if raw and not (as_json or as_lines):
        raise typer.BadParameter(f"goes with --json or {lines}", param_hint="--raw")
    if as_json:
        return Form.JSON
    if as_lines:
        return Form.JSON_LINES
    return Form.TERMINAL if sys.stdout.isatty() else Form.PLAIN


def write(text: str, *, end: str = "\n") -> None:
    """Prints a line, or a piece of one, that may hold what the output's encoding cannot."""
    encoding = sys.stdout.encoding or "utf-8"
    typer.echo(text.encode(encoding, "replace").decode(encoding) + end, nl=False)


def print_done(text: str) -> None:
    """Print on stderr what was done, for people at a terminal; a script has the exit code."""
    if sys.stderr.isatty():
        print_to_stderr(text)


def display(renderable: RenderableType) -> None:
    """Shows something on the terminal."""
    from rich.console import Console

    Console().print(renderable)


def write_json(value: Any, *, indent: int | None = None) -> None:
    """Prints a JSON value that holds neither a control character nor a lone surrogate bare."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    text = json.dumps(
        _jsonable(value), indent=indent, ensure_ascii=encoding != "utf8", allow_nan=False
    )
    typer.echo(CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def _jsonable(value: Any) -> Any:
    """The value as JSON has it, with null for each number that JSON has none for."""
    match value:
        case float() if not math.isfinite(value):
            return None
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case dict():
            return {key: _jsonable(each) for key, each in value.items()}
        case list() | tuple():
            return [_jsonable(each) for each in value]
        case _:
            return value


_RAW: Final[Any] = {"raw": True, "sources": {"__all__": {"raw"}}}
_RAW_OF_REPLY: Final[Any] = {"message": _RAW, "question": _RAW}


def plain(value: Conversation | Message, *, raw: bool) -> dict[str, Any]:
    """A conversation or message as plain data, for `write_json`.

    Not in pydantic's own JSON mode, which stops at a lone surrogate in a key of `raw`.
    """
    return value.model_dump(exclude=None if raw else _RAW)


def plain_reply(reply: Reply, *, raw: bool) -> dict[str, Any]:
    """A reply as plain data, for `write_json`."""
    found = reply.model_dump(exclude=None if raw else _RAW_OF_REPLY)
    if not raw:
        _bare(found["run_details"])
    return found


def plain_event(event: ReplyEvent, *, raw: bool) -> dict[str, Any]:
    """An event of a reply as plain data, for `write_json`."""
    found = event.model_dump(exclude=None if raw else {**_RAW, "reply": True})
    if event.kind == "reply_finished":
        found["reply"] = plain_reply(event.reply, raw=raw)
    elif event.kind == "run_details_reported" and not raw:
        _bare(found["steps"])
    return found


def _bare(steps: Iterable[dict[str, Any]]) -> None:
    """Takes `raw` out of the steps of a run, at whatever depth."""
    for step in steps:
        del step["raw"]
        _bare(step["steps"])


def gathered(items: Iterable[T], what: str) -> list[T]:
    """All of the items; people at a terminal are told when that takes long."""
    found: list[T] = []
    with waiting(what) as tell:
        for item in items:
            found.append(item)
            tell(len(found))
    return found


@contextmanager
def waiting(what: str) -> Iterator[Callable[[int], None]]:
    """Shows what one waits for, once it takes long and stderr is a terminal; gone at the end."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from threading import Timer

    from rich.console import Console

    status = Console(stderr=True).status(f"reading {what}…")
    timer = Timer(PATIENCE, status.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda count: status.update(f"reading {what}… {count:,}")
    finally:
        timer.cancel()
        timer.join()
        status.stop()
