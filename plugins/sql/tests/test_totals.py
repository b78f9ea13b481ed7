"""The total of a transfer from a database: the conversations of its namespace."""

from __future__ import annotations

import asyncio
import io

import convostore
from convostore.store import ConversationStore


def _fill(store: ConversationStore, number: int) -> None:
    for place in range(number):
        store.create_conversation(id=f"c{place}")


def test_an_export_of_a_namespace_tells_how_many_conversations_it_has(database):
    totals = []
    with convostore.open(database.dsn()) as store:
        inner = store.with_namespace("inner")
        _fill(store, 7)
        _fill(inner, 120)
        convostore.export_conversations(
            inner, io.StringIO(), format="jsonl", progress=lambda told: totals.append(told.total)
        )
    assert set(totals) == {120}


def test_a_mirror_tells_how_many_conversations_there_are(database):
    totals = []

    async def run() -> None:
        async with convostore.aopen(database.dsn()) as store, convostore.aopen("memory://") as copy:
            await convostore.amirror(store, copy, progress=lambda told: totals.append(told.total))

    with convostore.open(database.dsn()) as store:
        _fill(store, 120)
    asyncio.run(run())
    assert set(totals) == {120}
