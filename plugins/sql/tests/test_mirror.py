"""An archive in a database: what others do to it while it is mirrored into, and in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

import convostore
from convostore import Feedback, Message, MirrorReport, TextPart
from convostore.adapters.memory import MemoryAdapter
from convostore.dsn import DSN
from convostore.store import AsyncConversationStore, ConversationStore

pytestmark = pytest.mark.rim


class Service(MemoryAdapter):
    """A source without pins, owners, metadata and revisions, in which somebody can come between."""

    traits = replace(MemoryAdapter.traits, keeps=frozenset(), changes=frozenset({"title"}))
    between: Iterator[object] = iter(())

    def list_conversations(self, listing):
        page = yield from super().list_conversations(listing)
        return replace(page, items=tuple(each.trusted_copy(revision=None) for each in page.items))

    def list_messages(self, conversation_id, listing):
        if listing.cursor is not None:
            next(self.between, None)
        return super().list_messages(conversation_id, listing)


@pytest.fixture
def service():
    return Service(DSN.parse("memory://"), None)


@pytest.fixture(params=["sync", "async"])
def mirrored(request, service, database):
    def run_sync() -> MirrorReport:
        source = ConversationStore(service, service.transport())
        with convostore.open(database.dsn()) as archive:
            return convostore.mirror(source, archive, name="s")

    async def run_async() -> MirrorReport:
        source = AsyncConversationStore(service, service.async_transport())
        async with convostore.aopen(database.dsn()) as archive:
            return await convostore.amirror(source, archive, name="s")

    return run_sync if request.param == "sync" else lambda: asyncio.run(run_async())


def message(name: str, text: str = "text") -> Message:
    return Message(id=name, role="user", parts=(TextPart(text=text),))


def filled(service: Service) -> ConversationStore:
    source = ConversationStore(service, service.transport())
    source.create_conversation(id="c", title="Tides")
    source.append_messages("c", [message(f"m{number}") for number in range(150)])
    return source


def test_what_is_appended_while_the_end_is_replaced_stays(service, mirrored, database):
    source = filled(service)
    mirrored()
    changed = [message("m120", "another"), *[message(f"m{n}") for n in range(121, 150)]]
    source.replace_messages("c", changed, after="m119")

    def append() -> Iterator[None]:
        with convostore.open(database.dsn()) as archive:
            (copy,) = archive.conversations()
            archive.append_messages(copy.id, [message("own")], after="m149")
            yield

    service.between = append()
    assert mirrored().skipped == ()
    with convostore.open(database.dsn()) as archive:
        (copy,) = archive.conversations()
        ids = [each.id for each in archive.messages(copy.id)]
        assert ids == [*(f"m{number}" for number in range(150)), "own"]
        assert archive.get_message(copy.id, "m120").text == "another"


def test_what_is_set_in_the_archive_stays_and_its_revision_is_a_proof(service, mirrored, database):
    source = filled(service)
    mirrored()
    own = {"pinned": True, "owner": "ann", "metadata": {"project": "tides"}}
    with convostore.open(database.dsn()) as archive, convostore.open("memory://") as third:
        (copy,) = archive.conversations()
        archive.update_conversation(copy.id, **own)
        source.append_messages("c", [message("new")])
        assert mirrored() == MirrorReport(updated=1, messages=1)
        (copy,) = archive.list_conversations(owner="ann").items
        assert (copy.pinned, copy.metadata) == (True, {"project": "tides"})

        assert convostore.mirror(archive, third).copied == 1
        assert convostore.mirror(archive, third) == MirrorReport(unchanged=1)
        archive.set_feedback(copy.id, "m7", Feedback(rating="good"))
        assert convostore.mirror(archive, third) == MirrorReport(updated=1, messages=1)


def test_what_is_set_in_the_archive_while_it_is_copied_stays(service, mirrored, database):
    source = filled(service)
    mirrored()
    source.append_messages("c", [message("new")])

    def tag() -> Iterator[None]:
        with convostore.open(database.dsn()) as archive:
            (copy,) = archive.conversations()
            archive.update_conversation(copy.id, pinned=True, owner="ann", metadata={"k": 1})
            yield

    service.between = tag()
    assert mirrored() == MirrorReport(updated=1, messages=1)
    with convostore.open(database.dsn()) as archive:
        (copy,) = archive.conversations()
        assert (copy.pinned, copy.owner, copy.metadata) == (True, "ann", {"k": 1})
        assert copy.problems == ()
