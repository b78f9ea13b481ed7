"""Two services of different years, one library: `make demo`.

Two servers on this machine replay what a Perplexica 1.10 and a 1.12 really answered. They are
opened by DSN, one with each face of the library, and shown as one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.markup import escape

import convostore
from convostore import Conversation, Transcript
from convostore.cli.render import conversations_table, transcript
from convostore.testing.loopback import replay, serve

OLD, NEW = "Perplexica 1.10", "Perplexica 1.12"
SHOWN_OF_OLD = "448c8db8fde4ed15400d4ca0402c88e2c6921242"
SHOWN_OF_NEW = "3aa665c3abc235375f68f76415a1196a39776db1"
NEVER = datetime.min.replace(tzinfo=UTC)
RECORDINGS = Path(__file__).parents[3] / "plugins/perplexica/tests/cassettes"

console = Console(highlight=False)


def main() -> None:
    """Reads both services, then shows what they hold."""
    with (
        serve(replay(recordings("express-1.10.0-rc3", "get_two_turns"))) as old,
        serve(replay(recordings("next-1.12.1", "get_prog_zh"))) as new,
    ):
        old_chats, old_chat = read_old(f"perplexica+{old}")
        new_chats, new_chat = asyncio.run(read_new(f"perplexica+{new}"))

    show_merged({OLD: old_chats, NEW: new_chats})
    show(OLD, old_chat)
    show(NEW, new_chat)


def read_old(dsn: str) -> tuple[list[Conversation], Transcript]:
    """With the sync face: the list, and one conversation with its messages."""
    with convostore.open(dsn) as store:
        tell(OLD, dsn, store.check().generation)
        (chat,) = store.transcripts([SHOWN_OF_OLD])
        return list(store.conversations()), chat


async def read_new(dsn: str) -> tuple[list[Conversation], Transcript]:
    """With the asyncio face: the same."""
    async with convostore.aopen(dsn) as store:
        tell(NEW, dsn, (await store.check()).generation)
        (chat,) = [each async for each in store.transcripts([SHOWN_OF_NEW])]
        return [each async for each in store.conversations()], chat


def tell(service: str, dsn: str, generation: str | None) -> None:
    console.print(f"[magenta]{service}[/]  {escape(dsn)}  [dim]speaks {generation}[/]")


def show_merged(chats: dict[str, list[Conversation]]) -> None:
    """All conversations of all services in one list, the last active first."""
    rows = [(service, chat) for service, its_chats in chats.items() for chat in its_chats]
    rows.sort(key=lambda row: row[1].last_active_at or NEVER, reverse=True)
    console.print(
        f"\n[dim]{len(rows)} conversations of {len(chats)} services, the last active first[/]"
    )
    console.print(conversations_table(rows))


def show(service: str, chat: Transcript) -> None:
    """One conversation: whichever service it came from, it looks the same."""
    assert chat.conversation is not None, "only with on_error='yield'"
    console.print(f"[dim]one conversation of[/] [magenta]{service}[/]")
    console.print(transcript(chat.conversation, chat.messages))
    console.print()


def recordings(version: str, *chats: str) -> Iterable[Any]:
    """What the real program answered when it was asked for its list, and for these chats."""
    for case in ("list_made_by_program", *chats):
        yield yaml.safe_load((RECORDINGS / version / f"{case}.yaml").read_text("utf-8"))


if __name__ == "__main__":
    main()
