"""The service that faults meet: filled, with a reply and an open interaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ...adapters import Operation
from ...http import Request
from ...store import AsyncConversationStore, AsyncReplyStream
from .._assertions import NotOffered, collect, conversation_ids, open_filled, read_stream
from .._backend import Kit, Prompts
from ..clauses._reply_helpers import QUESTION
from ..clauses.reading import call_operation, offered_operations
from ..samples import numbered_conversations

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

SECRET = "sesame-4711"  # noqa: S105  # must not show in any error or log
WRITES = frozenset(
    {
        Operation.CREATE_CONVERSATION,
        Operation.APPEND_MESSAGES,
        Operation.REPLACE_MESSAGES,
        Operation.UPDATE_CONVERSATION,
        Operation.PUT_CONVERSATION,
        Operation.FORK_CONVERSATION,
        Operation.DELETE_CONVERSATION,
        Operation.DELETE_CONVERSATIONS,
        Operation.CLEAR_CONVERSATIONS,
        Operation.DELETE_MESSAGE,
        Operation.SET_FEEDBACK,
        Operation.REPLY,
        Operation.STREAM_REPLY,
        Operation.ANSWER,
        Operation.STREAM_ANSWER,
    }
)
"""The operations that change something in the backend."""


_OF_TURNS: Final = frozenset(
    {
        Operation.REPLY,
        Operation.STREAM_REPLY,
        Operation.GET_REPLY,
        Operation.RESUME_REPLY,
    }
)
_OF_ANSWERS: Final = frozenset({Operation.ANSWER, Operation.STREAM_ANSWER})
STREAMED: Final = _OF_TURNS | _OF_ANSWERS
"""The operations whose answer may be a stream, where unreadable JSON may seem to be cut."""


@dataclass(frozen=True, kw_only=True)
class FaultFixture:
    """A filled service, and what is known of it.

    Attributes:
        operations: Those that are offered and can be called.
        conversations: The ids of its conversations.
        message_id: The id of a message that may have feedback and run details.
        turn: The conversation and the turn of a stored reply; None where nothing answers.
        asking: The conversation that waits for an answer, and a valid one; None where nothing asks.
        options: The options of turns.
        reads: Method and path of each request of the operations that only read.
    """

    operations: tuple[Operation, ...]
    conversations: frozenset[str]
    message_id: str
    turn: tuple[str, str] | None = None
    asking: tuple[str, str] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)  # as methods take them
    reads: frozenset[tuple[str, str]] = frozenset()

    def changes(self, request: Request) -> bool:
        """Return whether only writing operations make such a request."""
        return (request.method, request.path) not in self.reads

    def stream(self, store: AsyncConversationStore) -> AsyncReplyStream:
        """Return the stream of a new turn in the conversation of `turn`."""
        begun = self.turn[0] if self.turn else None
        return store.stream_reply(begun, QUESTION, **self.options)

    async def call(self, store: AsyncConversationStore, operation: Operation) -> object:
        """Call an operation on what is there."""
        match operation:
            case Operation.REPLY:
                return await store.reply("c0000", QUESTION, **self.options)
            case Operation.STREAM_REPLY:
                stream = store.stream_reply("c0000", QUESTION, **self.options)
                return await read_stream(stream)
            case Operation.ANSWER if self.asking is not None:
                return await store.answer(*self.asking, **self.options)
            case Operation.STREAM_ANSWER if self.asking is not None:
                return await read_stream(store.stream_answer(*self.asking, **self.options))
            case Operation.GET_REPLY if self.turn is not None:
                return await store.get_reply(*self.turn)
            case Operation.RESUME_REPLY if self.turn is not None:
                return await read_stream(store.resume_reply(*self.turn))
        return await call_operation(store, operation, "c0000", self.message_id)


async def prepare(kit: Kit) -> FaultFixture:
    """Fill the service with conversations and replies, and record the requests of all reads.

    Raises:
        NotOffered: There is no stand-in of a service.
    """
    if kit.backend.service is None:
        raise NotOffered("no stand-in of an HTTP service can fail: pass Backend(service=…)")
    store = await open_filled(kit, numbered_conversations(2))
    message_id = (await collect(store.messages("c0000")))[-1].id
    prompts = kit.backend.prompts
    turn = await _make_turn(store, prompts)
    asking = await _make_interaction(store, prompts)
    unknown = (_OF_TURNS if turn is None else set()) | (_OF_ANSWERS if asking is None else set())
    fixture = FaultFixture(
        operations=tuple(
            [operation for operation in offered_operations(store) if operation not in unknown]
        ),
        conversations=frozenset(await conversation_ids(store)),
        message_id=message_id,
        turn=turn,
        asking=asking,
        options=prompts.options if prompts else {},
    )
    reads = await _reads(kit, fixture)
    return replace(fixture, reads=frozenset([(request.method, request.path) for request in reads]))


async def _reads(kit: Kit, fixture: FaultFixture) -> list[Request]:
    """Return the requests of all that only reads, those before and after a stream included."""
    requests = kit.backend.requests
    requests.clear()
    kit.backend.streamed.clear()
    for operation in fixture.operations:  # each in a new store, which has read nothing yet
        if operation not in WRITES:
            await fixture.call(kit.open(), operation)
    for conversation_id in fixture.conversations:
        await collect(kit.open().messages(conversation_id))
    if Operation.STREAM_REPLY in fixture.operations:
        await read_stream(fixture.stream(kit.open()))
    streamed = [request for request, _ in kit.backend.streamed]
    return [request for request in requests if request not in streamed]


async def _make_turn(
    store: AsyncConversationStore, prompts: Prompts | None
) -> tuple[str, str] | None:
    if prompts is None or not store.offers(Operation.REPLY):
        return None
    reply = await store.reply(None, QUESTION, **prompts.options)
    return reply.conversation_id, str(reply.turn_id)


async def _make_interaction(
    store: AsyncConversationStore, prompts: Prompts | None
) -> tuple[str, str] | None:
    if prompts is None or prompts.choice is None or not store.offers(Operation.ANSWER):
        return None
    reply = await store.reply(None, prompts.choice, **prompts.options)
    assert reply.interaction is not None
    return reply.conversation_id, reply.interaction.options[0].value
