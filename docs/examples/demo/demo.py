"""Two services, two generations of each, one library: `make demo`.

Four servers on this machine replay what real programs answered: a Perplexica 1.10 and a 1.12, a
FastGPT 4.9 and a 4.16. They are opened by DSN, one after the other with the sync face and then side
by side with the asyncio one, and shown as one. Then the newer of both are mirrored into one SQLite
file, which is searched, and of which one conversation becomes a page.
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

import yaml
from archive import keep_an_archive
from rich.console import Console
from rich.markup import escape

import convostore
from convostore import Conversation, Transcript
from convostore.cli.render import conversations_table, transcript
from convostore.testing.loopback import replay, serve

PLUGINS = Path(__file__).parents[3] / "plugins"
NEVER = datetime.min.replace(tzinfo=UTC)

console = Console(highlight=False)


@dataclass(frozen=True, eq=False)
class Service:
    """A recorded service.

    Attributes:
        recordings: By case, the exchanges of it that are replayed.
        shown: The id of the conversation that is shown whole.
    """

    name: str
    scheme: str
    version: str
    recordings: Mapping[str, Iterable[int]]
    shown: str
    options: Mapping[str, Any]


KEY = {"app_id": "65f000000000000000000010", "api_key": "fastgpt-not-a-real-key"}
SERVICES = (
    Service(
        "Perplexica 1.10",
        "perplexica",
        "express-1.10.0-rc3",
        {"list_made_by_program": [0], "get_two_turns": [0]},
        "448c8db8fde4ed15400d4ca0402c88e2c6921242",
        {},
    ),
    Service(
        "Perplexica 1.12",
        "perplexica",
        "next-1.12.1",
        {"list_made_by_program": [0], "get_prog_zh": [0]},
        "3aa665c3abc235375f68f76415a1196a39776db1",
        {},
    ),
    Service(
        "FastGPT 4.9",
        "fastgpt",
        "v4.9.14",
        {"history_getHistories": [0, 16], "record_getPaginationRecords": [0]},
        "seed-1",
        KEY,
    ),
    Service(
        "FastGPT 4.16",
        "fastgpt",
        "v4.16.0",
        {
            "history_getHistories": [0],
            "history_status_and_read": [0],
            "record_getPaginationRecords": [0],
        },
        "seed-1",
        KEY,
    ),
)


OF_EACH = 6


def main() -> None:
    """Reads the older ones with the sync face and the newer ones with asyncio, side by side."""
    with ExitStack() as servers:
        urls = {each: servers.enter_context(serve(replay(recorded(each)))) for each in SERVICES}
        older, newer = SERVICES[::2], SERVICES[1::2]
        read = [read_one(each, urls[each]) for each in older]
        read += asyncio.run(read_together({each: urls[each] for each in newer}))
    show_merged(read)
    for each in sorted(read, key=lambda each: SERVICES.index(each.service)):
        show(each)
    folder = Path(tempfile.mkdtemp(prefix="convostore-"))
    keep_an_archive(folder / "archive.db", KEY, console)


@dataclass(frozen=True)
class Read:
    """What a service held."""

    service: Service
    dsn: str
    generation: str | None
    conversations: list[Conversation]
    shown: Transcript


def read_one(service: Service, url: str) -> Read:
    """With the sync face: what the service is, its list, and one conversation with its messages."""
    dsn = f"{service.scheme}+{url}"
    with convostore.open(dsn, **service.options) as store:
        generation = store.check().generation
        (chat,) = store.transcripts([service.shown])
        return Read(service, dsn, generation, list(store.conversations()), chat)


async def read_together(urls: Mapping[Service, str]) -> list[Read]:
    """With the asyncio face: the same of several services at a time."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(aread_one(service, url)) for service, url in urls.items()]
    return [task.result() for task in tasks]


async def aread_one(service: Service, url: str) -> Read:
    dsn = f"{service.scheme}+{url}"
    async with convostore.aopen(dsn, **service.options) as store:
        generation = (await store.check()).generation
        (chat,) = [each async for each in store.transcripts([service.shown])]
        return Read(service, dsn, generation, [each async for each in store.conversations()], chat)


def show_merged(read: list[Read]) -> None:
    """The services' last conversations in one list, the last active first."""
    for each in read:
        speaks = f"[dim]speaks {each.generation}[/]"
        console.print(f"[magenta]{each.service.name}[/]  {escape(each.dsn)}  {speaks}")
    rows = [(each.service.name, chat) for each in read for chat in latest(each.conversations)]
    held = sum(len(each.conversations) for each in read)
    told = f"{OF_EACH} of each, of {held} conversations, in one list, the last active first"
    console.print(f"\n[dim]{told}[/]")
    console.print(conversations_table(sorted(rows, key=lambda row: activity(row[1]), reverse=True)))


def latest(conversations: list[Conversation]) -> list[Conversation]:
    return sorted(conversations, key=activity, reverse=True)[:OF_EACH]


def activity(conversation: Conversation) -> datetime:
    return conversation.last_active_at or NEVER


def show(read: Read) -> None:
    """One conversation: whichever service it came from, it looks the same."""
    assert read.shown.conversation is not None, "only with on_error='yield'"
    console.print(f"[dim]one conversation of[/] [magenta]{read.service.name}[/]")
    console.print(transcript(read.shown.conversation, read.shown.messages))
    console.print()


def recorded(service: Service) -> Iterable[Any]:
    """What the real program answered, exchange by exchange."""
    folder = PLUGINS / service.scheme / "tests/cassettes" / service.version
    for case, picked in service.recordings.items():
        cassette = yaml.safe_load((folder / f"{case}.yaml").read_text("utf-8"))
        yield {"interactions": [cassette["interactions"][number] for number in picked]}


if __name__ == "__main__":
    main()
