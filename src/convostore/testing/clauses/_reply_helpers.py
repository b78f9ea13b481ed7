"""Helpers of the clauses of replies: prompts, and replies made comparable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ...adapters import Operation
from ...models import Message
from ...store import AsyncConversationStore
from .._assertions import NotOffered, collect, require, role_text_pairs
from .._backend import Kit, Prompts

if TYPE_CHECKING:
    from ...adapters import ReplyAccumulator
    from ...models import Part, Reply, ReplyEvent

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

QUESTION: Final = "What is a tide?"


def require_prompts(kit: Kit) -> Prompts:
    """Return what makes the backend answer.

    Raises:
        NotOffered: The backend has no `Prompts`.
    """
    if kit.backend.prompts is None:
        raise NotOffered("nothing makes the backend answer: pass Backend(prompts=…)")
    return kit.backend.prompts


def require_prompt(prompt: str | None, what: str) -> str:
    """Return a prompt of the backend, or skip the clause.

    Raises:
        NotOffered: It is None.
    """
    if prompt is None:
        raise NotOffered(f"no prompt {what}")
    return prompt


def open_replying(kit: Kit, *operations: Operation) -> tuple[AsyncConversationStore, Prompts]:
    """Open a store that offers these operations, and return it with the prompts."""
    store = kit.open()
    require(store, *operations)
    return store, require_prompts(kit)


def finished_reply(events: list[ReplyEvent]) -> Reply:
    """Return the reply that a stream ended with."""
    last = events[-1]
    assert last.kind == "reply_finished"
    return last.reply


def accumulate(events: list[ReplyEvent]) -> ReplyAccumulator:
    """Return an accumulator that has got the events."""
    from ...adapters import ReplyAccumulator

    accumulator = ReplyAccumulator()
    for event in events:
        accumulator.add(event)
    return accumulator


def is_beginning(whole: tuple[Part, ...], parts: tuple[Part, ...]) -> bool:
    """Return whether parts are the beginning of others; the last may be cut off in its text."""
    *before, last = parts or (None,)
    if last is None:
        return True
    same = whole[: len(before)] == tuple(before)
    rest = whole[len(before) :]
    return same and bool(rest) and _is_cut_off(rest[0], last)


def _is_cut_off(whole: Part, part: Part) -> bool:
    if whole.kind != part.kind:
        return False
    for name in ("text", "arguments", "content"):
        if isinstance(text := getattr(part, name, None), str):
            return str(getattr(whole, name)).startswith(text)
    return whole == part


def id_and_content(message: Message) -> tuple[str, dict[str, Any]]:
    """Return what identifies a message; `raw` may differ between two ways to read it."""
    return message.id, message.portable()


def reply_content(reply: Reply) -> tuple[object, ...]:
    question = reply.question and id_and_content(reply.question)
    return reply.conversation_id, reply.turn_id, id_and_content(reply.message), question


async def assert_stored_turn(
    store: AsyncConversationStore, text: str, events: list[ReplyEvent]
) -> None:
    reply = finished_reply(events)
    assert accumulate(events).parts == reply.message.parts
    messages = await collect(store.messages(reply.conversation_id))
    assert role_text_pairs(messages) == [("user", text), ("assistant", reply.text)]
