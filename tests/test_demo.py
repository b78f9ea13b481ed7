"""The demonstration, as `make demo` runs it: to a pipe, and to a person at a terminal."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import convostore

pytestmark = pytest.mark.rim

DEMO = Path(__file__).parents[1] / "docs" / "examples" / "demo" / "demo.py"
ARCHIVE = re.compile(r"sqlite://\S+archive\.db")
NOTES_ITS_ADDRESS = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"


def _environment(folder, **more):
    return {**os.environ, "TMPDIR": str(folder), "COLUMNS": "80", **more}


def test_the_demo_ends_by_itself_where_nobody_watches(tmp_path):
    done = subprocess.run(
        [sys.executable, DEMO],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        env=_environment(tmp_path, PYTHONIOENCODING="utf-8", PYTHONWARNINGS="error"),
        timeout=120,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    for line in (
        "Perplexica 1.12  7 copied, 0 unchanged, 16 messages written",
        "FastGPT 4.16     6 copied, 0 unchanged, 26 messages written",
        "Perplexica 1.12  0 copied, 7 unchanged, nothing written",
        "FastGPT 4.16     0 copied, 6 unchanged, nothing written",
        "A late fee of",
        "什么是量子纠缠？",
        "13 chats",
        "13 histories",
        "Shinkai directed it",
        "/viewer/",
    ):
        assert line in done.stdout
    assert len(done.stdout.splitlines()) <= 40
    with convostore.open(ARCHIVE.findall(done.stdout)[-1]) as archive:
        assert len(list(archive.conversations())) == 13


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudoterminals")
def test_at_a_terminal_the_demo_opens_a_browser_and_serves_until_it_is_interrupted(tmp_path):
    noted = tmp_path / "address"
    browser = tmp_path / "browser.py"
    browser.write_text(NOTES_ITS_ADDRESS)
    ours, its = os.openpty()
    with subprocess.Popen(
        [sys.executable, DEMO],
        stdin=its,
        stdout=its,
        stderr=its,
        env=_environment(tmp_path, BROWSER=f"{sys.executable} {browser} {noted} %s", TERM="xterm"),
    ) as demo:
        os.close(its)
        try:
            shown = _read_until(ours, b"Press Ctrl-C to stop")
            address = noted.read_text()
            assert address.encode() in shown
            assert httpx.get(address).status_code == 200
            demo.send_signal(signal.SIGINT)
            assert demo.wait(60) == 0
            assert b"archive.db" in shown
        finally:
            demo.kill()
            os.close(ours)


def _read_until(terminal, words):
    shown = b""
    while words not in shown:
        shown += os.read(terminal, 65536)
    return shown
