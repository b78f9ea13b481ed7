"""Any store behind two services' APIs: `make demo`.

What a real Perplexica and a real FastGPT once answered goes into two stores, one in memory and one
in a file. Two gateways on this machine serve them, and the library's adapters read them as if the
programs were there, with the sync face and side by side with asyncio. Both are mirrored into one
SQLite file, which is searched, served by a third gateway, and shown.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from archive import keep_an_archive
from gateways import gateway
from looking import LOCAL, serve_it
from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape
from samples import KEY, SERVICES, Service, fill

import convostore
from convostore import Conversation, Transcript
from convostore.cli.render.terminal import conversations_table, transcript
from convostore_gateway import Token

NEVER = datetime.min.replace(tzinfo=UTC)

console = Console(highlight=False)


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="convostore-"))
    with ExitStack() as gateways:
        dsns = start(folder, gateways)
        show_merged([read_one(service, dsn) for service, dsn in dsns.items()])
        for chat in asyncio.run(shown_together(dsns)):
            show(chat)
        archive = keep_an_archive(folder / "archive.db", dsns, console)
    serve_it(archive, console)


def start(folder: Path, gateways: ExitStack) -> dict[Service, str]:
    """Fills a store for each service and serves it; returns what the adapters open."""
    perplexica, fastgpt = SERVICES
    stores: dict[Service, tuple[str, dict[str, Any]]] = {
        perplexica: ("memory://perplexica", {"open_access": True, "hosts": LOCAL}),
        fastgpt: (
            f"sqlite:///{(folder / 'fastgpt.db').as_posix()}",
            {"tokens": [Token(value=SecretStr(KEY), name="demo")]},
        ),
    }
    dsns = {}
    for service, (target, how) in stores.items():
        count = fill(target, service)
        url = gateways.enter_context(gateway(target, **how))
        dsns[service] = f"{service.scheme}+{url}"
        told = f"{count} conversations of a real {service.name}, served out of {target}"
        console.print(f"[magenta]{url}[/]  [dim]{escape(told)}[/]")
    return dsns


@dataclass(frozen=True)
class Read:
    """What a service holds."""

    service: Service
    dsn: str
    generation: str | None
    conversations: list[Conversation]


def read_one(service: Service, dsn: str) -> Read:
    """With the sync face: what the service is, and its list."""
    with convostore.open(dsn, **service.options) as store:
        return Read(service, dsn, store.check().generation, list(store.conversations()))


async def shown_together(dsns: Mapping[Service, str]) -> list[Transcript]:
    """With the asyncio face: a conversation of each, side by side."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(shown(service, dsn)) for service, dsn in dsns.items()]
    return [task.result() for task in tasks]


async def shown(service: Service, dsn: str) -> Transcript:
    async with convostore.aopen(dsn, **service.options) as store:
        (chat,) = [each async for each in store.transcripts([service.shown])]
        return chat


def show_merged(services: Iterable[Read]) -> None:
    """The services' conversations in one list, the last active first."""
    rows = [(each.service.scheme, chat) for each in services for chat in each.conversations]
    for each in services:
        speaks = f"[dim]speaks {each.generation}[/]"
        console.print(f"[magenta]{each.service.scheme}[/]  {escape(each.dsn)}  {speaks}")
    console.print("\n[dim]Both in one list, the last active first[/]")
    console.print(conversations_table(sorted(rows, key=lambda row: activity(row[1]), reverse=True)))


def activity(conversation: Conversation) -> datetime:
    return conversation.last_active_at or NEVER


def show(chat: Transcript) -> None:
    """A conversation: whichever service it came from, it looks the same."""
    assert chat.conversation is not None, "only with on_error='yield'"
    console.print(transcript(chat.conversation, chat.messages))
    console.print()


if __name__ == "__main__":
    main()
