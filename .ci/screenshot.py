"""Screenshots by the Chromium of this machine, and whether something is on them."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path

from terminal import SECONDS, StepError

__all__ = ["take_screenshot"]


def take_screenshot(url: str, file: Path) -> str:
    """Take a picture of a page by Chromium, and make sure that something is on it."""
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        if os.environ.get("CONVOSTORE_REQUIRE_CHROMIUM"):
            raise StepError("no Chromium to take the screenshot")
        return "no Chromium here: the screenshot is NOT TAKEN\n"
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += ["--no-first-run", "--disable-background-networking", "--disable-sync"]
        command += ["--disable-component-update", "--virtual-time-budget=10000"]
        command += ["--window-size=1280,900", f"--user-data-dir={profile}", f"--screenshot={file}"]
        subprocess.run([*command, url], capture_output=True, check=True, timeout=SECONDS)
    picture = file.read_bytes()
    width, height = struct.unpack(">II", picture[16:24])
    rows = rows_of(picture, height)
    if (width, height) != (1280, 900) or len(rows) < 50:
        raise StepError(f"the screenshot is {width} × {height} with {len(rows)} different rows")
    return f"screenshot: {width} × {height}, {len(picture)} bytes, {len(rows)} different rows\n"


def rows_of(picture: bytes, height: int) -> set[bytes]:
    """Return the different rows of a PNG, as they are stored: a blank one has two or three."""
    data, place = b"", 8
    while place < len(picture):
        size, kind = struct.unpack(">I4s", picture[place : place + 8])
        if kind == b"IDAT":
            data += picture[place + 8 : place + 8 + size]
        place += size + 12
    raw = zlib.decompress(data)
    length = len(raw) // height
    return {raw[start : start + length] for start in range(0, len(raw), length)}
