"""Clauses of arguments: a wrong value is an `InvalidError`, and changes nothing."""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator
from typing import Any, Final, cast

from ...adapters import OPERATIONS, READING, Operation
from ...errors import InvalidError, UnsupportedError
from ...models import ANY, Conversation, Feedback, Message
from ...store import AsyncConversationStore, WriteCall
from .._assertions import NotOffered, collect, open_filled
from .._backend import Kit
from ..samples import START, numbered_conversations, text_message
from ._wrong_values import parameters, wrong_values

__all__ = ["ValidationClauses"]

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

# Any, in this module: arguments are those of any method of a store, and mostly wrong.

_ITERATING: Final = {
    "conversations": Operation.LIST_CONVERSATIONS,
    "messages": Operation.LIST_MESSAGES,
    "messages_as_json": Operation.LIST_MESSAGES,
    "transcripts": Operation.LIST_MESSAGES,
}
"""Methods beside the operations, by the operation that they need."""
_REPLYING: Final = frozenset(
    operation for operation, info in OPERATIONS.items() if {"content", "answer"} & {*info.arguments}
)
_UNKNOWN: Final = frozenset({"owner", "metadata", "title", "pinned", "start", "order"})
"""The arguments that a backend need not know: see `Traits`."""


class ValidationClauses:
    """The clauses of arguments."""

    async def test_a_wrong_value_written_is_invalid_and_changes_nothing(self, kit: Kit) -> None:
        """A wrong value of any argument of a write is an `InvalidError`, and nothing changes.

        A wrong value in a store cannot be read back: one bad value hides a conversation.
        """
        writes = [operation.value for operation in Operation if operation not in READING]
        await _refuse_all(kit, writes)

    async def test_a_wrong_value_read_with_is_invalid(self, kit: Kit) -> None:
        """A wrong value of any argument of a read is an `InvalidError`, and nothing else.

        Arguments come from URLs and forms; a mistake in them must not look like a bug.
        """
        reads = [operation.value for operation in Operation if operation in READING]
        await _refuse_all(kit, [*reads, *_ITERATING])

    async def test_a_wrong_value_in_a_batch_changes_nothing(self, kit: Kit) -> None:
        """A wrong value in a batch is an `InvalidError`, and none of the batch is written.

        Where `traits.batches` is ``none``, that is so of a batch of one.
        """
        store = await open_filled(kit, numbered_conversations(1))
        writes = [
            operation.value
            for operation in Operation
            if operation not in READING | _REPLYING and store.offers(operation)
        ]
        if not writes:
            raise NotOffered("no write is offered")
        atomic = store.traits.batches == "atomic"
        first = [WriteCall("append_messages", "c0000", [text_message("first", "user", 900)])]
        before = await _everything(store)
        faults = []
        for operation in writes:
            for name, wrong in _one_of_each(await _wrong_calls(store, operation)):
                call = WriteCall(operation, **wrong)
                batch = [*(first if atomic else ()), call]
                faults += await _fault(
                    lambda batch=batch: store.write_batch(batch, atomic=atomic),  # type: ignore[misc]
                    f"a batch with {operation}",
                    name,
                    wrong,
                )
        assert faults == []
        assert await _everything(store) == before


async def _refuse_all(kit: Kit, methods: list[str]) -> None:
    store = await open_filled(kit, numbered_conversations(1))
    before, faults = await _everything(store), []
    offered = [method for method in methods if store.offers(_ITERATING.get(method, method))]
    if not offered:
        raise NotOffered("none of these operations is offered")
    for method in offered:
        for name, wrong in await _wrong_calls(store, method):
            faults += await _fault(_call(store, method, wrong), method, name, wrong)
    assert faults == []
    assert await _everything(store) == before


async def _fault(
    call: Callable[[], Awaitable[object]], method: str, name: str, arguments: dict[str, Any]
) -> list[str]:
    """Return what is wrong about a call whose argument of that name is wrong."""
    said = f"{method}({name}={reprlib.repr(arguments[name])})"
    refusals = (InvalidError, UnsupportedError) if name in _UNKNOWN else (InvalidError,)
    try:
        await call()
    except refusals:
        return []
    except Exception as error:  # any other one is the fault
        return [f"{said} raised {type(error).__name__}: {error}"]
    return [f"{said} was accepted"]


def _call(
    store: AsyncConversationStore, method: str, arguments: dict[str, Any]
) -> Callable[[], Awaitable[object]]:
    """Return a call of a method, which reads a stream or an iterator to its end."""

    async def call() -> None:
        result = getattr(store, method)(**arguments)
        if inspect.isawaitable(result):
            await result
        elif hasattr(result, "__aenter__"):
            async with result:
                await collect(result)
        else:
            await collect(cast("AsyncIterable[object]", result))

    return call


async def _wrong_calls(
    store: AsyncConversationStore, method: str
) -> list[tuple[str, dict[str, Any]]]:
    """Return calls of a method as the wrong argument's name and all arguments."""
    messages = (await store.list_messages("c0000")).items
    right = _right_values(messages[-1])
    taken = list(parameters(method))
    needed = {
        parameter.name: right[parameter.name]
        for parameter in taken
        if parameter.default is parameter.empty
    }
    return [
        (parameter.name, {**needed, parameter.name: value})
        for parameter in taken
        for value in wrong_values(parameter)
    ]


def _right_values(message: Message) -> dict[str, Any]:
    return {
        "conversation_id": "c0000",
        "message_id": message.id,
        "turn_id": "a-turn",
        "conversation": Conversation(id="c0000", title="put"),
        "messages": [text_message("new", "user", 901)],
        "message": message.model_copy(update={"model": "another"}),
        "after": None,
        "tip": ANY,
        "older_than": START,
        "query": "text",
        "content": "a text",
        "answer": "a text",
        "feedback": Feedback(rating="good"),
    }


def _one_of_each(
    calls: list[tuple[str, dict[str, Any]]],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a few of the calls for each argument: the rest is refused in the same place."""
    seen: dict[str, int] = {}
    for name, arguments in calls:
        seen[name] = seen.get(name, 0) + 1
        if seen[name] % 8 == 1:
            yield name, arguments


async def _everything(store: AsyncConversationStore) -> list[object]:
    """Return all that is stored, revisions included."""
    return [
        (t.conversation, t.conversation and t.conversation.revision, t.messages)
        for t in await collect(store.transcripts())
    ]
