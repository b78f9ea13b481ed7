"""The total of a transfer's progress: counted once where pages do not have it."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace

import pytest

from convostore import (
    UnavailableError,
    aexport_conversations,
    amirror,
    export_conversations,
    mirror,
)
from convostore.adapters import Adapter, read_only
from convostore.adapters.memory import MemoryAdapter
from convostore.dsn import DSN
from convostore.store import AsyncConversationStore, ConversationStore


class Counted(MemoryAdapter):
    """A store whose pages have no total, as those of a database; it notes the counts."""

    counts = 0
    error: UnavailableError | None = None

    def list_conversations(self, listing):
        page = yield from super().list_conversations(listing)
        return replace(page, total=None)

    def count_conversations(self):
        self.counts += 1
        if self.error is not None:
            raise self.error
        return (yield from super().count_conversations())


class Uncounted(Counted):
    """A store that cannot count."""

    count_conversations = Adapter.count_conversations


def filled(kind: type[MemoryAdapter], number: int) -> MemoryAdapter:
    adapter = kind(DSN.parse("memory://"), None)
    with ConversationStore(adapter, adapter.transport()) as store:
        for place in range(number):
            store.create_conversation(id=f"c{place}")
    return adapter


@pytest.fixture(params=["sync", "async"])
def totals(request):
    """Return a function that mirrors or exports and returns the totals that were told."""

    def run_sync(run, adapter, *, told=True):
        totals = []
        progress = (lambda progress: totals.append(progress.total)) if told else None
        store = ConversationStore(adapter, adapter.transport())
        if run == "export":
            export_conversations(store, io.StringIO(), format="jsonl", progress=progress)
        else:
            target = MemoryAdapter(DSN.parse("memory://"), None)
            mirror(store, ConversationStore(target, target.transport()), progress=progress)
        return totals

    async def run_async(run, adapter, *, told=True):
        totals = []
        progress = (lambda progress: totals.append(progress.total)) if told else None
        store = AsyncConversationStore(adapter, adapter.async_transport())
        if run == "export":
            await aexport_conversations(store, io.StringIO(), format="jsonl", progress=progress)
        else:
            target = MemoryAdapter(DSN.parse("memory://"), None)
            target_store = AsyncConversationStore(target, target.async_transport())
            await amirror(store, target_store, progress=progress)
        return totals

    if request.param == "sync":
        return run_sync
    return lambda run, adapter, *, told=True: asyncio.run(run_async(run, adapter, told=told))


@pytest.mark.parametrize("run", ["export", "mirror"])
class TestTotals:
    def test_a_long_list_is_counted_once(self, totals, run):
        adapter = filled(Counted, 250)
        assert set(totals(run, adapter)) == {250}
        assert adapter.counts == 1

    def test_nothing_is_counted_when_nobody_is_told(self, totals, run):
        adapter = filled(Counted, 250)
        totals(run, adapter, told=False)
        assert adapter.counts == 0

    def test_a_list_of_one_page_is_not_counted(self, totals, run):
        adapter = filled(Counted, 3)
        totals(run, adapter)
        assert adapter.counts == 0

    def test_a_view_counts_what_its_store_counts(self, totals, run):
        adapter = filled(Counted, 250)
        assert set(totals(run, read_only(adapter))) == {250}

    def test_a_store_that_cannot_count_has_no_total(self, totals, run):
        assert set(totals(run, filled(Uncounted, 250))) == {None}

    def test_a_count_that_fails_ends_nothing(self, totals, run):
        adapter = filled(Counted, 250)
        adapter.error = UnavailableError("busy")
        told = totals(run, adapter)
        assert set(told) == {None}
        assert len(told) >= 250
