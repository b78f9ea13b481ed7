"""Mirror two services into a file, search it, and look at it: `make demo`.

What a real Perplexica and a real FastGPT once answered is served on this machine, in their own
APIs. The library reads both as if the programs were here.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text
from samples import Service, services
from server import look_at

import convostore
from convostore import Hit
from convostore.cli.render.terminal import transcript

QUERIES = ("late fee", "shinkai", "量子")
"""Words of both services, and a part of a Chinese word."""

console = Console(highlight=False)


def main() -> None:
    archive = f"sqlite:///{Path(tempfile.mkdtemp(prefix='convostore-')).as_posix()}/archive.db"
    with ExitStack() as running:
        dsns = services(running)
        heading("Two services, with what real ones once answered")
        show_services(dsns)
        heading("\nMirrored into one SQLite file, and again")
        for _ in range(2):
            asyncio.run(mirror_all(dsns, archive))
    with convostore.open(archive) as store:
        heading(f"\nSearched for {', '.join(QUERIES)}")
        hits = [store.search(query, limit=1).items[0] for query in QUERIES]
        show_hits(hits)
        found = hits[0].conversation
        console.print("", transcript(found, store.list_messages(found.id, limit=2).items), sep="\n")
    heading("\nThe file, served")
    look_at(archive, console)


def heading(title: str) -> None:
    console.print(f"[bold magenta]{title}[/]")


def show_services(dsns: Mapping[Service, str]) -> None:
    """Ask each service for its conversations, through its adapter."""
    table = Table.grid(padding=(0, 2))
    for service, dsn in dsns.items():
        with convostore.open(dsn, **service.options) as store:
            count = len(list(store.conversations()))
        table.add_row(f"  {service.name}", f"[cyan]{dsn}[/]", f"{count} conversations")
    console.print(table)


def show_hits(hits: Iterable[Hit]) -> None:
    """Print a line for each hit, with the words that were found in bold."""
    table = Table.grid(padding=(0, 2))
    table.add_column(max_width=30)
    for hit in hits:
        snippet = Text(hit.snippet.text)
        for start, end in hit.snippet.marks:
            snippet.stylize("bold yellow", start, end)
        lines = [Text(f"  {hit.conversation.title}"), snippet]
        for line in lines:
            line.no_wrap, line.overflow = True, "ellipsis"
        table.add_row(*lines)
    console.print(table)


async def mirror_all(dsns: Mapping[Service, str], archive: str) -> None:
    """Bring the copies of all services in the archive up to date."""
    async with convostore.aopen(archive) as target:
        for service, dsn in dsns.items():
            async with convostore.aopen(dsn, **service.options) as source:
                report = await convostore.amirror(source, target, name=service.scheme)
            written = (
                f"{report.messages} messages written" if report.messages else "nothing written"
            )
            counts = f"{report.copied} copied, {report.unchanged} unchanged"
            console.print(f"  {service.name:15}  {counts}, {written}")


if __name__ == "__main__":
    main()
