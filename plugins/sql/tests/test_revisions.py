"""What a write leaves of revisions, totals and the order, beyond what the contract kit asks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

import convostore
from convostore import Conversation, ConversationStore, Feedback, Message

UNCHANGING: list[Callable[[ConversationStore], object]] = [
    lambda store: store.update_conversation("c", title="t", pinned=True, owner="o"),
    lambda store: store.update_conversation("c", metadata={"k": 1, "absent": None}),
    lambda store: store.set_feedback("c", "m", Feedback(rating="good")),
    lambda store: store.append_messages("c", [Message(id="m", role="user")]),
    lambda store: store.delete_message("c", "absent"),
]


@pytest.mark.parametrize("address", ["memory://", "sqlite://"])
@pytest.mark.parametrize("write", UNCHANGING)
def test_what_changes_nothing_leaves_the_revision(address, write):
    with convostore.open(address) as store:
        store.create_conversation(id="c", title="t", owner="o", metadata={"k": 1})
        store.update_conversation("c", pinned=True)
        store.append_messages("c", [Message(id="m", role="user")])
        store.set_feedback("c", "m", Feedback(rating="good"))
        before = store.get_conversation("c").revision
        write(store)
        assert store.get_conversation("c").revision == before


@pytest.mark.parametrize("address", ["memory://", "sqlite://"])
def test_a_total_is_of_what_a_replacement_leaves(address):
    with convostore.open(address) as store:
        store.create_conversation(id="c")
        store.append_messages("c", [Message(id=name, role="user") for name in "abc"])
        store.replace_messages("c", [Message(id="d", role="user")], after="a")
        assert store.list_messages("c").total == 2


@pytest.mark.parametrize("address", ["memory://", "sqlite://"])
def test_a_conversation_that_was_never_changed_is_listed_by_the_time_of_its_beginning(address):
    with convostore.open(address) as store:
        for name, year in (("old", 2020), ("new", 2024), ("middle", 2022)):
            time = datetime(year, 1, 1, tzinfo=UTC)
            store.put_conversation(Conversation(id=name, created_at=time))
        assert [each.id for each in store.conversations()] == ["new", "middle", "old"]
