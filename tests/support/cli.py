"""Running the command in tests: within this process, and on a terminal of its own."""

from __future__ import annotations

import os
import secrets
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from functools import cache

import httpcore  # noqa: F401  # plugins need it where `site` hides site-packages
import httpx  # noqa: F401
import pytest
import typer
from typer.testing import CliRunner

import convostore
from convostore import Message, Source, TextPart
from convostore.cli.app import app

from . import forking

SEEDED = """
import sys
from convostore import *
import convostore
with convostore.open("memory://seeded") as store:
    store.create_conversation(id="tides", title="When is high tide? 潮汐")
    store.append_messages("tides", [
        Message(id="question", role="user", parts=(TextPart(text="When is **high** tide?"),)),
        Message(id="answer", role="assistant", parts=(TextPart(text="At *six*."),)),
    ])
    store.create_conversation(id="moon", title="The moon")
"""
"""What a child process begins with: its own `memory://seeded`."""
TAIL = """
from convostore.cli import main
main()
"""
PATIENCE = 60.0
SILENCE = 5.0
"""Seconds after which a command that says nothing may have overlooked a signal."""

on_posix = pytest.mark.skipif(
    sys.platform == "win32", reason="there are no pseudo-terminals and no such signals on Windows"
)


def run(*arguments, **more):
    """Runs the command in this process, without a terminal."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", _command)  # which makes all of it each time
        return CliRunner().invoke(app, [str(each) for each in arguments], **more)


def _command(_):
    """The command as if newly made: it keeps the commands of plugins that it has come to know."""
    made = copy(_made_command())
    made.commands = dict(made.commands)
    return made


@cache
def _made_command():
    return typer.main.get_command(app)


def seeded():
    """The name of a new memory with two conversations: `tides`, of a turn, and `moon`, pinned."""
    name = secrets.token_hex(8)
    with convostore.open(f"memory://{name}") as store:
        store.create_conversation(id="tides", title="When is\nhigh tide?")
        store.append_messages("tides", [question(), answer()])
        store.create_conversation(id="moon", title="The moon")
        store.update_conversation("moon", pinned=True)
    return name


def question():
    return Message(id="question", role="user", parts=(TextPart(text="When is **high** tide?"),))


def answer(**more):
    sources = (
        Source(title="Tide table", url="https://example.org/tides", mark="1"),
        Source(title="Moon", kind="researched"),
    )
    text = TextPart(text="At *six*[1], they say[7].")
    return Message(id="answer", role="assistant", parts=(text,), sources=sources, **more)


def child(*arguments, before="", **more):
    """Runs the command in a process of its own that holds `memory://seeded`."""
    return subprocess.run(
        [sys.executable, "-c", SEEDED + before + TAIL, *arguments],
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        **more,
    )


@dataclass(frozen=True)
class Session:
    """How a process on a terminal ended, and all that the terminal showed."""

    status: int
    shown: str


def on_a_terminal(
    *arguments: str,
    before: str = "",
    answers: Iterable[tuple[str, str | signal.Signals]] = (),
    width: int = 80,
    fresh: bool = False,
    pager: str = "cat",
) -> Session:
    """Runs the command on a pseudo-terminal.

    Args:
        arguments: The command's.
        before: What the process does first, behind `SEEDED`.
        answers: What is waited for on the screen, each behind the one before, and what is then
            typed, or the signal sent.
        width: The terminal's.
        fresh: Whether the process is to start with nothing loaded.
        pager: The pager; by default none.
    """
    import fcntl
    import termios

    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONUTF8": "1"}
    environment["PROMPT_TOOLKIT_NO_CPR"] = "1"  # nobody says here where the cursor is
    environment["CONVOSTORE_PAGER"] = pager
    for name in ("NO_COLOR", "COLUMNS", "FORCE_COLOR"):
        environment.pop(name, None)
    start = _start if fresh else forking.fork
    process = start(SEEDED + before + TAIL, arguments, environment, (theirs, theirs, theirs))
    os.close(theirs)
    try:
        screen = _screen(process, ours, list(answers))
        return Session(process.wait(PATIENCE), screen.decode())
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)
        os.close(ours)


def _start(code, arguments, environment, streams) -> subprocess.Popen[bytes]:
    stdin, stdout, stderr = streams
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=environment,
        start_new_session=True,
    )


def _screen(process, ours, answers) -> bytes:
    shown, seen = b"", 0
    deadline = time.monotonic() + PATIENCE
    signals = []

    def nudge() -> None:
        # Python does not see a signal that comes just before it waits for what is typed.
        for number in signals[-1:]:
            process.send_signal(number)

    while chunk := _read(ours, deadline, nudge):
        shown += chunk
        while answers and (found := shown.find(expected := answers[0][0].encode(), seen)) >= 0:
            _, reply = answers.pop(0)
            seen = found + len(expected)
            if isinstance(reply, signal.Signals):
                signals.append(reply)
                process.send_signal(reply)
            else:
                os.write(ours, reply.encode())
    assert not answers, f"never asked: {answers[0][0]!r}\n{shown.decode()}"
    return shown


def _read(ours, deadline, nudge) -> bytes:
    while not select.select([ours], [], [], SILENCE)[0]:
        assert time.monotonic() < deadline, "the command hangs"
        nudge()
    try:
        return os.read(ours, 65536)
    except OSError:  # Linux says so when the other side is closed
        return b""
