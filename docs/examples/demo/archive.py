"""The second half of `make demo`: two services go into one SQLite file, which is then searched."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.text import Text

import convostore
from convostore.testing.loopback import replay, serve

PLUGINS = Path(__file__).parents[3] / "plugins"
WEB = ("perplexica/tests/cassettes/next-1.12.1", ["list_made_by_program", "get_*"])
APP = (
    "fastgpt/tests/cassettes/v4.16.0",
    ["history_getHistories", "record_getPaginationRecords", "*_cite", "completions_while*"],
)
QUERIES = ("shinkai", "量子")
"""A word of the one service, and a piece of a word of the other."""


def keep_an_archive(file: Path, key: Mapping[str, str], console: Console) -> None:
    """Mirrors what two real programs answered, mirrors again, searches, and makes a page."""
    archive = f"sqlite:///{file}"
    with (
        serve(replay(recorded(*WEB))) as web,
        serve(replay(recorded(*APP), by_field="chatId")) as app,
    ):
        for run in ("Mirrored into one SQLite file", "Mirrored again"):
            console.print(f"[dim]{run}[/]")
            for name, url, options in (("perplexica", web, {}), ("fastgpt", app, key)):
                report = asyncio.run(mirrored(f"{name}+{url}", options, archive, name))
                console.print(f"  [magenta]{name}[/]  {told(report)}")
    with convostore.open(archive) as store:
        for query in QUERIES:
            console.print(f"\n[dim]Searched for[/] {query}")
            hits = store.search(query, limit=3).items
            for hit in hits:
                console.print(Text(f"  {hit.conversation.title or hit.conversation.id}", "cyan"))
                console.print(Text("    ") + marked(hit.snippet))
        page = file.with_suffix(".html")
        convostore.export_conversations(store, page, ids=[hits[0].conversation.id])
    console.print(f"\n[dim]The first of them, as a page that stands alone[/]\n  {page}")
    console.print(f"[dim]The archive, for[/] convostore ls\n  {archive}")


async def mirrored(
    dsn: str, options: Mapping[str, Any], archive: str, name: str
) -> convostore.MirrorReport:
    """Brings the copies in the archive up to date, several conversations at a time."""
    async with convostore.aopen(dsn, **options) as source, convostore.aopen(archive) as target:
        return await convostore.amirror(source, target, name=name)


def told(report: convostore.MirrorReport) -> str:
    written = f"{report.messages} messages written" if report.messages else "nothing written"
    said = f"{report.copied} copied, {report.unchanged} unchanged: {written}"
    if report.skipped:
        said += f"; skipped, as their messages were not recorded: {len(report.skipped)}"
    return said


def marked(snippet: convostore.Snippet) -> Text:
    text = Text(snippet.text)
    for start, end in snippet.marks:
        text.stylize("bold yellow", start, end)
    return text


def recorded(folder: str, cases: Iterable[str]) -> Iterable[Any]:
    """What the real program answered to those who read: its list, and its conversations.

    Of what was asked twice only the first answer: the histories then stand still.
    """
    first: dict[tuple[str, str, object], Any] = {}
    for case in cases:
        for file in sorted((PLUGINS / folder).glob(f"{case}.yaml")):
            cassette = yaml.load(file.read_text("utf-8"), Loader=yaml.CSafeLoader)
            for exchange in cassette["interactions"]:
                asked = exchange["request"]
                body = json.loads(asked["body"]) if asked.get("body") else {}
                key = (asked["method"], asked["uri"].partition("?")[0], body.get("chatId"))
                first.setdefault(key, exchange)
    yield {"interactions": list(first.values())}
