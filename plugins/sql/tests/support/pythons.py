"""Processes of Python that have the plugin loaded as soon as they begin.

To load it takes half a second, a hundred times that what most of these processes do. So one process
loads it, run from this file, and is forked for each that is wanted; these share nothing with it but
what was loaded. Where systems do not fork, each process loads it for itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from threading import Lock
from types import TracebackType
from typing import Protocol, Self, TextIO

_SECONDS = 120
_NOTHING = b"."


class Process(Protocol):
    """A process, as `subprocess.Popen` is one; a way out of its ``with`` waits for its end."""

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    pid: int
    returncode: int | None

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def kill(self) -> None: ...

    def wait(self) -> int: ...


class Python:
    """Starts processes, each with the arguments that the command ``python`` would be given."""

    def start(self, *arguments: str) -> Process:
        """Start a process: of a script, or after ``-c`` of a program's text."""
        return subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run a process to its end, and return its code and what it wrote to stderr."""
        with self.start(*arguments) as process:
            process.stdin.close()
            complaints = process.stderr.read()
        assert process.returncode is not None
        return process.returncode, complaints


@contextlib.contextmanager
def warm() -> Iterator[Python]:
    """Yield a starter of processes."""
    if not hasattr(os, "fork"):
        yield Python()
        return
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            number = theirs.fileno()
            process = subprocess.Popen(
                [sys.executable, __file__, str(number)],
                stdin=subprocess.DEVNULL,
                pass_fds=[number],
                start_new_session=True,  # an interrupt at the terminal is for those who test
            )
        with process:
            try:
                yield _WarmPython(ours)
            finally:
                ours.shutdown(socket.SHUT_RDWR)


class _WarmPython(Python):
    def __init__(self, control: socket.socket) -> None:
        self._control, self._lock = control, Lock()

    def start(self, *arguments: str) -> Process:
        with contextlib.ExitStack() as theirs:
            pipes = [os.pipe() for _ in range(3)]
            ours, status = socket.socketpair()
            ends = [pipes[0][0], pipes[1][1], pipes[2][1]]
            for end in ends:
                theirs.callback(os.close, end)
            theirs.enter_context(status)
            with self._lock:
                socket.send_fds(self._control, [_NOTHING], [*ends, status.fileno()])
        stdin = os.fdopen(pipes[0][1], "w", encoding="utf-8")
        stdout, stderr = (os.fdopen(pipe[0], encoding="utf-8") for pipe in pipes[1:])
        return _Forked(ours, stdin, stdout, stderr, arguments)


class _Forked:
    """A process that the warm one was forked for."""

    def __init__(
        self,
        status: socket.socket,
        stdin: TextIO,
        stdout: TextIO,
        stderr: TextIO,
        arguments: Sequence[str],
    ) -> None:
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self.returncode: int | None = None
        status.settimeout(_SECONDS)
        with status:
            self._status = status.makefile("rw", encoding="utf-8")
        print(json.dumps(arguments), file=self._status, flush=True)
        self.pid = int(self._status.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for item in (self.stdin, self.stdout, self.stderr):
            with suppress(BrokenPipeError):
                item.close()
        self.wait()

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        if self.returncode is None:
            with self._status:
                self.returncode = int(self._status.readline())
        return self.returncode


# The warm process


def _serve(control: socket.socket) -> None:
    """Fork for each requested process, until nobody can request more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children but their own
    while True:
        message, ends, _, _ = socket.recv_fds(control, len(_NOTHING), 4)
        if not message:
            return
        if not os.fork():
            control.close()
            _attend(*ends)
        for end in ends:
            os.close(end)


def _attend(*ends: int) -> None:
    """Fork the process, and report its id and how it ended."""
    *standard, status = ends
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with socket.socket(fileno=status) as both, both.makefile("rw", encoding="utf-8") as told:
        arguments = json.loads(told.readline())
        if not (child := os.fork()):
            os.close(both.detach())
            _become(arguments, standard)
        for item in standard:
            os.close(item)
        print(child, file=told, flush=True)
        _, ended = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(ended), file=told, flush=True)
    os._exit(0)


def _become(arguments: list[str], standard: list[int]) -> None:
    """Run a script or a program's text as `python` does, and exit."""
    for number, item in enumerate(standard):
        os.dup2(item, number)
        os.close(item)
    code = 0
    try:
        if arguments[0] == "-c":
            sys.argv = ["-c", *arguments[2:]]
            exec(compile(arguments[1], "<string>", "exec"), {"__name__": "__main__"})
        else:
            sys.argv = arguments
            runpy.run_path(arguments[0], run_name="__main__")
    except BaseException:
        traceback.print_exc()
        code = 1
    with suppress(OSError):
        sys.stdout.flush()
    os._exit(code)


def _load() -> None:
    """Load what the plugin does, on the way to either database."""
    import convostore
    import convostore_sql.postgresql  # noqa: F401
    from convostore_sql.statements import statements_of

    statements_of("postgresql")
    with convostore.open("sqlite://") as store:
        store.check()


if __name__ == "__main__":
    _load()
    with socket.socket(fileno=int(sys.argv[1])) as listening:
        _serve(listening)
