"""Wrapped adapters: an adapter that does what another one does, except what it overrides.

`read_only` is one; a cache, a log or a model in front of a store can be others. No service and no
protocol may be known here, and nothing is sent but what the inner adapter asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ..errors import ForbiddenError, StoreError
from ..flow import Flow
from ..models import (
    AnyTip,
    Conversation,
    ConversationChange,
    ConversationFilter,
    Feedback,
    Health,
    Listing,
    Message,
    NewConversation,
    Page,
    RunStep,
    Transcript,
)
from ._base import Adapter, AdapterOptions
from ._operation_table import READING, Operation
from ._traits import Traits
from ._transport import AsyncTransport, Transport
from ._types import Q, R

if TYPE_CHECKING:
    from ..models import Reply
    from ..search import Hit, Search
    from ._turns import Answer, Stream, Turn

T = TypeVar("T")


class WrappedAdapter(Adapter[Q, R]):
    """An adapter that delegates every operation and every attribute to an inner one.

    A subclass overrides what it changes. The inner adapter keeps building some operations from its
    own others, such as `read_transcript` from `list_messages`: if you override `list_messages`,
    override `messages_as_json` and `read_transcript` as well.

    Attributes:
        inner: The adapter that is wrapped.
    """

    # Properties, because what the inner adapter offers may change after its first request.

    def __init__(self, inner: Adapter[Q, R]) -> None:
        super().__init__(inner.dsn, inner.options)
        self.inner = inner

    @property
    def name(self) -> str:  # type: ignore[override]  # errors and cursors name the inner adapter
        return self.inner.name

    @property
    def Options(self) -> type[AdapterOptions]:  # type: ignore[override]  # noqa: N802
        return self.inner.Options

    @property
    def ReplyOptions(self) -> type[AdapterOptions]:  # type: ignore[override]  # noqa: N802
        return self.inner.ReplyOptions

    @property
    def traits(self) -> Traits:  # type: ignore[override]
        return self.inner.traits

    @property
    def offers(self) -> frozenset[Operation]:  # type: ignore[override]
        return self.inner.offers

    @property
    def learns_traits(self) -> bool:  # type: ignore[override]
        return self.inner.learns_traits

    @property
    def label(self) -> str:
        return self.inner.label

    @property
    def store_key(self) -> object:
        return self.inner.store_key

    @property
    def namespace(self) -> str:  # type: ignore[override]
        return self.inner.namespace

    @property
    def has_namespaces(self) -> bool:
        return self.inner.has_namespaces

    def in_namespace(self, name: str) -> Self:
        """Return this wrapper around the inner adapter of a namespace."""
        return self.rewrapped(self.inner.in_namespace(name))

    def rewrapped(self, inner: Adapter[Q, R]) -> Self:
        """Return a copy of this wrapper around another inner adapter.

        Override it in a wrapper that holds what belongs to one namespace, such as a cache.
        """
        copied = copy(self)
        copied.inner, copied.dsn, copied.options = inner, inner.dsn, inner.options
        return copied

    def implements(self, method: str) -> bool:
        if getattr(type(self), method) is getattr(WrappedAdapter, method):
            return self.inner.implements(method)
        return super().implements(method)

    def transport(self) -> Transport[Q, R]:
        return self.inner.transport()

    def async_transport(self) -> AsyncTransport[Q, R]:
        return self.inner.async_transport()

    def wrap(self, flow: Flow[Q, R, T]) -> Flow[Q, R, T]:
        return self.inner.wrap(flow)

    def batch(self, flows: Sequence[Flow[Q, R, Any]]) -> Flow[Q, R, tuple[Any, ...]]:
        return self.inner.batch(flows)

    def failure(self, request: Q, reply: R) -> StoreError | None:
        return self.inner.failure(request, reply)

    def redact(self, error: StoreError) -> None:
        self.inner.redact(error)

    def unsupported(self, operation: Operation) -> StoreError:
        return self.inner.unsupported(operation)

    def new_conversation_id(self) -> str:
        return self.inner.new_conversation_id()

    def new_turn_id(self) -> str:
        return self.inner.new_turn_id()

    # Reading

    def list_conversations(self, listing: Listing) -> Flow[Q, R, Page[Conversation]]:
        return self.inner.list_conversations(listing)

    def count_conversations(self) -> Flow[Q, R, int]:
        return self.inner.count_conversations()

    def get_conversation(self, conversation_id: str) -> Flow[Q, R, Conversation]:
        return self.inner.get_conversation(conversation_id)

    def list_messages(self, conversation_id: str, listing: Listing) -> Flow[Q, R, Page[Message]]:
        return self.inner.list_messages(conversation_id, listing)

    def get_message(self, conversation_id: str, message_id: str) -> Flow[Q, R, Message]:
        return self.inner.get_message(conversation_id, message_id)

    def messages_as_json(self, conversation_id: str, listing: Listing) -> Flow[Q, R, Page[str]]:
        return self.inner.messages_as_json(conversation_id, listing)

    def read_transcript(
        self, conversation_id: str, known: Conversation | None = None
    ) -> Flow[Q, R, Transcript]:
        return self.inner.read_transcript(conversation_id, known)

    def search(self, search: Search, listing: Listing) -> Flow[Q, R, Page[Hit]]:
        return self.inner.search(search, listing)

    def get_run_details(
        self, conversation_id: str, message_id: str
    ) -> Flow[Q, R, tuple[RunStep, ...]]:
        return self.inner.get_run_details(conversation_id, message_id)

    def suggest_questions(self, conversation_id: str) -> Flow[Q, R, tuple[str, ...]]:
        return self.inner.suggest_questions(conversation_id)

    def check(self) -> Flow[Q, R, Health]:
        return self.inner.check()

    # Writing

    def create_conversation(self, new: NewConversation) -> Flow[Q, R, Conversation]:
        return self.inner.create_conversation(new)

    def put_conversation(self, conversation: Conversation) -> Flow[Q, R, None]:
        return self.inner.put_conversation(conversation)

    def fork_conversation(
        self,
        conversation_id: str,
        message_id: str,
        new_id: str | None,
        change: ConversationChange,
    ) -> Flow[Q, R, Conversation]:
        return self.inner.fork_conversation(conversation_id, message_id, new_id, change)

    def update_conversation(
        self, conversation_id: str, change: ConversationChange
    ) -> Flow[Q, R, None]:
        return self.inner.update_conversation(conversation_id, change)

    def delete_conversation(self, conversation_id: str) -> Flow[Q, R, None]:
        return self.inner.delete_conversation(conversation_id)

    def delete_conversations(self, which: ConversationFilter) -> Flow[Q, R, int]:
        return self.inner.delete_conversations(which)

    def clear_conversations(self) -> Flow[Q, R, None]:
        return self.inner.clear_conversations()

    def append_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | AnyTip | None
    ) -> Flow[Q, R, tuple[Message, ...]]:
        return self.inner.append_messages(conversation_id, messages, after)

    def replace_messages(
        self,
        conversation_id: str,
        messages: Sequence[Message],
        after: str | None,
        tip: str | AnyTip | None,
    ) -> Flow[Q, R, tuple[Message, ...]]:
        return self.inner.replace_messages(conversation_id, messages, after, tip)

    def update_message(
        self, conversation_id: str, message: Message, was: Message | AnyTip
    ) -> Flow[Q, R, Message]:
        return self.inner.update_message(conversation_id, message, was)

    def delete_message(self, conversation_id: str, message_id: str) -> Flow[Q, R, bool | None]:
        return self.inner.delete_message(conversation_id, message_id)

    def pop_message(self, conversation_id: str, tip: str | AnyTip) -> Flow[Q, R, Message | None]:
        return self.inner.pop_message(conversation_id, tip)

    def set_feedback(
        self, conversation_id: str, message_id: str, feedback: Feedback | None
    ) -> Flow[Q, R, None]:
        return self.inner.set_feedback(conversation_id, message_id, feedback)

    # Replies

    def reply(self, turn: Turn) -> Flow[Q, R, Reply]:
        return self.inner.reply(turn)

    def stream_reply(self, turn: Turn) -> Flow[Q, R, Stream[Q, R]]:
        return self.inner.stream_reply(turn)

    def answer(self, answer: Answer) -> Flow[Q, R, Reply]:
        return self.inner.answer(answer)

    def stream_answer(self, answer: Answer) -> Flow[Q, R, Stream[Q, R]]:
        return self.inner.stream_answer(answer)

    def get_reply(self, conversation_id: str, turn_id: str) -> Flow[Q, R, Reply]:
        return self.inner.get_reply(conversation_id, turn_id)

    def resume_reply(self, conversation_id: str, turn_id: str) -> Flow[Q, R, Stream[Q, R] | Reply]:
        return self.inner.resume_reply(conversation_id, turn_id)


class _ReadOnlyAdapter(WrappedAdapter[Q, R]):
    """An adapter whose operations are the reading ones of another."""

    def __init__(self, inner: Adapter[Q, R], reason: str) -> None:
        super().__init__(inner)
        self._reason = reason

    @property
    def offers(self) -> frozenset[Operation]:  # type: ignore[override]
        return self.inner.offers & READING

    def unsupported(self, operation: Operation) -> StoreError:
        if operation in READING:
            return self.inner.unsupported(operation)
        return ForbiddenError(
            f"{self._reason}: {operation.value} is refused",
            adapter=self.name,
            operation=operation.value,
        )

    # An adapter's own methods raise `unsupported`.

    create_conversation = Adapter.create_conversation
    put_conversation = Adapter.put_conversation
    fork_conversation = Adapter.fork_conversation
    update_conversation = Adapter.update_conversation
    delete_conversation = Adapter.delete_conversation
    delete_conversations = Adapter.delete_conversations
    clear_conversations = Adapter.clear_conversations
    append_messages = Adapter.append_messages
    replace_messages = Adapter.replace_messages
    update_message = Adapter.update_message
    delete_message = Adapter.delete_message
    pop_message = Adapter.pop_message
    set_feedback = Adapter.set_feedback
    reply = Adapter.reply
    stream_reply = Adapter.stream_reply
    answer = Adapter.answer
    stream_answer = Adapter.stream_answer


def read_only(
    adapter: Adapter[Q, R], *, reason: str = "this store is read-only"
) -> WrappedAdapter[Q, R]:
    """Wrap an adapter in one that refuses every operation that changes anything.

    Every change is refused with a `ForbiddenError` before any request, whether by a store's method,
    a batch, a mirror or an import.

    Args:
        adapter: The adapter to wrap; it stays as it is.
        reason: The beginning of the errors' messages.
    """
    return _ReadOnlyAdapter(adapter, reason)
