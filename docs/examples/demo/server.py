"""Serve a store, ask it in several APIs, and show it in a browser."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import httpx
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import convostore
from convostore_gateway import create_app
from convostore_gateway.server.run import running

LOCAL = ("127.0.0.1", "localhost")


class Question(NamedTuple):
    """A request to the server, and what to show of the response."""

    api: str
    method: str
    target: str
    answer: Callable[[Any], str]
    body: Mapping[str, object] | None = None


QUESTIONS = (
    Question(
        "Perplexica's API",
        "GET",
        "/api/chats",
        lambda response: f"{len(response['chats'])} chats",
    ),
    Question(
        "FastGPT's API",
        "POST",
        "/api/core/chat/getHistories",
        lambda response: f"{response['data']['total']} histories",
        {"appId": "65f000000000000000000010"},
    ),
)


@contextmanager
def gateway(target: str, **options: Any) -> Iterator[str]:
    """Serve a store on a free port while the ``with`` runs, in a thread, and give the URL.

    Args:
        target: The store's DSN.
        options: The arguments of `convostore_gateway.create_app`.
    """
    store = convostore.aopen(target)
    with running(create_app(store, hosts=LOCAL, **options), stores=[store]) as url:
        yield url


def look_at(target: str, console: Console) -> None:
    """Serve a store: to a person until Ctrl-C, else as long as it takes to ask it."""
    with gateway(target, open_access=True) as url:
        console.print(answers(url))
        viewer = f"{url}/viewer/"
        console.print(f"  the viewer        [bold]{viewer}[/]")
        console.print(f"  serve it again    convostore serve {target}", soft_wrap=True)
        if console.is_terminal and sys.stdin.isatty():
            stay(viewer, console)


def answers(url: str) -> Table:
    """Ask the served store in each API."""
    table = Table.grid(padding=(0, 2))
    with httpx.Client(base_url=url) as client:
        for question in QUESTIONS:
            response = client.request(question.method, question.target, json=question.body)
            response.raise_for_status()
            request = f"[cyan]{question.method} {question.target}[/]"
            table.add_row(f"  {question.api}", request, escape(question.answer(response.json())))
    return table


def stay(url: str, console: Console) -> None:
    """Open a browser where there is one, and wait for Ctrl-C."""
    if has_windows():
        with suppress(webbrowser.Error):
            webbrowser.open(url)
    with suppress(KeyboardInterrupt):
        console.print("  [dim]Press Ctrl-C to stop[/]")
        threading.Event().wait()


def has_windows() -> bool:
    """Return whether a browser would have a window of its own, and not this terminal."""
    if sys.platform in {"darwin", "win32"}:
        return True
    return any(os.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))
