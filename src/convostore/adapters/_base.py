"""Adapter: the interface of a backend, whose operations are flows and do no I/O.

A backend subclasses `Adapter` (over HTTP: `convostore.http.HTTPAdapter`) and overrides the three
reading operations, and whichever others it supports; what it offers is derived from that. Its
`Transport` sends the requests. No service and no protocol may be known here.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    Self,
    TypeVar,
    cast,
)
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from ..dsn import DSN
from ..errors import StoreError, UnsupportedError
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
from ..serialization import message_json
from ._endless import EndlessListCheck
from ._operation_table import STREAMED_BY, Operation
from ._traits import Traits
from ._transport import AsyncTransport, Transport
from ._types import Q, R
from .write_rules import absent_message

if TYPE_CHECKING:
    from ..models import Reply
    from ..search import Hit, Search
    from ._traits import KeptField
    from ._turns import Answer, Stream, Turn

T = TypeVar("T")


class AdapterOptions(BaseModel):
    """The base of an adapter's options, and of its options of a turn; it has none itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Adapter(ABC, Generic[Q, R]):
    """A backend.

    Attributes:
        name: The name in errors and tables.
        Options: The class of its options, which may be in the DSN's query, a profile or arguments.
        ReplyOptions: The class of the options of a turn.
        traits: The behaviour that its methods do not show.
        offers: The operations it overrides. An instance may set a smaller set once it knows the
            service.
        learns_traits: Whether `check` may still find out other `traits` and `offers`. A mirror then
            begins with it.
        namespace: The namespace whose conversations it reaches; "" is the one without a name, and
            what a backend without namespaces has.
    """

    name: ClassVar[str]
    Options: ClassVar[type[AdapterOptions]] = AdapterOptions
    ReplyOptions: ClassVar[type[AdapterOptions]] = AdapterOptions
    traits: Traits = Traits()
    offers: frozenset[Operation] = frozenset()
    learns_traits: bool = False
    namespace: str = ""
    _is_view = False

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        offers: object = cls.offers
        if isinstance(offers, property):
            return  # a wrapped adapter looks at the inner one's
        own = {name for name in Operation if getattr(cls, name) is not getattr(Adapter, name)}
        derived = {whole for whole, streamed in STREAMED_BY.items() if streamed in own}
        traits: object = cls.traits
        if not isinstance(traits, Traits):
            traits = Traits()  # a property says them of each instance
        elif Operation.UPDATE_CONVERSATION in own and not cls.learns_traits:
            changed = cast("frozenset[KeptField]", traits.changes - {"title"})
            cls.traits = replace(traits, keeps=traits.keeps | changed)
        if traits.paging == "whole":
            derived.add(Operation.GET_MESSAGE)  # by `Adapter.get_message`
        cls.offers = frozenset(own | derived | {Operation.CHECK})

    def __init__(self, dsn: DSN, options: Any) -> None:
        """Store the arguments; no I/O is done.

        Args:
            dsn: The address of the store.
            options: An instance of this class's `Options`; typed loosely so that a subclass may
                name its subclass.
        """
        self.dsn = dsn
        self.options = options

    @property
    def label(self) -> str:
        """The store's name, without secrets, as an `Origin` records it."""
        return f"{str(self.dsn).partition('?')[0]}{self.namespace_query}"

    @property
    def namespace_query(self) -> str:
        """The end of the label, which names the namespace; "" for the one without a name."""
        if not self.namespace:
            return ""
        return f"?namespace={quote(self.namespace, errors='surrogatepass')}"

    @property
    def store_key(self) -> object:
        """A value that is equal for two adapters if, and only if, they are of one store."""
        place = self.label.partition("://")[2].partition("?")[0]
        return self.label if place else self  # a private memory has no place

    @property
    def has_namespaces(self) -> bool:
        """Whether `in_namespace` returns another adapter of the same backend."""
        if self._is_view:
            return False
        return self.implements("enter_namespace") or self.implements("in_namespace")

    def in_namespace(self, name: str) -> Self:
        """Return an adapter of another namespace, over the transport of this one's store.

        It offers no further namespaces, and never reaches the one without a name. A backend that
        has namespaces overrides `enter_namespace`, which is called on a copy of this adapter.

        Args:
            name: A non-empty string.

        Raises:
            UnsupportedError: There are no namespaces, or this is the adapter of one.
        """
        # An override of this method alone may call it in order to refuse.
        if not (self.has_namespaces and self.implements("enter_namespace")):
            raise self._has_no_namespaces()
        view = copy(self)
        view._is_view = True  # noqa: SLF001  # of this class
        view.enter_namespace(name)
        return view

    def enter_namespace(self, name: str) -> None:
        """Make this the adapter of a namespace; an override offers namespaces, and calls this one.

        Call it in `__init__` with the namespace of the options, if they have one. Otherwise it is
        called once, on a shallow copy: replace what belongs to one namespace, and change nothing
        that the copies share.

        Args:
            name: The name; "" only for the namespace without one.
        """
        self.namespace = name

    def _has_no_namespaces(self) -> StoreError:
        reason = f"{self.name} has no namespaces: open a store for each user, or set an owner"
        if self._is_view:
            reason = "a namespace has no further namespaces: call with_namespace of the whole store"
        return UnsupportedError(reason, adapter=self.name, operation="with_namespace")

    @abstractmethod
    def transport(self) -> Transport[Q, R]:
        """Make the transport of a sync store; it opens no connection yet."""

    @abstractmethod
    def async_transport(self) -> AsyncTransport[Q, R]:
        """Make the transport of an async store; it opens no connection yet."""

    def wrap(self, flow: Flow[Q, R, T]) -> Flow[Q, R, T]:
        """Wrap a flow before it runs, to retry requests or to convert failures into errors."""
        return flow

    def batch(self, flows: Sequence[Flow[Q, R, Any]]) -> Flow[Q, R, tuple[Any, ...]]:
        """Carry out several writes as one, where `traits.batches` is ``atomic``.

        By default one after the other, which is atomic where a transport carries a whole flow out
        in one transaction.

        Args:
            flows: Flows of this adapter; the results may have different types.

        Returns:
            Their results, in their order.
        """
        results: list[Any] = []
        for flow in flows:
            results += [(yield from flow)]
        return tuple(results)

    @abstractmethod
    def list_conversations(self, listing: Listing) -> Flow[Q, R, Page[Conversation]]:
        """Return a page of the conversations, in the backend's order."""

    @abstractmethod
    def get_conversation(self, conversation_id: str) -> Flow[Q, R, Conversation]:
        """Return a conversation.

        Raises:
            NotFoundError: It does not exist.
        """

    @abstractmethod
    def list_messages(self, conversation_id: str, listing: Listing) -> Flow[Q, R, Page[Message]]:
        """Return a page of a conversation's messages, in `listing.order`.

        Raises:
            NotFoundError: The conversation does not exist.
        """

    def count_conversations(self) -> Flow[Q, R, int]:
        """Return how many conversations there are, if that is cheap.

        Override it where pages have no `total`. It is asked once at the beginning of a long run
        whose progress is shown.
        """
        raise self.unsupported(Operation.LIST_CONVERSATIONS)

    def get_message(self, conversation_id: str, message_id: str) -> Flow[Q, R, Message]:
        """Return a message; by default, where lists are whole, it is found in the list.

        Raises:
            NotFoundError: The conversation or the message does not exist.
        """
        if self.traits.paging != "whole":
            raise self.unsupported(Operation.GET_MESSAGE)
        return self._found_message(conversation_id, message_id)

    def _found_message(self, conversation_id: str, message_id: str) -> Flow[Q, R, Message]:
        page = yield from self.list_messages(conversation_id, Listing())
        for message in page.items:
            if message.id == message_id:
                return message
        raise absent_message(conversation_id, message_id)

    def messages_as_json(self, conversation_id: str, listing: Listing) -> Flow[Q, R, Page[str]]:
        """Return the page of `list_messages`, each message as JSON.

        Override it where messages are kept as JSON. Fields that hold their default may be absent.
        """
        page = yield from self.list_messages(conversation_id, listing)
        return Page(
            items=tuple(map(message_json, page.items)), cursor=page.cursor, total=page.total
        )

    def read_transcript(
        self, conversation_id: str, known: Conversation | None = None
    ) -> Flow[Q, R, Transcript]:
        """Return a conversation with all its messages; override it if one request returns both.

        Args:
            conversation_id: The conversation's id.
            known: The conversation as a list has just returned it.
        """
        conversation = known or (yield from self.get_conversation(conversation_id))
        messages: list[Message] = []
        limit = None if self.traits.paging == "whole" else self.traits.max_page or 100
        cursor: str | None = None
        check = EndlessListCheck(self.name, conversation_id)
        while True:
            page = yield from self.list_messages(
                conversation_id, Listing(limit=limit, cursor=cursor)
            )
            check.accept(cursor, page, fresh=bool(page.items))
            messages += page.items
            if (cursor := page.cursor) is None:
                break
        return Transcript(
            conversation_id=conversation_id, conversation=conversation, messages=tuple(messages)
        )

    def create_conversation(self, new: NewConversation) -> Flow[Q, R, Conversation]:
        """Create a conversation.

        `new` has an owner or metadata only if `traits.changes` names them.

        Raises:
            ConflictError: Another conversation has the id.
        """
        raise self.unsupported(Operation.CREATE_CONVERSATION)

    def append_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | AnyTip | None
    ) -> Flow[Q, R, tuple[Message, ...]]:
        """Store messages after the message `after`, all or none; see the store's method."""
        raise self.unsupported(Operation.APPEND_MESSAGES)

    def replace_messages(
        self,
        conversation_id: str,
        messages: Sequence[Message],
        after: str | None,
        tip: str | AnyTip | None,
    ) -> Flow[Q, R, tuple[Message, ...]]:
        """Replace all messages after the message `after`, in one transaction.

        Raises:
            ConflictError: The last message is not `tip`, unless what is after `after` equals
                `messages` already; see the store's method.
        """
        raise self.unsupported(Operation.REPLACE_MESSAGES)

    def update_message(
        self, conversation_id: str, message: Message, was: Message | AnyTip
    ) -> Flow[Q, R, Message]:
        """Replace the stored message of that id, in its place; see the store's method.

        Raises:
            ConflictError: What is stored differs from `was`.
        """
        raise self.unsupported(Operation.UPDATE_MESSAGE)

    def update_conversation(
        self, conversation_id: str, change: ConversationChange
    ) -> Flow[Q, R, None]:
        """Change the fields that are not UNSET, all of which are among `traits.changes`."""
        raise self.unsupported(Operation.UPDATE_CONVERSATION)

    def delete_conversation(self, conversation_id: str) -> Flow[Q, R, None]:
        """Delete a conversation; for an absent one, return or raise `NotFoundError`."""
        raise self.unsupported(Operation.DELETE_CONVERSATION)

    def put_conversation(self, conversation: Conversation) -> Flow[Q, R, None]:
        """Store the fields of a conversation unchanged; its messages are not affected."""
        raise self.unsupported(Operation.PUT_CONVERSATION)

    def fork_conversation(
        self,
        conversation_id: str,
        message_id: str,
        new_id: str | None,
        change: ConversationChange,
    ) -> Flow[Q, R, Conversation]:
        """Copy a conversation up to and including a message, with `raw`, owner and metadata.

        Args:
            conversation_id: The id of the original.
            message_id: The last message of the copy.
            new_id: The copy's id; None lets the store choose one.
            change: What the copy has in place of the original's; it is never pinned.
        """
        raise self.unsupported(Operation.FORK_CONVERSATION)

    def delete_conversations(self, which: ConversationFilter) -> Flow[Q, R, int]:
        """Delete what a list with the same filters returns, and return the number deleted.

        `which` names an owner only if `traits.filters` has it.
        """
        raise self.unsupported(Operation.DELETE_CONVERSATIONS)

    def clear_conversations(self) -> Flow[Q, R, None]:
        """Delete every conversation that the store lists."""
        raise self.unsupported(Operation.CLEAR_CONVERSATIONS)

    def delete_message(self, conversation_id: str, message_id: str) -> Flow[Q, R, bool | None]:
        """Delete a message, and return whether it was there; None if the backend does not say.

        For an absent one, return False or None, or raise `NotFoundError`.
        """
        raise self.unsupported(Operation.DELETE_MESSAGE)

    def pop_message(self, conversation_id: str, tip: str | AnyTip) -> Flow[Q, R, Message | None]:
        """Delete and return the last message, in one transaction; None if there is none.

        Raises:
            ConflictError: The last message is not `tip`.
        """
        raise self.unsupported(Operation.POP_MESSAGE)

    def set_feedback(
        self, conversation_id: str, message_id: str, feedback: Feedback | None
    ) -> Flow[Q, R, None]:
        """Set the feedback on an answer; None clears it."""
        raise self.unsupported(Operation.SET_FEEDBACK)

    def search(self, search: Search, listing: Listing) -> Flow[Q, R, Page[Hit]]:
        """Return a page of the hits: titles first, then messages; in both the newest first."""
        raise self.unsupported(Operation.SEARCH)

    def get_run_details(
        self, conversation_id: str, message_id: str
    ) -> Flow[Q, R, tuple[RunStep, ...]]:
        """Return the steps of the run that produced an answer."""
        raise self.unsupported(Operation.GET_RUN_DETAILS)

    def suggest_questions(self, conversation_id: str) -> Flow[Q, R, tuple[str, ...]]:
        """Return the questions that the backend suggests."""
        raise self.unsupported(Operation.SUGGEST_QUESTIONS)

    # Replies: `_turns` has the values by which a turn and its stream are described.

    def new_conversation_id(self) -> str:
        """Choose the id of a conversation that a turn begins."""
        return secrets.token_hex(12)

    def new_turn_id(self) -> str:
        """Choose the id by which a turn can be looked up."""
        return secrets.token_hex(12)

    def stream_reply(self, turn: Turn) -> Flow[Q, R, Stream[Q, R]]:
        """Describe how to send a turn and decode its streamed reply."""
        raise self.unsupported(Operation.STREAM_REPLY)

    def reply(self, turn: Turn) -> Flow[Q, R, Reply]:
        """Send a turn and return its reply; if not overridden, the store streams instead."""
        raise self.unsupported(Operation.REPLY)

    def stream_answer(self, answer: Answer) -> Flow[Q, R, Stream[Q, R]]:
        """Describe how to answer a waiting interaction and decode the streamed reply.

        Raises:
            ConflictError: No interaction waits for an answer.
            InvalidError: The answer does not fit the interaction; nothing was sent.
        """
        raise self.unsupported(Operation.STREAM_ANSWER)

    def answer(self, answer: Answer) -> Flow[Q, R, Reply]:
        """Answer a waiting interaction; if not overridden, the store streams instead."""
        raise self.unsupported(Operation.ANSWER)

    def get_reply(self, conversation_id: str, turn_id: str) -> Flow[Q, R, Reply]:
        """Return the reply to a turn that was sent before, or raise the error that it ended in.

        Raises:
            NotFoundError: The turn did not arrive.
            ConflictError: The reply is still being generated.
        """
        raise self.unsupported(Operation.GET_REPLY)

    def resume_reply(self, conversation_id: str, turn_id: str) -> Flow[Q, R, Stream[Q, R] | Reply]:
        """Describe how to resume the stream of a reply, or return a reply that is finished.

        Raises:
            NotFoundError: The turn did not arrive.
        """
        raise self.unsupported(Operation.RESUME_REPLY)

    def failure(self, request: Q, reply: R) -> StoreError | None:
        """Return the error that a reply reports, or None if it is a result; pure."""
        return None

    def redact(self, error: StoreError) -> None:
        """Redact this store's secrets in an error's texts."""

    def check(self) -> Flow[Q, R, Health]:
        """Check that the service answers; by default, list one conversation."""
        yield from self.list_conversations(Listing(limit=1))
        return Health()

    def implements(self, method: str) -> bool:
        """Return whether a method that has a default, such as `messages_as_json`, is overridden."""
        return getattr(type(self), method) is not getattr(Adapter, method)

    def unsupported(self, operation: Operation) -> StoreError:
        """Make the error for an operation that is not offered."""
        return UnsupportedError(
            f"{self.name} does not offer {operation}: "
            f"check store.offers({operation.value!r}) first",
            adapter=self.name,
            operation=operation,
        )
