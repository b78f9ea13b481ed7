"""The revisions of a database, beyond what the contract kit asks of every store."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import convostore
from convostore import ConversationStore, Feedback, Message

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
