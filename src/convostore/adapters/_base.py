"""Adapter: what a backend is to the library. Its operations are flows; it does no I/O itself.

A backend subclasses `Adapter` (over HTTP: `convostore.http.HTTPAdapter`), writes the three reading
operations and whichever others it can, and what it offers is derived from that. Carrying requests
to the backend is its `Transport`'s work. No service and no protocol may be known here.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from ..dsn import DSN
from ..errors import StoreError, UnsupportedError
from ..flow import Flow
from ..models import (
    AnyTip,
    Conversation,
    ConversationChange,
    Feedback,
    Health,
    Listing,
    Message,
    NewConversation,
    Page,
    RunStep,
    Transcript,
    Unset,
)
from ..serialization import message_json
from ._transport import AsyncIncomingReply as AsyncIncomingReply
from ._transport import AsyncTransport as AsyncTransport
from ._transport import IncomingReply as IncomingReply
from ._transport import Transport as Transport
from ._types import Q, R

if TYPE_CHECKING:
    from ..models import Reply
    from ..search import Hit, Search
    from ._turns import Answer, Stream, Turn

T = TypeVar("T")


class Operation(StrEnum):
    """The operations of a store, by the names of their methods."""

    LIST_CONVERSATIONS = "list_conversations"
    GET_CONVERSATION = "get_conversation"
    LIST_MESSAGES = "list_messages"
    CREATE_CONVERSATION = "create_conversation"
    APPEND_MESSAGES = "append_messages"
    REPLACE_MESSAGES = "replace_messages"
    UPDATE_CONVERSATION = "update_conversation"
    PUT_CONVERSATION = "put_conversation"
    FORK_CONVERSATION = "fork_conversation"
    DELETE_CONVERSATION = "delete_conversation"
    DELETE_CONVERSATIONS = "delete_conversations"
    CLEAR_CONVERSATIONS = "clear_conversations"
    DELETE_MESSAGE = "delete_message"
    SET_FEEDBACK = "set_feedback"
    SEARCH = "search"
    GET_RUN_DETAILS = "get_run_details"
    SUGGEST_QUESTIONS = "suggest_questions"
    REPLY = "reply"
    STREAM_REPLY = "stream_reply"
    ANSWER = "answer"
    STREAM_ANSWER = "stream_answer"
    GET_REPLY = "get_reply"
    RESUME_REPLY = "resume_reply"
    CHECK = "check"


_BY_STREAM: Final = {
    Operation.REPLY: Operation.STREAM_REPLY,
    Operation.ANSWER: Operation.STREAM_ANSWER,
}
"""What the store can do by itself where the backend streams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """How a backend behaves where no method shows it; the worst case over its versions.

    Attributes:
        paging: ``native``, or ``whole`` when one answer always holds everything.
        order: ``pinned_then_active`` (pinned first, then `last_active_at` descending, then id), or
            the ``backend``'s own.
        updated_at: Whether it moves with a conversation's ``content`` and with nothing else, with
            ``any`` write or even a read, or there is ``none``.
        deletes: ``message`` when `delete_message` takes what was named and no more; it
            ``may_delete_turn`` when the other half of the turn can go with it.
        clears: ``listed`` when `clear_conversations` takes what the store lists and no more; it
            ``may_clear_others`` when conversations that the store does not show can go with them.
        reports_absent: Whether a write on an absent conversation raises `NotFoundError`. (To delete
            one is done at once, everywhere.)
        deleted_readable: Whether a deleted conversation's messages can still be read by its id.
        max_page: The most items that one page holds; None when there is no bound.
    """

    paging: Literal["native", "whole"] = "native"
    order: Literal["backend", "pinned_then_active"] = "backend"
    updated_at: Literal["content", "any", "none"] = "none"
    deletes: Literal["message", "may_delete_turn"] = "message"
    clears: Literal["listed", "may_clear_others"] = "listed"
    reports_absent: bool = True
    deleted_readable: bool = False
    max_page: int | None = None


class AdapterOptions(BaseModel):
    """The options of an adapter, or of its turns, that has none; adapters subclass it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Adapter(ABC, Generic[Q, R]):
    """A backend.

    Attributes:
        name: How errors and tables call it.
        Options: What may stand in its DSN's query, its profile or its arguments.
        ReplyOptions: What may be passed with a turn.
        traits: What its methods do not show.
        offers: The operations it overrides. An instance may set a smaller set after a look at the
            service.
    """

    name: ClassVar[str]
    Options: ClassVar[type[AdapterOptions]] = AdapterOptions
    ReplyOptions: ClassVar[type[AdapterOptions]] = AdapterOptions
    traits: Traits = Traits()
    offers: frozenset[Operation] = frozenset()

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        own = {each for each in Operation if getattr(cls, each) is not getattr(Adapter, each)}
        by_stream = {whole for whole, streamed in _BY_STREAM.items() if streamed in own}
        cls.offers = frozenset(own | by_stream | {Operation.CHECK})

    def __init__(self, dsn: DSN, options: Any) -> None:
        """Keeps what it was given and does no I/O.

        Args:
            dsn: The address.
            options: An instance of this class's `Options`; typed loosely so that a subclass may
                name its own.
        """
        self.dsn = dsn
        self.options = options

    @property
    def label(self) -> str:
        """A name of this very store, without secrets: what an `Origin` records."""
        return str(self.dsn).partition("?")[0]

    @abstractmethod
    def transport(self) -> Transport[Q, R]:
        """Makes the transport of the sync face; opens no connection yet."""

    @abstractmethod
    def async_transport(self) -> AsyncTransport[Q, R]:
        """Makes the transport of the async face; opens no connection yet."""

    def wrap(self, flow: Flow[Q, R, T]) -> Flow[Q, R, T]:
        """Wraps each flow before it is carried out, to repeat requests or to read failures."""
        return flow

    @abstractmethod
    def list_conversations(self, listing: Listing) -> Flow[Q, R, Page[Conversation]]:
        """One page of the conversations, in the backend's order."""

    @abstractmethod
    def get_conversation(self, conversation_id: str) -> Flow[Q, R, Conversation]:
        """One conversation.

        Raises:
            NotFoundError: It is not there.
        """

    @abstractmethod
    def list_messages(self, conversation_id: str, listing: Listing) -> Flow[Q, R, Page[Message]]:
        """One page of a conversation's messages, in `listing.order`.

        Raises:
            NotFoundError: The conversation is not there.
        """

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
        """A conversation with all its messages; overridden where one request brings both.

        Args:
            conversation_id: Whose.
            known: The conversation as a list just showed it.
        """
        conversation = known or (yield from self.get_conversation(conversation_id))
        messages: list[Message] = []
        limit = None if self.traits.paging == "whole" else self.traits.max_page or 100
        cursor: str | None = None
        while True:
            page = yield from self.list_messages(
                conversation_id, Listing(limit=limit, cursor=cursor)
            )
            messages += page.items
            if (cursor := page.cursor) is None:
                break
        return Transcript(
            conversation_id=conversation_id, conversation=conversation, messages=tuple(messages)
        )

    def create_conversation(self, new: NewConversation) -> Flow[Q, R, Conversation]:
        """Makes a conversation.

        Raises:
            ConflictError: The id is taken by another one.
        """
        raise self.unsupported(Operation.CREATE_CONVERSATION)

    def append_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | AnyTip | None
    ) -> Flow[Q, R, tuple[Message, ...]]:
        """Stores messages behind the message `after`, all or none; see the store's method."""
        raise self.unsupported(Operation.APPEND_MESSAGES)

    def replace_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | None
    ) -> Flow[Q, R, tuple[Message, ...]]:
        """Puts messages in the place of all that stand behind `after`, in one transaction."""
        raise self.unsupported(Operation.REPLACE_MESSAGES)

    def update_conversation(
        self, conversation_id: str, change: ConversationChange
    ) -> Flow[Q, R, None]:
        """Changes what is not UNSET."""
        raise self.unsupported(Operation.UPDATE_CONVERSATION)

    def delete_conversation(self, conversation_id: str) -> Flow[Q, R, None]:
        """Deletes; of an absent one, too, it may just return or raise `NotFoundError`."""
        raise self.unsupported(Operation.DELETE_CONVERSATION)

    def put_conversation(self, conversation: Conversation) -> Flow[Q, R, None]:
        """Stores a conversation's own fields as they are; its messages stay as they are."""
        raise self.unsupported(Operation.PUT_CONVERSATION)

    def fork_conversation(
        self, conversation_id: str, message_id: str, new_id: str | None, title: str | Unset | None
    ) -> Flow[Q, R, Conversation]:
        """Copies a conversation up to a message, that one included.

        Args:
            conversation_id: The original.
            message_id: Its last message that the copy has.
            new_id: The copy's id; None leaves the choice to the store.
            title: The copy's; UNSET for the original's.
        """
        raise self.unsupported(Operation.FORK_CONVERSATION)

    def delete_conversations(self, older_than: datetime) -> Flow[Q, R, int]:
        """Deletes what a list with that `older_than` shows, and returns how many that were."""
        raise self.unsupported(Operation.DELETE_CONVERSATIONS)

    def clear_conversations(self) -> Flow[Q, R, None]:
        """Deletes every conversation that the store lists."""
        raise self.unsupported(Operation.CLEAR_CONVERSATIONS)

    def delete_message(self, conversation_id: str, message_id: str) -> Flow[Q, R, None]:
        """Deletes; of an absent one, too, it may just return or raise `NotFoundError`."""
        raise self.unsupported(Operation.DELETE_MESSAGE)

    def set_feedback(
        self, conversation_id: str, message_id: str, feedback: Feedback | None
    ) -> Flow[Q, R, None]:
        """Sets an answer's feedback; None clears it."""
        raise self.unsupported(Operation.SET_FEEDBACK)

    def search(self, search: Search, listing: Listing) -> Flow[Q, R, Page[Hit]]:
        """One page of what was found: titles first, then messages, newest first in both."""
        raise self.unsupported(Operation.SEARCH)

    def get_run_details(
        self, conversation_id: str, message_id: str
    ) -> Flow[Q, R, tuple[RunStep, ...]]:
        """The steps of the run that made an answer."""
        raise self.unsupported(Operation.GET_RUN_DETAILS)

    def suggest_questions(self, conversation_id: str) -> Flow[Q, R, tuple[str, ...]]:
        """Questions that the backend thinks come next."""
        raise self.unsupported(Operation.SUGGEST_QUESTIONS)

    # Making conversation: `turns` says what is sent, and how what is streamed is read.

    def new_conversation_id(self) -> str:
        """Chooses the id of a conversation that a turn will begin."""
        return secrets.token_hex(12)

    def new_turn_id(self) -> str:
        """Chooses the id by which a turn can be found again."""
        return secrets.token_hex(12)

    def stream_reply(self, turn: Turn) -> Flow[Q, R, Stream[Q, R]]:
        """Describes how a turn is sent and its reply read as it comes."""
        raise self.unsupported(Operation.STREAM_REPLY)

    def reply(self, turn: Turn) -> Flow[Q, R, Reply]:
        """Sends a turn and waits for its reply; a store streams where this is not overridden."""
        raise self.unsupported(Operation.REPLY)

    def stream_answer(self, answer: Answer) -> Flow[Q, R, Stream[Q, R]]:
        """Describes how a waiting interaction is answered, and what follows read as it comes.

        Raises:
            ConflictError: Nothing waits for an answer.
            InvalidError: The answer does not fit; nothing was sent.
        """
        raise self.unsupported(Operation.STREAM_ANSWER)

    def answer(self, answer: Answer) -> Flow[Q, R, Reply]:
        """Answers a waiting interaction; a store streams where this is not overridden."""
        raise self.unsupported(Operation.ANSWER)

    def get_reply(self, conversation_id: str, turn_id: str) -> Flow[Q, R, Reply]:
        """The reply to a turn that was sent before; it fails as the turn did.

        Raises:
            NotFoundError: The turn did not arrive.
            ConflictError: The reply is still being made.
        """
        raise self.unsupported(Operation.GET_REPLY)

    def resume_reply(self, conversation_id: str, turn_id: str) -> Flow[Q, R, Stream[Q, R] | Reply]:
        """Describes how to go on reading a reply that is still being made, or returns a whole one.

        Raises:
            NotFoundError: The turn did not arrive.
        """
        raise self.unsupported(Operation.RESUME_REPLY)

    def failure(self, request: Q, reply: R) -> StoreError | None:
        """Says which error a reply stands for; None when it is a result. Pure."""
        return None

    def redact(self, error: StoreError) -> None:
        """Takes this store's secrets out of an error's texts."""

    def check(self) -> Flow[Q, R, Health]:
        """Looks whether the service answers; by default, by listing one conversation."""
        yield from self.list_conversations(Listing(limit=1))
        return Health()

    def unsupported(self, operation: Operation) -> UnsupportedError:
        """The error of an operation that is not offered."""
        return UnsupportedError(
            f"{self.name} does not offer {operation}: store.offers({operation.value!r}) tells "
            "beforehand",
            adapter=self.name,
            operation=operation,
        )
