"""A mirror that is killed at any point: the next run makes the target equal, and writes no more."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

import convostore
from convostore import Feedback, Message, TextPart

MIRRORER = Path(__file__).parent / "support" / "mirrorer.py"
pytestmark = [
    pytest.mark.rim,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL"),
]


def message(number: int, text: str = "") -> Message:
    role = "assistant" if number % 2 else "user"
    parts = (TextPart(text=text or f"text {number}"),)
    return Message(id=f"m{number}", role=role, parts=parts, raw={"number": number})


def fill(source: convostore.ConversationStore) -> None:
    for number in range(6):
        source.create_conversation(id=f"c{number}", title=f"title {number}")
        source.append_messages(f"c{number}", [message(item) for item in range(4 + 400 * number)])
    source.update_conversation("c3", pinned=True)


def change(source: convostore.ConversationStore) -> None:
    source.append_messages("c0", [message(number) for number in range(4, 900)])
    source.replace_messages("c2", [message(number, "anew") for number in range(3, 700)], after="m2")
    source.delete_message("c4", "m3")
    source.delete_conversation("c1")
    source.set_feedback("c5", "m1", Feedback(rating="good"))
    source.append_messages("c5", [message(90_000)])


def held(store: convostore.ConversationStore) -> dict[str, object]:
    """Return what a store holds, by the conversations' ids in the source."""
    return {
        conversation.origin.conversation_id if conversation.origin else conversation.id: (
            conversation.title,
            conversation.pinned,
            conversation.updated_at,
            conversation.problems,
            list(store.messages(conversation.id)),
        )
        for conversation in store.conversations()
    }


def mirror(python, source: str, target: str, at: int) -> int:
    code, complaints = python.run(str(MIRRORER), source, target, str(at))
    assert code in {0, -signal.SIGKILL}, complaints
    return code


def test_a_mirror_killed_at_many_points_is_made_whole_by_the_next_run(python, tmp_path):
    source, target = (f"sqlite:///{tmp_path / name}.db" for name in ("source", "target"))
    with convostore.open(source) as one:
        fill(one)
    killed = [mirror(python, source, target, at) for at in (2, 3, 5, 9, 14)]
    with convostore.open(source) as one:
        change(one)
        killed += [mirror(python, source, target, at) for at in (2, 4, 6, 9)]
        assert killed.count(-signal.SIGKILL) >= 7
        with convostore.open(target) as other:
            convostore.mirror(one, other, name="source", delete=True)
            assert held(other) == held(one)
            again = convostore.mirror(one, other, name="source", delete=True)
            assert (again.messages, again.unchanged, again.skipped) == (0, 5, ())
