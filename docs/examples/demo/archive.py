"""The second half of `make demo`: both services go into one SQLite file, which is then searched."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.markup import escape
from rich.text import Text

import convostore
from convostore.testing.loopback import replay, serve

PLUGINS = Path(__file__).parents[3] / "plugins"
QUERY = "hawaii"


def keep_an_archive(file: Path, key: Mapping[str, str], console: Console) -> None:
    """Mirrors what two real programs answered, mirrors again, searches, and exports."""
    archive = f"sqlite:///{file}"
    perplexica = serve(replay(recorded("perplexica/tests/cassettes/next-1.12.1")))
    fastgpt = serve(replay(recorded("fastgpt/tests/cassettes/v4.16.0"), by_field="chatId"))
    with perplexica as web, fastgpt as app:
        services = {f"perplexica+{web}": {}, f"fastgpt+{app}": dict(key)}
        for again in ("first", "again"):
            console.print(f"[dim]mirrored into one SQLite file, {again}[/]")
            for dsn, options in services.items():
                report = asyncio.run(mirrored(dsn, options, archive))
                console.print(f"  [magenta]{dsn.partition('+')[0]}[/]  {told(report)}")
    with convostore.open(archive) as store:
        console.print(f"\n[dim]a search in the file, for[/] {QUERY}")
        hits = store.search(QUERY, limit=5).items
        for hit in hits:
            console.print("  ", escape(hit.conversation.title or hit.conversation.id), style="cyan")
            console.print("    ", marked(hit.snippet))
        page = file.with_suffix(".html")
        convostore.export_conversations(store, page, ids=[hits[0].conversation.id])
    console.print(f"\n[dim]the first of them as a page that stands alone:[/] {page}")


async def mirrored(
    dsn: str, options: Mapping[str, Any], archive: str
) -> convostore.MirrorReport:
    """Brings the copies in the archive up to date, several conversations at a time."""
    async with convostore.aopen(dsn, **options) as source, convostore.aopen(archive) as target:
        return await convostore.amirror(source, target, name=dsn.partition("+")[0])


def told(report: convostore.MirrorReport) -> str:
    written = f"{report.messages} messages written" if report.messages else "nothing written"
    said = f"{report.copied} copied, {report.unchanged} unchanged, {written}"
    if report.skipped:
        said += f"; {len(report.skipped)} skipped, whose messages were not recorded"
    return said


def marked(snippet: convostore.Snippet) -> Text:
    text = Text(snippet.text)
    for start, end in snippet.marks:
        text.stylize("bold", start, end)
    return text


def recorded(folder: str) -> Iterable[Any]:
    """What the real program answered to those who read: the list, and each conversation."""
    names = (
        ("list_made_by_program", "get_*")
        if "perplexica" in folder
        else ("history_getHistories", "record_getPaginationRecords", "*_cite", "*_v2", "share_*")
    )
    for name in names:
        for file in sorted((PLUGINS / folder).glob(f"{name}.yaml")):
            cassette = yaml.load(file.read_text("utf-8"), Loader=yaml.CSafeLoader)
            yield cassette
