"""A process in which the command is loaded, and which forks itself for each that a test wants.

What is forked is a process like any other, with a terminal, signals and an end of its own; it only
need not import what all of them import. POSIX only. Run as a script it is that process; what the
command does is not known here.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

LOADED = ("httpx", "markdown_it", "prompt_toolkit.shortcuts", "rich.markdown", "rich.progress")
"""What the command loads when it needs it, besides its own modules."""
LENGTH = 8


class Forked:
    """A process that was forked; `status` is its exit status, or a signal's number below zero."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._pid: int = _receive(channel)
        self._status: int | None = None

    def send_signal(self, number: int) -> None:
        if self._status is None:
            os.kill(self._pid, number)

    def wait(self, seconds: float) -> int:
        if self._status is None:
            self._channel.settimeout(seconds)
            self._status = _receive(self._channel)
        return self._status


class _Template:
    """The process that forks itself; its own streams are a terminal that nobody looks at."""

    def __init__(self) -> None:
        self.channel, theirs = socket.socketpair()
        self._ours, terminal = os.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(theirs.fileno())],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env={**os.environ, "PYTHONUTF8": "1"},
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        os.close(terminal)

    def close(self) -> None:
        self.channel.close()
        os.close(self._ours)
        self._process.wait()


@cache
def _template() -> _Template:
    return _Template()


def fork(
    code: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    streams: tuple[int, int, int],
) -> Forked:
    """Forks a process that runs some code, with these streams. One at a time."""
    channel = _template().channel
    channel.settimeout(60)
    asked = [code, list(arguments), dict(environment), str(Path.cwd())]
    _send(channel, asked, streams)
    return Forked(channel)


def close() -> None:
    """Ends the process that forks itself, if there is one."""
    if _template.cache_info().currsize:
        _template().close()
        _template.cache_clear()


def _send(channel: socket.socket, value: object, streams: Sequence[int] = ()) -> None:
    content = json.dumps(value).encode()
    socket.send_fds(channel, [len(content).to_bytes(LENGTH)], streams)
    channel.sendall(content)


def _receive(channel: socket.socket, streams: list[int] | None = None) -> Any:
    head, descriptors, _, _ = socket.recv_fds(channel, LENGTH, 3)
    if streams is not None:
        streams[:] = descriptors
    left = int.from_bytes(head)
    content = b""
    while len(content) < left:
        content += channel.recv(left - len(content))
    return json.loads(content) if content else None


def _asked_for(channel: socket.socket) -> str:
    """Forks for each that is asked for; returns in those only, with the code to be run."""
    streams: list[int] = []
    while (asked := _receive(channel, streams)) is not None:
        if (pid := os.fork()) == 0:
            channel.close()
            return _become(streams, *asked)
        for each in streams:
            os.close(each)
        _send(channel, pid)
        _send(channel, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    os._exit(0)


def _become(
    streams: list[int], code: str, arguments: list[str], environment: dict[str, str], folder: str
) -> str:
    """Makes a process that was forked as if it had just been started."""
    os.setsid()
    for number, each in enumerate(streams):
        os.dup2(each, number)
        os.close(each)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=stream.isatty() or stream is sys.stderr)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["-c", *arguments]
    sys.path[:0] = ["", *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    return code


def _load() -> None:
    cli = importlib.import_module("convostore.cli")
    for each in pkgutil.iter_modules(cli.__path__, "convostore.cli."):
        importlib.import_module(each.name)
    for name in LOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    _load()
    exec(_asked_for(socket.socket(fileno=int(sys.argv[1]))), {"__name__": "__main__"})
