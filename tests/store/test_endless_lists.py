"""Lists that do not end: whoever reads one to its end gets an error that names the list."""

import asyncio
import io

import pytest

from convostore import DSN, Conversation, Page, ProtocolError
from convostore.adapters import AdapterOptions
from convostore.adapters._endless import EndlessListCheck
from convostore.adapters.memory import MemoryAdapter
from convostore.store import AsyncConversationStore, ConversationStore
from convostore.transfer import aexport_conversations, amirror, export_conversations, mirror

from ..support.cases import for_each
from ..support.mirror import Place, copies_of, said

LIES = {
    "the cursor that was sent": lambda page: ("0", [page]),
    "a circle of cursors": lambda page: (str((page + 1) % 3), [page % 3]),
    "one page by ever new cursors": lambda page: (str(page + 1), [7]),
    "a circle of pages by ever new cursors": lambda page: (str(page + 1), [page % 5, page % 5 + 9]),
    "empty pages by ever new cursors": lambda page: (str(page + 1), []),
}
"""Ways to answer a page that is asked for by its number: the cursor, and the items."""


class Liar(MemoryAdapter):
    """Has one list that does not end: of its conversations, or of the messages of "c"."""

    name = "liar"

    def __init__(self, lie, where):
        super().__init__(DSN.parse("memory://liar"), AdapterOptions())
        self.lie, self.where, self.asked = LIES[lie], where, 0

    def lying(self, listing):
        self.asked += 1
        assert self.asked < 2_000, "the list is read for ever"
        cursor, numbers = self.lie(int(listing.cursor or 0))
        return cursor, [f"{number}" for number in numbers]

    def list_conversations(self, listing):
        yield from ()
        cursor, ids = self.lying(listing) if self.where == "conversations" else (None, "bcd")
        return Page(items=tuple(Conversation(id=each) for each in ids), cursor=cursor)

    def list_messages(self, conversation_id, listing):
        yield from ()
        if self.where != "messages" or conversation_id != "c":
            return Page(items=(said("a", id="a"),))
        cursor, ids = self.lying(listing)
        return Page(items=tuple(said(each, id=each) for each in ids), cursor=cursor)

    @property
    def store(self):
        return ConversationStore(self, self.transport())

    @property
    def async_store(self):
        return AsyncConversationStore(self, self.async_transport())


async def exhaust(items):
    async for _ in items:
        pass


READERS = {
    "conversations": {
        "an iterator": lambda liar: list(liar.store.conversations()),
        "an async iterator": lambda liar: exhaust(liar.async_store.conversations()),
        "transcripts": lambda liar: list(liar.store.transcripts()),
        "a mirror": lambda liar: mirror(liar.store, Place().store),
        "an async mirror": lambda liar: amirror(liar.async_store, Place().open_async()),
        "an export": lambda liar: export_conversations(liar.store, io.StringIO(), format="jsonl"),
    },
    "messages": {
        "an iterator": lambda liar: list(liar.store.messages("c")),
        "an async iterator": lambda liar: exhaust(liar.async_store.messages("c")),
        "transcripts": lambda liar: list(liar.store.transcripts()),
        "async transcripts": lambda liar: exhaust(liar.async_store.transcripts()),
        "an export": lambda liar: export_conversations(liar.store, io.StringIO(), format="jsonl"),
        "an async export": lambda liar: aexport_conversations(
            liar.async_store, io.StringIO(), format="jsonl"
        ),
    },
}
NAMES = {"conversations": "list of conversations", "messages": "list of messages in 'c'"}


def carry_out(result):
    return asyncio.run(result) if asyncio.iscoroutine(result) else result


@for_each("where, reader", [(where, name) for where, names in READERS.items() for name in names])
@for_each("lie", LIES)
def test_a_list_without_an_end_is_an_error_that_names_it(where, reader, lie):
    with pytest.raises(ProtocolError, match=f"^the {NAMES[where]} of liar does not") as caught:
        carry_out(READERS[where][reader](Liar(lie, where)))
    assert (caught.value.adapter, caught.value.retryable) == ("liar", False)


@for_each("face", ["sync", "async"])
@for_each("lie", LIES)
def test_a_mirror_skips_a_conversation_whose_messages_do_not_end(face, lie):
    liar, target = Liar(lie, "messages"), Place()
    if face == "sync":
        report = mirror(liar.store, target.store)
    else:
        report = asyncio.run(amirror(liar.async_store, target.open_async()))
    (skipped,) = report.skipped
    assert "the list of messages in 'c' of liar does not end" in str(skipped.error)
    assert report.copied == 2
    assert {"b", "d"} <= set(copies_of(target, liar.store.label))


def pages(*ids):
    """Pages of these ids, by ever new cursors."""
    return [
        Page(items=tuple(Conversation(id=each) for each in page), cursor=f"{number}")
        for number, page in enumerate(ids)
    ]


def accept_all(check, pages, *, fresh):
    asked = None
    for page in pages:
        check.accept(asked, page, fresh=fresh)
        asked = page.cursor


@for_each("period", [1, 2, 3, 7, 50])
@for_each("lead", [0, 1, 20])
def test_a_circle_of_any_length_is_found_within_a_few_rounds(period, lead):
    numbers = [*range(lead), *[lead + each % period for each in range(12 * period + 8 * lead + 9)]]
    items = [Page(items=(), cursor=f"{number}") for number in numbers]
    with pytest.raises(ProtocolError, match=r"form a loop|same page"):
        accept_all(EndlessListCheck("liar"), items, fresh=False)


def test_pages_that_come_again_as_others_write_are_no_circle():
    check = EndlessListCheck("busy")
    accept_all(check, pages("ab", "ab", "cd", "ab", "cd", "ef", "cd", "gh"), fresh=True)


def test_a_list_may_have_many_empty_pages_where_a_filter_leaves_items_out():
    empty = pages(*[""] * 5_000)
    accept_all(EndlessListCheck("old", filtered=True), empty, fresh=False)
    with pytest.raises(ProtocolError, match="show nothing new"):
        accept_all(EndlessListCheck("old"), empty, fresh=False)


def test_what_is_read_again_from_the_head_may_be_as_long_as_before():
    long = pages(*[f"{number}" for number in range(3_000)])
    check = EndlessListCheck("pinned")
    accept_all(check, long, fresh=True)
    check.restart()
    accept_all(check, long, fresh=False)
