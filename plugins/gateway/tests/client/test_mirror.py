"""A mirror of a gateway, and into one, over a real socket: what is copied is what was there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

import convostore
from convostore import Feedback, MirrorReport
from convostore.testing.samples import full_message, numbered_conversations

from ..support.gateway import served

pytestmark = pytest.mark.rim

Mirror = Callable[..., MirrorReport]


def mirrored_sync(source: str, target: str, **options: bool) -> MirrorReport:
    with convostore.open(source) as one, convostore.open(target) as other:
        one.check()
        return convostore.mirror(one, other, **options)


def mirrored_async(source: str, target: str, **options: bool) -> MirrorReport:
    async def mirrored() -> MirrorReport:
        async with convostore.aopen(source) as one, convostore.aopen(target) as other:
            await other.check()
            return await convostore.amirror(one, other, **options)

    return asyncio.run(mirrored())


@pytest.fixture(params=[mirrored_sync, mirrored_async], ids=["sync", "async"])
def mirrored(request: pytest.FixtureRequest) -> Mirror:
    return request.param


@pytest.fixture
def full(tmp_path: Path) -> str:
    """A store with 3 conversations, of which one has everything in it and many messages."""
    target = f"sqlite:///{tmp_path.as_posix()}/full.db"
    with convostore.open(target) as store:
        for each in numbered_conversations(3):
            store.create_conversation(id=each.conversation_id, title="Tides ʻ")
            store.append_messages(each.conversation_id, each.messages)
        store.append_messages("c0001", [full_message()])
        (many,) = numbered_conversations(1, messages=700)
        store.append_messages("c0002", many.messages[2:])
        store.update_conversation("c0000", pinned=True)
    return target


def kept(target: str) -> list[tuple[str | None, bool, list[dict]]]:
    """What a store holds, whatever it calls it."""
    with convostore.open(target) as store:
        return sorted(
            [
                (
                    each.conversation.title,
                    each.conversation.pinned,
                    [message.portable() for message in each.messages],
                )
                for each in store.transcripts()
            ],
            key=repr,
        )


def test_a_mirror_of_a_gateway_holds_what_the_store_behind_it_holds(mirrored, full, tmp_path):
    archive = f"sqlite:///{tmp_path.as_posix()}/archive.db"
    with served(full) as url:
        source = f"gateway+{url}"
        assert mirrored(source, archive) == MirrorReport(copied=3, messages=705)
        assert kept(archive) == kept(full) == kept(source)
        with convostore.open(full) as store:
            store.append_messages("c0000", [message("new")])
        assert mirrored(source, archive) == MirrorReport(updated=1, unchanged=2, messages=1)
        assert kept(archive) == kept(full)


def message(text: str) -> convostore.Message:
    return convostore.Message(role="user", parts=(convostore.TextPart(text=text),))


def test_a_mirror_into_a_gateway_is_in_the_store_behind_it(mirrored, full, tmp_path):
    archive = f"sqlite:///{tmp_path.as_posix()}/archive.db"
    with served(archive) as url:
        target = f"gateway+{url}"
        assert mirrored(full, target) == MirrorReport(copied=3, messages=705)
        assert kept(target) == kept(archive) == kept(full)
        with convostore.open(full) as store:
            last = store.list_messages("c0001", limit=1, order="newest_first").items[0]
            store.replace_messages("c0002", [message("rewritten")], after="m00000")
            store.set_feedback("c0001", last.id, Feedback(rating="bad"))
        mirrored(full, target, full=True)
        assert kept(archive) == kept(full)
        assert mirrored(full, target) == MirrorReport(unchanged=3)


def test_a_gateway_is_mirrored_into_another_one(mirrored, full):
    with served(full) as one, served("memory://") as other:
        assert mirrored(f"gateway+{one}", f"gateway+{other}") == MirrorReport(
            copied=3, messages=705
        )
        assert kept(f"gateway+{other}") == kept(full)
        with convostore.open(f"gateway+{other}") as store:
            origins = {each.origin.store for each in store.conversations()}
    assert origins == {f"gateway+{one}"}
