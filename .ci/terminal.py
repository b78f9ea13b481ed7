"""Commands as a person runs them: at a terminal, whose width is always the same."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from typing import Final

ESCAPE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[=>])")
SECONDS: Final = 120  # no command of a page may take that long


class StepError(Exception):
    """A step that does not do what it should; its text is the reason."""


def bare_lines(text: str) -> str:
    """Return a text without escapes and without blanks at the ends of lines."""
    plain = ESCAPE.sub("", text).replace("\r\n", "\n")
    return "\n".join(line.rstrip() for line in plain.splitlines()).strip("\n")


def run_command(command: str) -> str:
    """Run a command at a terminal of 100 columns, and return what it prints."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=its,
        stderr=its,
        start_new_session=True,
        env=os.environ | {"COLUMNS": "100", "LINES": "50", "NO_COLOR": "1", "PAGER": "cat"},
    )
    os.close(its)
    watch = threading.Timer(SECONDS, os.killpg, (process.pid, signal.SIGKILL))
    watch.start()
    printed = b"".join(chunks(ours))
    status = process.wait()
    watch.cancel()
    text = ESCAPE.sub("", printed.decode()).replace("\r\n", "\n")
    if status:
        raise StepError(f"status {status}:\n{text}")
    return text


def chunks(terminal: int) -> Iterator[bytes]:
    """Yield what arrives at our end of a terminal until the other one is closed."""
    with contextlib.suppress(OSError):  # Linux says so of a terminal that nobody has open
        while chunk := os.read(terminal, 65536):
            yield chunk
    os.close(terminal)
