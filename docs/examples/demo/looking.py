"""The end of `make demo`: the archive is served, asked in three tongues, and shown."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

import httpx
from gateways import gateway
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from samples import APP_ID

import convostore

LOCAL = ("127.0.0.1", "localhost")


class Asked(NamedTuple):
    """A request that the archive answers, whoever speaks so.

    Attributes:
        told: Takes the answer to what it holds, in words.
    """

    speaker: str
    method: str
    target: str
    told: Callable[[httpx.Response], str]
    body: Mapping[str, object] | None = None


REQUESTS = (
    Asked(
        "as Perplexica",
        "GET",
        "/api/chats",
        lambda answer: f"{len(answer.json()['chats'])} chats",
    ),
    Asked(
        "as FastGPT",
        "POST",
        "/api/core/chat/getHistories",
        lambda answer: f"{answer.json()['data']['total']} histories",
        {"appId": APP_ID},
    ),
    Asked(
        "natively",
        "GET",
        "/v1/search?q=shinkai",
        lambda answer: f"found: {answer.json()['items'][0]['conversation']['title']}",
    ),
    Asked(
        "to people",
        "GET",
        "/viewer/",
        lambda answer: f"a page of {len(answer.content):,} bytes",
    ),
)


def serve_it(archive: str, console: Console) -> None:
    """Serves the archive: until Ctrl-C to a person, else as long as it takes to ask it."""
    with gateway(archive, open_access=True, hosts=LOCAL) as url:
        console.print(f"\n[dim]The archive, served at[/] {url}")
        console.print(answers(url))
        with convostore.open(f"gateway+{url}") as store:
            held = sum(1 for _ in store.conversations())
        console.print(f"  opened as gateway+{url}: {held} conversations")
        console.print(f"\n[bold]{url}/viewer/[/]")
        if console.is_terminal and sys.stdin.isatty():
            stay(f"{url}/viewer/", console)
    console.print("[dim]The archive stays, for[/] convostore serve", end="\n  ")
    console.print(archive, markup=False, soft_wrap=True)


def answers(url: str) -> Table:
    """What the served archive says to each."""
    table = Table(box=None, padding=(0, 2), show_header=False)
    with httpx.Client(base_url=url) as client:
        for asked in REQUESTS:
            answer = client.request(asked.method, asked.target, json=asked.body)
            answer.raise_for_status()
            request = f"[cyan]{asked.method} {asked.target}[/]"
            table.add_row(asked.speaker, request, escape(asked.told(answer)))
    return table


def stay(url: str, console: Console) -> None:
    """Opens a browser where there is one, and waits for Ctrl-C."""
    if has_windows():
        with suppress(webbrowser.Error):
            webbrowser.open(url)
    console.print("[dim]Ctrl-C ends it[/]")
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
    console.print()


def has_windows() -> bool:
    """Whether a browser would show itself: not in this terminal, which is taken."""
    if sys.platform in {"darwin", "win32"}:
        return True
    return any(os.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))
