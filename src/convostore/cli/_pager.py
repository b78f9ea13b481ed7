"""The pager: long output goes through it at a terminal, as git's does.

`CONVOSTORE_PAGER` or `PAGER` names it, ``less`` is the default, and an empty one or ``cat`` is
none. It is started once the output is longer than the screen. Nothing is rendered here.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from .errors import print_to_stderr

__all__ = ["PagedOutput", "use_pager"]

_DEFAULT: Final = "less"
_COLOURS: Final = "-R"
"""Said to less even if the user's own LESS does not: it would show codes in place of colours."""
_DUMB: Final = "dumb"
_NONE: Final = frozenset({"", "cat"})
_SETTINGS: Final = {"LESS": "FRX", "LV": "-c"}
"""As git sets them if the user has not: quit below a screen, show colours, leave the screen."""
_PROMPT_LINES: Final = 1


class _Choice:
    """Whether a pager is used; ``--no-pager`` says not."""

    is_on = True


def use_pager(is_on: bool) -> None:  # its one argument
    """Say whether long output goes through a pager from now on."""
    _Choice.is_on = is_on


class PagedOutput:
    """A text stream to the terminal that turns into a pager's input when the screen is full.

    A pager that is closed before the end ends the output without an error: `is_closed` says so.
    """

    def __init__(self, height: int) -> None:
        """Create the stream.

        Args:
            height: The lines of the screen.
        """
        self.encoding = sys.stdout.encoding or "utf-8"
        self.is_closed = False
        self._height = height
        self._held: list[str] = []
        self._lines = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._is_direct = not _Choice.is_on or _command() is None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is None:
            self._write_directly()
        else:
            self._wait(self._process)

    def write(self, text: str) -> int:
        """Write a text: hold it back while it fits on the screen, then give it to the pager."""
        self._held.append(text)
        self._lines += text.count("\n")
        if self._process is None and not self._is_direct:
            if self._lines <= self._height - _PROMPT_LINES:
                return len(text)
            self._process = _start()
            self._is_direct = self._process is None
        if self._process is None:
            self._write_directly()
        elif not self.is_closed:
            self._feed(self._process)
        return len(text)

    def flush(self) -> None:
        """Do nothing: what fits on the screen is held back until the end."""

    def isatty(self) -> bool:
        """Return True: what is written here ends on the terminal."""
        return True

    def _take(self) -> str:
        text = "".join(self._held)
        self._held.clear()
        return text

    def _write_directly(self) -> None:
        sys.stdout.write(self._take())
        sys.stdout.flush()

    def _feed(self, process: subprocess.Popen[bytes]) -> None:
        try:
            _pipe(process).write(self._take().encode(self.encoding, "replace"))
            _pipe(process).flush()
        except OSError:  # the pager was closed
            self.is_closed = True

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until people have read; an interrupt is the pager's until then."""
        _despite_interrupts(lambda: _close(process))
        _despite_interrupts(process.wait)


def _despite_interrupts(step: Callable[[], object]) -> None:
    while True:
        try:
            step()
            return
        except KeyboardInterrupt:
            continue


def _close(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        _pipe(process).close()


def _pipe(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdin is not None  # noqa: S101  # it is a pipe
    return process.stdin


def _command() -> list[str] | None:
    """Return the command of the pager; None for none, and for a terminal that no pager can move."""
    if os.environ.get("TERM") == _DUMB:
        return None
    named = os.environ.get("CONVOSTORE_PAGER", os.environ.get("PAGER", _DEFAULT))
    try:
        words = shlex.split(named)
    except ValueError:
        words = [named]
    return None if " ".join(words) in _NONE else words


def _start() -> subprocess.Popen[bytes] | None:
    """Start the pager; None, with a line on stderr unless it is the default, if there is none."""
    command = _command() or [_DEFAULT]
    colours = [_COLOURS] if Path(command[0]).stem == _DEFAULT else []
    try:
        return subprocess.Popen(  # noqa: S603  # the user's own settings say what to run
            [*command, *colours], stdin=subprocess.PIPE, env={**_SETTINGS, **os.environ}
        )
    except OSError as error:
        if command != [_DEFAULT]:
            print_to_stderr(f"cannot run the pager {command[0]}: {error.strerror}")
        return None
