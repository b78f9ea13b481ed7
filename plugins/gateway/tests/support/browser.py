"""Debian's Chromium for tests, and visitors that let nothing suspicious pass.

It is driven by Playwright's Python package, which brings no browser of its own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

REQUIRED = "CONVOSTORE_REQUIRE_CHROMIUM"
"""Set to 1, it makes a missing browser a failure."""
SCREENSHOTS = "CONVOSTORE_VIEWER_SCREENSHOTS"
"""Names a folder for pictures of what the tests see; none are taken where it is not set."""
PATIENCE = 60_000
"""Milliseconds that something may take on a busy machine; nothing waits that long for nothing."""


@contextmanager
def chromium() -> Iterator[object]:
    """Runs the system's Chromium; skips, or fails where it is required, when there is none."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        found = None
    if found is None:
        told = "no Chromium with Playwright: the viewer is NOT TESTED in a browser"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"{told}, and {REQUIRED}=1: see .ci/install-package", pytrace=False)
        pytest.skip(told)
    # Where one is root, as in a container, Chromium's sandbox cannot be had.
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=root)
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """Somebody who looks at the viewer, and writes down what should not happen."""

    def __init__(self, browser, url: str, **options) -> None:
        self.url = url
        self.wrong: list[str] = []
        self.allowed: list[str] = []
        self._host = urlsplit(url).netloc
        self._context = browser.new_context(
            **{"locale": "en-GB", "timezone_id": "UTC", "viewport": {"width": 1280, "height": 800}}
            | options
        )
        self._context.set_default_timeout(PATIENCE)
        self.page = self._context.new_page()
        self.page.on("pageerror", lambda error: self.wrong.append(f"an error: {error}"))
        self.page.on("dialog", self._refuse)
        self.page.on("console", self._hear)
        self._context.on("page", lambda _: self.wrong.append("another window"))
        self._context.on("request", self._watch)

    def go(self, path: str = "/viewer/") -> None:
        """Opens a page."""
        self.page.goto(self.url + path)

    def see(self, name: str) -> None:
        """Keeps a screenshot, where they are asked for."""
        if folder := os.environ.get(SCREENSHOTS):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(folder) / f"{name}.png")

    def come_anew(self) -> None:
        """Forgets what was seen, as if somebody else came; it is cheaper than another context."""
        self.page.goto("about:blank")
        self.page.unroute_all(behavior="wait")
        self._context.clear_cookies()
        self._context.clear_permissions()
        self.wrong.clear()
        self.allowed.clear()

    def check(self) -> None:
        """Fails where something happened that should not have."""
        wrong = [each for each in self.wrong if not any(map(each.__contains__, self.allowed))]
        if wrong:
            pytest.fail("\n".join(wrong), pytrace=False)

    def leave(self) -> None:
        """Ends the visit; what happened that should not have is an error."""
        self._context.close()
        self.check()

    def _refuse(self, dialog) -> None:
        self.wrong.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _hear(self, message) -> None:
        if message.type in {"error", "warning"}:
            self.wrong.append(f"{message.type}: {message.text}")

    def _watch(self, request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme != "blob" and parts.netloc != self._host:
            self.wrong.append(f"a request of {request.url}")
