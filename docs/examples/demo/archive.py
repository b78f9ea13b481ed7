"""The second half of `make demo`: both services go into one SQLite file, which is then searched."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.console import Console
from rich.text import Text
from samples import Service

import convostore

QUERIES = ("shinkai", "量子")
"""A word of the one service, and a piece of a word of the other."""


def keep_an_archive(file: Path, opened: Mapping[Service, str], console: Console) -> str:
    """Mirrors the services, mirrors again, searches, and makes a page; returns the archive's DSN.

    Args:
        opened: The services' DSNs.
    """
    archive = f"sqlite:///{file.as_posix()}"
    for run in ("Mirrored into one SQLite file", "Mirrored again"):
        console.print(f"\n[dim]{run}[/]")
        for service, dsn in opened.items():
            report = asyncio.run(mirrored(service, dsn, archive))
            console.print(f"  [magenta]{service.name}[/]  {told(report)}")
    with convostore.open(archive) as store:
        for query in QUERIES:
            console.print(f"\n[dim]Searched for[/] {query}")
            show(hits := store.search(query, limit=3).items, console)
        page = file.with_suffix(".html")
        convostore.export_conversations(store, page, ids=[hits[0].conversation.id])
    console.print(f"\n[dim]The first of them, as a page that stands alone[/]\n  {page}")
    return archive


async def mirrored(service: Service, dsn: str, archive: str) -> convostore.MirrorReport:
    """Brings the copies in the archive up to date, several conversations at a time."""
    async with (
        convostore.aopen(dsn, **service.options) as source,
        convostore.aopen(archive) as target,
    ):
        return await convostore.amirror(source, target, name=service.scheme)


def told(report: convostore.MirrorReport) -> str:
    written = f"{report.messages} messages written" if report.messages else "nothing written"
    return f"{report.copied} copied, {report.unchanged} unchanged: {written}"


def show(hits: Iterable[convostore.Hit], console: Console) -> None:
    for hit in hits:
        console.print(Text(f"  {hit.conversation.title or hit.conversation.id}", "cyan"))
        console.print(Text("    ") + marked(hit.snippet))


def marked(snippet: convostore.Snippet) -> Text:
    text = Text(snippet.text)
    for start, end in snippet.marks:
        text.stylize("bold yellow", start, end)
    return text
