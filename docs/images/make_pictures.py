"""Make the pictures of the viewer: `.venv/bin/python docs/images/make_pictures.py`.

Needs Chromium (`.ci/install-package chromium`). Run it when the looks of the viewer change.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Literal, NamedTuple

from picture_chats import SHOWN, chats
from playwright.sync_api import Browser, sync_playwright

import convostore
from convostore_gateway import create_app
from convostore_gateway.server.run import running

IMAGES = Path(__file__).parent
STORE = "memory://archive"


class Picture(NamedTuple):
    """A file, the page it shows, and how."""

    name: str
    path: str
    scheme: Literal["dark", "light"]
    cited: bool = False
    """Whether a citation is open."""


PICTURES = (
    Picture("viewer", f"/viewer/conversations/{SHOWN}", "light"),
    Picture("viewer-list", "/viewer/", "light"),
    Picture("viewer-conversation", f"/viewer/conversations/{SHOWN}", "dark", cited=True),
)


def main() -> None:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if found is None:
        sys.exit("there is no Chromium: run .ci/install-package chromium")
    with convostore.open(STORE) as store:
        for conversation, messages in chats():
            store.put_conversation(conversation)
            store.append_messages(conversation.id, messages)
            store.put_conversation(conversation)  # its times, which appending changed
    # Chromium's sandbox does not run as root, as in a container.
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    served = convostore.aopen(STORE)
    app = create_app(served, open_access=True, hosts=("127.0.0.1",))
    with running(app, stores=[served]) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=root)
        for picture in PICTURES:
            take(browser, url, picture)
        browser.close()


def take(browser: Browser, url: str, picture: Picture) -> None:
    page = browser.new_page(
        viewport={"width": 1180, "height": 780},
        color_scheme=picture.scheme,
        locale="en-GB",
        timezone_id="UTC",
    )
    page.goto(url + picture.path)
    page.wait_for_load_state("networkidle")
    if picture.cited:
        page.locator(".cite").nth(1).click()
    file = IMAGES / f"{picture.name}.png"
    page.screenshot(path=file)
    page.close()
    print(f"{file}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
