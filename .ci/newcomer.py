"""Try the installed distributions as a newcomer does, and log each step: `make dist` runs it.

It needs only the standard library, runs with the Python of a fresh environment in an empty folder,
and sees nothing of the repository but the pages that it is given:

    python newcomer.py README.md installs.json [--limits] [--screenshot viewer.png]

A page runs as it stands, from top to bottom. The `python` blocks share one namespace, and a `text`
block after one is exactly what it prints. In a `console` block each line with `$ ` is a command and
what follows is its output, where `…` stands for anything. `pip install` takes the built wheels,
by the words that the JSON file has for it. `convostore serve` runs until the page ends, and must
answer.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from screenshot import take_screenshot
from terminal import SECONDS, StepError, bare_lines, run_command

FENCE: Final = re.compile(
    r"^(?:<!-- (?P<file>\S+) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
ADDRESS: Final = re.compile(r"https?://[\w.\[\]:-]+:\d+")
SHOWN_LINES: Final = 6


@dataclass
class Step:
    """One thing that a reader does: paste a block of Python, or type a command."""

    kind: str
    text: str
    expected: str | None
    line: int


@dataclass
class Counts:
    """How many steps it took; None where the page does not come to it."""

    steps: int = 0
    since_pip: int | None = None
    first_answer: int | None = None
    viewer: int | None = None


@dataclass
class Reader:
    """Somebody who goes through a page, with what is in front of them."""

    installs: Mapping[str, Sequence[str]]
    screenshot: Path | None
    namespace: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    servers: list[subprocess.Popen[str]] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)

    def take(self, step: Step) -> None:
        """Do one step and log it."""
        self.counts.steps += 1
        command = f"$ {step.text}" if step.kind == "command" else f"python, line {step.line}:"
        log(f"{self.counts.steps:3} {command}")
        if step.kind == "python":
            log(textwrap.indent(step.text.rstrip(), "  >>> "))
            printed = self.run_python(step)
        elif re.match(r"(python3? -m )?pip install ", step.text):
            printed = self.install(step)
        elif step.text.startswith("convostore serve "):
            printed = self.serve(step)
        else:
            printed = run_command(step.text)
        shown = printed.splitlines()
        more = [f"… {len(shown) - SHOWN_LINES} more lines"] if len(shown) > SHOWN_LINES else []
        log(textwrap.indent("\n".join([*shown[:SHOWN_LINES], *more]), "      "))
        if step.expected is not None and not shows(step, printed):
            raise StepError(f"it should print:\n{step.expected}\nbut it prints:\n{printed}")
        log("    ok")
        self.count(step, printed)

    def count(self, step: Step, printed: str) -> None:
        """Count the steps from the first `pip install` and to the first answer."""
        counts = self.counts
        if counts.since_pip is None:
            if "pip install " in step.text and step.kind == "command":
                counts.since_pip = counts.steps
        elif counts.first_answer is None and printed:
            counts.first_answer = counts.steps - counts.since_pip + 1

    def run_python(self, step: Step) -> str:
        """Run a block as typed on from those before, and return what it prints."""
        printed = io.StringIO()
        code = compile("\n" * step.line + step.text, "<page>", "exec")
        with contextlib.redirect_stdout(printed):
            exec(code, self.namespace)
        return printed.getvalue()

    def install(self, step: Step) -> str:
        """Install what the page says, and have pip say that it is all there."""
        _, _, wanted = step.text.partition("pip install ")
        pip = [sys.executable, "-m", "pip", "install"]
        run_quietly([*pip, "-qq", *self.installs[wanted]])
        printed = run_quietly([*pip, "--dry-run", "--no-index", *shlex.split(wanted)])
        if "Would install" in printed:
            raise StepError(f"it is not all installed:\n{printed}")
        return ""

    def serve(self, step: Step) -> str:
        """Start a server, wait for its address, and look at what it serves."""
        server = subprocess.Popen(
            shlex.split(step.text),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.servers.append(server)
        printed = first_lines_with_an_address(server)
        url = ADDRESS.search(printed)
        if url is None:
            raise StepError(f"the server says no address:\n{printed}")
        listed = json.loads(fetch(f"{url[0]}/v1/conversations"))["items"]
        if not listed:
            raise StepError("the server has no conversation, though the page made some")
        viewer = fetch(f"{url[0]}/viewer/")
        titles = [title for entry in listed if (title := entry.get("title"))]
        if missing := [title for title in titles if title.split()[0] not in viewer]:
            raise StepError(f"the viewer does not list {missing}")
        if self.counts.viewer is None:
            self.counts.viewer = self.counts.steps
        if self.screenshot is not None and not self.screenshot.exists():
            log(f"      {take_screenshot(f'{url[0]}/viewer/', self.screenshot)}".rstrip())
        return printed

    def stop_servers(self) -> None:
        """Interrupt the servers, as Ctrl-C does, and wait for their end."""
        for server in self.servers:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGINT)
            status = server.wait(timeout=SECONDS)
            log(f"    the server ended with status {status}")
            if status not in {0, 130}:
                raise StepError("a server should end with 0 or 130")


def steps_of(page: str) -> Iterator[Step]:
    """Yield what a reader of a page does, in order."""
    found = [block for block in FENCE.finditer(page) if block["file"] is None]
    for block, following in itertools.zip_longest(found, found[1:]):
        line = page.count("\n", 0, block.start("text"))
        if block["language"] == "python":
            printed = following is not None and following["language"] == "text"
            text = following["text"] if following is not None and printed else None
            yield Step("python", block["text"], text, line)
        elif block["language"] == "console":
            yield from commands_of(block["text"], line)


def commands_of(text: str, line: int) -> Iterator[Step]:
    """Yield the commands of a console block; a line that ends with a backslash goes on."""
    joined = text.replace("\\\n", "")
    for part in re.split(r"^\$ ", joined, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield Step("command", " ".join(command.split()), output.strip("\n") or None, line)


def shows(step: Step, printed: str) -> bool:
    """Return whether a step prints what the page shows."""
    if step.kind == "python":
        return printed == step.expected
    pattern = ".*".join(map(re.escape, bare_lines(step.expected or "").split("…")))
    return re.fullmatch(pattern, bare_lines(printed), re.DOTALL) is not None


def first_lines_with_an_address(server: subprocess.Popen[str]) -> str:
    """Return what a server prints, up to the line that has its address."""
    watch = threading.Timer(SECONDS, server.kill)
    watch.start()
    lines = []
    assert server.stdout is not None
    for line in server.stdout:
        lines.append(line)
        if ADDRESS.search(line):
            threading.Thread(target=server.stdout.read, daemon=True).start()  # no full pipe
            break
    watch.cancel()
    return "".join(lines)


def run_quietly(command: Sequence[str]) -> str:
    """Return what a command prints.

    Raises:
        StepError: It fails.
    """
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    if result.returncode:
        raise StepError(f"status {result.returncode}:\n{result.stdout}{result.stderr}")
    return result.stdout


def fetch(url: str) -> str:
    """Return the body at a URL; a server that is not up yet is asked again."""
    end = time.monotonic() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=SECONDS) as response:
                return str(response.read().decode())
        except ConnectionError:
            if time.monotonic() > end:
                raise


def go_through(
    page: Path, installs: Mapping[str, Sequence[str]], *, limits: bool, screenshot: Path | None
) -> None:
    """Run a page from top to bottom.

    Raises:
        StepError: A step fails, or it takes too many of them.
    """
    reader = Reader(installs, screenshot)
    steps = list(steps_of(page.read_text(encoding="utf-8")))
    if not steps:
        raise StepError("the page has nothing to do")
    try:
        for step in steps:
            reader.take(step)
    finally:
        reader.stop_servers()
    counts = reader.counts
    answer, viewer = counts.first_answer or "none", counts.viewer or "none"
    most = (" (at most 2)", " (at most 3)") if limits else ("", "")
    log(f"commands from pip install to the first printed answer: {answer}{most[0]}")
    log(f"commands from {page.name} to the viewer: {viewer}{most[1]}")
    if limits and not (counts.first_answer or 9) <= 2:
        raise StepError("the first answer comes too late")
    if limits and not (counts.viewer or 9) <= 3:
        raise StepError("the viewer comes too late")


def log(text: str) -> None:
    """Print a line of the log at once."""
    if text:
        sys.__stdout__.write(text + "\n")  # type: ignore[union-attr]
        sys.__stdout__.flush()  # type: ignore[union-attr]


def main() -> None:
    """Run what the arguments say; the status is 1 if something fails."""
    parser = argparse.ArgumentParser()
    parser.add_argument("page", type=Path)
    parser.add_argument("installs", type=Path)
    parser.add_argument("--limits", action="store_true")
    parser.add_argument("--screenshot", type=Path)
    arguments = parser.parse_args()
    sys.path.pop(0)  # the folder of this script is none of a newcomer's
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    log(f"Python {sys.version.split()[0]}, convostore {metadata.version('convostore')}")
    try:
        installs = json.loads(arguments.installs.read_text(encoding="utf-8"))
        go_through(
            arguments.page, installs, limits=arguments.limits, screenshot=arguments.screenshot
        )
    except StepError as failure:
        sys.exit(f"    FAILED: {failure}")
    except Exception:
        traceback.print_exc()
        sys.exit("    FAILED")


if __name__ == "__main__":
    main()
